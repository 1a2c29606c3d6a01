"""The CSV file of `extension import`: read and checked as a whole before anything of it is used."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rayswitch.store.extensions import BadExtension, check_name, check_number, check_password

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["Entry", "TableError", "read_table"]

REQUIRED = ("number", "password")
COLUMNS = (*REQUIRED, "name")


class TableError(Exception):
    """The file cannot be used: "FILE:LINE: what was expected"."""


class Entry(NamedTuple):
    """One row, checked."""

    number: str
    password: str
    name: str


def read_table(path: Path) -> list[Entry]:
    """All rows of the file. Raises TableError for the first thing that is wrong in it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_entries(csv.reader(file, strict=True), path))
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TableError(f"{path}: cannot be read: it is not UTF-8") from None


def _entries(reader: "Reader", path: Path) -> Iterator[Entry]:
    seen: dict[str, int] = {}
    try:
        places = _header(next(reader, []))
        for row in reader:
            if not row:
                continue
            entry = _entry(row, places)
            if entry.number in seen:
                raise BadExtension(f"number {entry.number} was in line {seen[entry.number]} already")
            seen[entry.number] = reader.line_num
            yield entry
    except (BadExtension, csv.Error) as error:
        raise TableError(f"{path}:{reader.line_num or 1}: {error}") from None


def _header(row: list[str]) -> dict[str, int]:
    """Column name to place."""
    names = [name.strip().lower() for name in row]
    usable = set(REQUIRED) <= set(names) <= set(COLUMNS) and len(set(names)) == len(names)
    if not usable:
        raise BadExtension(f"expected a header row with {','.join(COLUMNS)}, got {','.join(row)!r}")
    return {name: place for place, name in enumerate(names)}


def _entry(row: list[str], places: dict[str, int]) -> Entry:
    if len(row) != len(places):
        raise BadExtension(f"expected {len(places)} columns, got {len(row)}")
    name = row[places["name"]].strip() if "name" in places else ""
    return Entry(check_number(row[places["number"]].strip()), check_password(row[places["password"]]), check_name(name))
