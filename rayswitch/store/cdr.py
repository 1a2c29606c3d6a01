"""Reading call detail records: the newest first, narrowed down by what is asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rayswitch.store.store import Store
from rayswitch.store.writes import CDR_COLUMNS

__all__ = ["CdrFilter", "cdrs"]


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
    columns = ("id", *CDR_COLUMNS)
    query = "SELECT {} FROM cdr{} ORDER BY start DESC, id DESC{}".format(
        ", ".join(f'"{name}"' for name in columns),
        f" WHERE {' AND '.join(conditions)}" if conditions else "",
        "" if wanted.limit is None else f" LIMIT {int(wanted.limit)}",
    )
    for row in store.rows(query, *values):
        yield {**dict(zip(columns, row, strict=True)), "marks": json.loads(row[-1])}
