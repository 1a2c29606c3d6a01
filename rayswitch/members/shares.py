"""When may a home answer for keys that another one answered for before?

The homes change (`shares` counts that): each home then drops what is not its own any more, sees to it that the store
has all that it had answered, and tells every other living host of the kind: its mark. Who has the marks of all others
knows that nobody else answers for its share, and that the store has the latest of it; it reads what it lacks, and
answers. Until then whoever asks for such a key waits; for keys that stay where they are nothing changes.

Since the store is the truth, it does not matter which changes a host has seen and which it missed, in which order
marks come, or who restarts in between: a mark says "mine is only what is mine since this change", whatever was before.
Dead hosts give no marks: they are fenced off, and what they answered was in the store before they answered it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Mark", "Marked", "Open", "PeerUp", "Placed", "Read", "ReadStore", "Release", "Released", "Share"]

Home = Callable[[str, Sequence[str]], str]


class Placed(NamedTuple):
    """A snapshot: the homes from now on, and the other living hosts that are or were homes."""

    shares: int
    settled: int
    homes: tuple[str, ...]
    others: frozenset[str]


class Marked(NamedTuple):
    """Another host's mark."""

    host: str
    shares: int


class PeerUp(NamedTuple):
    """A link to another host stands (again): it may have missed our mark."""

    host: str


class Released(NamedTuple):
    """What is not surely our own is dropped, and what we answered is in the store."""

    shares: int


class Read(NamedTuple):
    """What the store has of our share is here."""

    shares: int


class Release(NamedTuple):
    """Drop what is not our own or `waits`, flush; then `Released`."""

    shares: int


class Mark(NamedTuple):
    """Tell these hosts."""

    hosts: tuple[str, ...]
    shares: int


class ReadStore(NamedTuple):
    """Take in what is ours and is not here; then `Read`."""

    shares: int


class Open(NamedTuple):
    """Nobody has to wait any more."""

    shares: int


class Share:
    """What is the own of home `me`; `home(key, homes)` places keys."""

    def __init__(self, me: str, home: Home) -> None:
        self.me = me
        self.home = home
        self.placed: Placed | None = None
        self.history: list[tuple[str, ...]] = []
        """Homes as they were when we were last open, and since."""
        self.marks: dict[str, int] = {}
        self.marked = -1
        """The last of our own."""
        self.reading = False
        self.is_open = False

    def waits(self, key: str) -> bool:
        """Was this key, which is ours now, another's when we last knew what was ours?"""
        return not self.is_open and any(not homes or self.home(key, homes) != self.me for homes in self.history[:-1])

    def handle(self, event: Any) -> list[Any]:
        """Effects of one event."""
        return HANDLERS[type(event)](self, event)

    def _placed(self, event: Placed) -> list[Any]:
        before, self.placed = self.placed, event
        if before is None:
            return self._first(event)
        if event.shares == before.shares:
            return self._look()
        self.history.append(event.homes)
        self.is_open = self.reading = False
        return [Release(event.shares)]

    def _first(self, event: Placed) -> list[Any]:
        """A process begins with nothing; when all is settled, nobody else has any of its share."""
        self.marked = event.shares
        self.history = [(), event.homes]
        self.reading = event.settled == event.shares
        read = [ReadStore(event.shares)] if self.reading else self._look()
        return [*self._tell(event.others), *read]

    def _tell(self, hosts: Iterable[str]) -> list[Any]:
        names = tuple(sorted(hosts))
        return [Mark(names, self.marked)] if names else []

    def _released(self, event: Released) -> list[Any]:
        assert self.placed is not None
        if event.shares != self.placed.shares:
            return []
        self.marked = event.shares
        return [*self._tell(self.placed.others), *self._look()]

    def _marked(self, event: Marked) -> list[Any]:
        self.marks[event.host] = max(event.shares, self.marks.get(event.host, -1))
        return self._look()

    def _peer_up(self, event: PeerUp) -> list[Any]:
        if self.placed is None or event.host not in self.placed.others or self.marked < 0:
            return []
        return self._tell([event.host])

    def _look(self) -> list[Any]:
        """Do all others know what is theirs?"""
        placed = self.placed
        if placed is None or self.is_open or self.reading or self.marked != placed.shares:
            return []
        if any(self.marks.get(host, -1) < placed.shares for host in placed.others):
            return []
        self.reading = True
        return [ReadStore(placed.shares)]

    def _read(self, event: Read) -> list[Any]:
        assert self.placed is not None
        if event.shares != self.placed.shares or not self.reading:
            return []
        self.reading, self.is_open = False, True
        self.history = [self.placed.homes]
        return [Open(event.shares)]


HANDLERS: dict[type, Callable[[Share, Any], list[Any]]] = {
    Placed: Share._placed,
    Marked: Share._marked,
    PeerUp: Share._peer_up,
    Released: Share._released,
    Read: Share._read,
}
