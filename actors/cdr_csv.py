"""Call detail records as CSV (RFC 4180): every column of the store, with a line of names on top.

Times are ISO 8601 with the offset of this machine.
"""

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

from rayswitch.store.writes import CDR_COLUMNS

__all__ = ["COLUMNS", "write"]

COLUMNS = ("id", *CDR_COLUMNS)
TIMES = ("start", "ring", "answer", "end")
FORMULA = ("=", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would calculate. A plus sign is a number."""


def write(output: IO[str], rows: Iterable[dict[str, Any]], head: bool = True) -> None:
    """Rows of `cdrs`, the names of the columns first."""
    writer = csv.writer(output)
    if head:
        writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(cell(name, row[name]) for name in COLUMNS)


def cell(name: str, value: Any) -> Any:
    """A value as people and spreadsheets read it."""
    if name in TIMES:
        return datetime.fromtimestamp(value).astimezone().isoformat(timespec="milliseconds") if value else ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
