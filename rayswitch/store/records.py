"""Records in the store: what the operator keeps besides extensions, and the version that both share.

A record is plain values under a kind and a key; what they mean is the business of `rayswitch.records`. As with
extensions, a row carries the version of the change that last touched it, and a removed one stays, marked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rayswitch.store.extensions import Extension, Extensions
from rayswitch.store.store import Store

__all__ = ["Record", "Records"]


class Record(NamedTuple):
    """`values` is empty for one that was removed."""

    kind: str
    key: tuple[str, ...]
    values: dict[str, Any]
    version: int = 0
    deleted: bool = False


class Records:
    """Those of `domain` in `store`."""

    def __init__(self, store: Store, domain: str) -> None:
        self.store = store
        self.domain = domain
        self.extensions = Extensions(store, domain)

    def changes(self, since: int = 0) -> list[Record]:
        """Rows changed after version `since`, removed ones marked; `since` 0: live rows."""
        query = (
            "SELECT kind, key, value, version, deleted FROM record"
            " WHERE domain = ? AND version > ? AND deleted <= ? ORDER BY kind, key"
        )
        rows = self.store.rows(query, self.domain, since, 1 if since else 0)
        return [
            Record(kind, tuple(json.loads(key)), json.loads(value), version, bool(deleted))
            for kind, key, value, version, deleted in rows
        ]

    def lock(self) -> None:
        """Inside a transaction: whoever wants to change something waits for its end."""
        self.extensions.next_version()

    def alter(self, extensions: Iterable[Extension], removed: Sequence[str], records: Iterable[Record]) -> int:
        """Put these extensions and records, take away what is `removed` or `deleted`; the version of this change.

        Inside a transaction of the caller, who has locked what is there and looked at it.
        """
        version = self.extensions.next_version()
        self.extensions.put_at(version, extensions)
        self.extensions.remove_at(version, removed)
        self.store.execute_many(
            UPSERT,
            (
                (self.domain, row.kind, json.dumps(row.key), json.dumps(row.values), version, int(row.deleted))
                for row in records
            ),
        )
        return version


UPSERT = (
    "INSERT INTO record (domain, kind, key, value, version, deleted) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (domain, kind, key) DO UPDATE SET value = excluded.value, version = excluded.version,"
    " deleted = excluded.deleted"
)
