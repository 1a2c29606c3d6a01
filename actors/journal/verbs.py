"""What entities ask of a journal, whether it is of their process or, for an entity that lives alone, of its home."""

from collections.abc import Callable
from typing import Any, Protocol

from rayswitch.store import Write

__all__ = ["Writes"]

Callback = Callable[[], Any]


class Writes(Protocol):
    """A `Journal`, or a `HomeJournal`."""

    @property
    def backlog(self) -> int:
        """Records that the database does not have yet."""

    def append(self, *writes: Write) -> None:
        """Write these some time soon."""

    def durable(self, write: Write, kept: Callback, refused: Callback | None = None) -> None:
        """Write this; `kept()` when it is durable, `refused()` when there is no room for it."""

    async def close(self) -> None:
        """Make durable what is left."""
