"""What a process has to know when it starts: from the database, or, when that is away, from what this machine keeps.

With SQLite the database is on this machine.  With PostgreSQL each process keeps a copy of what it needs
(`rayswitch/store/copying.py`).  To either is added what the journal of an earlier process of this name still holds.  So
a process that is killed while the database is away comes back with its calls and registrations.

All of this blocks, and belongs into a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.journal import Journal
from rayswitch.config import Config
from rayswitch.config.database import POSTGRESQL, SQLITE
from rayswitch.store import Store, StoreError, copying, writes

__all__ = ["Recall", "copy_of", "journal_of"]

AWAY_SECONDS = 5.0
"""For so long a database that was away is not asked again; the journal finds out when it is back."""


def copy_of(config: Config, host: str) -> str:
    """The store that holds the copy of `host`; "" when the database is on this machine anyway."""
    return f"{SQLITE}{Path(config.data) / 'copy' / host}.db" if config.store.startswith(POSTGRESQL) else ""


def journal_of(config: Config, host: str) -> Path:
    """The folder of its journal."""
    return Path(config.data) / "journal" / host


class Recall:
    """Memory of the process `me`; `journal` hears when the database turns out to be away."""

    def __init__(self, config: Config, me: str, journal: Journal) -> None:
        self.config = config
        self.me = me
        self.journal = journal
        self.copy = copy_of(config, me)
        self.why = ""
        self.away_since = -AWAY_SECONDS

    @contextmanager
    def known(self) -> Iterator[Store]:
        """The database, else the copy; raises StoreError when there is neither."""
        store = self._database()
        if store is None and not Path(self.copy.removeprefix(SQLITE)).is_file():
            raise StoreError(self.why)
        with store or Store.open(self.copy) as found:
            yield found

    def _database(self) -> Store | None:
        """The database itself; None when it is away, which the journal then knows, or was a moment ago."""
        if time.monotonic() - self.away_since < AWAY_SECONDS:
            return None
        try:
            return Store.open(self.config.store)
        except StoreError as error:
            self.away_since = time.monotonic()
            self.why = str(error)
            self.journal.away(self.why)
            return None

    def secret(self, name: str) -> bytes:
        """`Store.secret`."""
        with self.known() as store:
            found = store.secret(name)
        self.follow()  # it may have been made this moment
        return found

    def bindings(self, mine: Callable[[str], bool], now: float) -> list[tuple[str, Any, float]]:
        """(address-of-record, snapshot, expires) of all that are `mine`."""
        with self.known() as store:
            rows = [row for row in store.bindings(now) if mine(row[0])]
        return [row for row in self.journal.pending().bindings(rows) if mine(row[0])]

    def newest_bindings(self, mine: Callable[[str], bool], now: float) -> list[tuple[str, Any, float]]:
        """The same of the database alone, after others have written there. Raises StoreError while it is away."""
        with Store.open(self.config.store) as store:
            rows = [row for row in store.bindings(now) if mine(row[0])]
        return [row for row in self.journal.pending().bindings(rows) if mine(row[0])]

    def take_calls(self, host: str) -> list[tuple[str, Any]]:
        """(id, snapshot) of the calls of a dead host, which are ours from now on. Raises StoreError."""
        with Store.open(self.config.store) as store:
            rows = store.take_calls(host, self.me)
        if self.copy:
            with Store.open(self.copy) as copy:
                copy.apply([writes.put_call(id, owner, answered, plain) for id, owner, answered, plain in rows])
        return [(id, plain) for id, _, _, plain in rows]

    def calls(self) -> list[tuple[str, Any]]:
        """(id, snapshot) of the calls that were here."""
        return self.calls_of(self.me)

    def calls_of(self, host: str) -> list[tuple[str, Any]]:
        """The same of a host for which we write (``own_records.py``), or of ourselves."""
        with self.known() as store:
            rows = store.calls(host)
        found = self.journal.pending().calls(rows)
        return [(id, snapshot) for id, owner, _, snapshot in found if owner == host]

    def homes(self, now: float) -> dict[str, str]:
        """Who wrote the bindings of an address-of-record last."""
        with self.known() as store:
            found = store.homes(now)
        return self.journal.pending().homes(found)

    def entity(self, kind: str, key: str, host: str, now: float) -> Any:
        """The snapshot of an entity that lives alone on `host`; None when there is none."""
        if kind == "call":
            return dict(self.calls_of(host)).get(key)
        if self.homes(now).get(key) != host:
            return None
        return next((snapshot for _, snapshot, _ in self.bindings(lambda aor: aor == key, now)), None)

    def refresh(self, mine: Callable[[str], bool]) -> None:
        """Bring the copy up to date, if there is to be one and the database is there. Before anything is written."""

        def bring_over(store: Store, copy: Store) -> None:
            copying.refresh(store, copy, self.me, mine)
            copy.apply(self.journal.pending().writes())  # the journal may have been faster than we

        self._copied(bring_over)

    def follow(self) -> None:
        """Bring over what people have changed."""
        self._copied(copying.follow)

    def _copied(self, work: Callable[[Store, Store], None]) -> None:
        store = self._database() if self.copy else None
        if store is None:
            return
        try:
            with store, Store.open(self.copy) as copy:
                work(store, copy)
        except StoreError as error:
            self.journal.not_copied(str(error))
