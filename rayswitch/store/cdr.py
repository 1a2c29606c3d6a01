"""Reading call detail records: the newest first, narrowed down by what is asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rayswitch.store.store import Store
from rayswitch.store.writes import CDR_COLUMNS

__all__ = ["CdrFilter", "cdrs", "cdrs_between", "newest_cdr"]


@dataclass(frozen=True, slots=True)
class CdrFilter:
    """Which rows; None narrows nothing. Times in unix seconds; `leg` "call": the end-to-end rows."""

    number: str | None = None
    since: float | None = None
    until: float | None = None
    call_id: str | None = None
    leg: str | None = "call"
    limit: int | None = None


_CONDITIONS = {
    "number": "(caller = ? OR dialled = ? OR reached = ?)",
    "since": "start >= ?",
    "until": "start < ?",
    "call_id": "call_id = ?",
    "leg": "leg = ?",
}


def cdrs(store: Store, wanted: CdrFilter) -> Iterator[dict[str, Any]]:
    """Rows as {"id": int} and `CDR_COLUMNS`, `marks` a list."""
    conditions: list[str] = []
    values: list[Any] = []
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values.extend([value] * condition.count("?"))
    query = "SELECT {} FROM cdr{} ORDER BY start DESC, id DESC{}".format(
        NAMES,
        f" WHERE {' AND '.join(conditions)}" if conditions else "",
        "" if wanted.limit is None else f" LIMIT {int(wanted.limit)}",
    )
    yield from map(as_record, store.rows(query, *values))


def cdrs_between(store: Store, after: int, last: int, most: int) -> Iterator[dict[str, Any]]:
    """Rows whose id is above `after` and not above `last`, in the order of their ids, at most so many."""
    query = f"SELECT {NAMES} FROM cdr WHERE id > ? AND id <= ? ORDER BY id LIMIT {int(most)}"
    yield from map(as_record, store.rows(query, after, last))


def newest_cdr(store: Store) -> int:
    """The highest id, 0 without rows."""
    return next((int(row[0] or 0) for row in store.rows("SELECT max(id) FROM cdr")), 0)


COLUMNS = ("id", *CDR_COLUMNS)
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)


def as_record(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row by the names of its columns."""
    record = dict(zip(COLUMNS, row, strict=True))
    return record | {"marks": json.loads(record["marks"])}
