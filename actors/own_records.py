"""What a home writes for the processes that hold its entities one by one (``home_journal.py``), and remembers of them.

Of each call and registration that lives in a process of its own the last snapshot stays here while it lives: a few KB
for at most some hundred. A process that was killed gets it back at once, whatever the database does.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from actors.journal import Journal
from actors.link import Links
from rayswitch.store import Write
from rayswitch.store.writes import unpacked

__all__ = ["OwnRecords"]

PUTS = {"put_binding": ("registration", 1), "put_call": ("call", 3)}
"""Kind of entity by statement, and which parameter is its snapshot; the first is its key."""
DROPS = {"drop_binding": "registration", "drop_call": "call"}


class OwnRecords:
    """`stored(kind, key, host)` reads a snapshot of that host from the store, in a thread; None when there is none."""

    def __init__(self, links: Links, journal: Journal, stored: Callable[[str, str, str], Any]) -> None:
        self.journal = journal
        self.stored = stored
        self.last: dict[tuple[str, str], Any] = {}
        links.on("own.write", self.written)
        links.on("own.recall", self.recalled)

    def written(self, peer: str, rows: list[Any]) -> asyncio.Future[bool]:
        """Into our journal; True once it is durable, False when there is no room."""
        del peer
        writes = [Write(statement, tuple(params)) for statement, params in rows]
        for write in writes:
            self.remember(write)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.journal.append(*writes[:-1])
        self.journal.durable(writes[-1], lambda: _settle(done, True), lambda: _settle(done, False))
        return done

    def remember(self, write: Write) -> None:
        """The last of each entity; nothing of one that is over."""
        if write.statement in PUTS:
            kind, place = PUTS[write.statement]
            self.last[(kind, write.params[0])] = unpacked(write.params[place])
        elif write.statement in DROPS:
            self.last.pop((DROPS[write.statement], write.params[0]), None)

    def keep(self, kind: str, key: str, snapshot: Any) -> None:
        """An entity moves out with this; it is on disk already."""
        self.last[(kind, key)] = snapshot

    async def recalled(self, peer: str, payload: list[str]) -> Any:
        """The snapshot of an entity that lives at `peer`."""
        kind, key = payload
        if (kind, key) in self.last:
            return self.last[(kind, key)]
        return await asyncio.to_thread(self.stored, kind, key, peer)


def _settle(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)
