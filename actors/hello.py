"""What two ends of a connection say to each other before and beside the frames: signals, all of them mappings.

``{"hello": version, "host", "epoch", "listens", "follows"}`` comes first, each way. `follows`: the dialler has a
connection that stands, and this one takes its place. A refusal is ``{"refused": reason, "epoch"}``; for the reason
"stale" the epoch is the lowest that would do. ``{"moved": true}`` is the last frame on a connection whose place another
one has taken.

Whatever else arrives is nobody's signal: it ends the connection and does nothing further.
"""

import re
from typing import Any, NamedTuple, TypeGuard

from actors.connection import frame

__all__ = ["MOVED", "VERSION", "Hello", "Refusal", "read"]

VERSION = 2
MOVED = frame({"moved": True})

_HOST = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_EPOCHS = range(1 << 63)


class Hello(NamedTuple):
    """Who is there. `epoch`: time_ns of the start of that process; `listens`: False for a mere client."""

    host: str
    epoch: int
    listens: bool
    follows: bool = False

    def frame(self) -> bytes:
        """Its bytes."""
        return frame({"hello": VERSION} | self._asdict())


class Refusal(NamedTuple):
    """Why there will be no link: "stale" (below `epoch`), "busy" (ours to you is under way)."""

    reason: str
    epoch: int = 0

    def frame(self) -> bytes:
        """Its bytes."""
        return frame({"refused": self.reason, "epoch": self.epoch})


class Moved(NamedTuple):
    """The last frame on this connection."""


def read(signal: dict[Any, Any]) -> Hello | Refusal | Moved | None:
    """The signal in a mapping; None when it is none that we know, or of another version."""
    if "hello" in signal:
        return _hello(signal)
    reason, epoch = signal.get("refused"), signal.get("epoch")
    if isinstance(reason, str) and _is_epoch(epoch):
        return Refusal(reason, epoch)
    return Moved() if signal.get("moved") is True else None


def _hello(signal: dict[Any, Any]) -> Hello | None:
    host, epoch = signal.get("host"), signal.get("epoch")
    if signal["hello"] != VERSION or not isinstance(host, str) or not _HOST.fullmatch(host) or not _is_epoch(epoch):
        return None
    listens, follows = signal.get("listens"), signal.get("follows")
    if not isinstance(listens, bool) or not isinstance(follows, bool):
        return None
    return Hello(host, epoch, listens, follows)


def _is_epoch(value: Any) -> TypeGuard[int]:
    return type(value) is int and value in _EPOCHS
