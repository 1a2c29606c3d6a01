"""What an entity is: an object with an address, private state and one message at a time.

A call, a registration, later a service: each is a plain object of ``rayswitch`` that takes a message and
the time and returns effects. It never awaits, reads no clock and opens nothing, so it can live in any
process and be tested in none.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

__all__ = ["Ask", "Entity", "Kind", "Reply", "Retire"]


class Entity(Protocol):
    """A machine with an address. It also has ``snapshot()`` and a way back, whose shape is its kind's own."""

    def handle(self, message: Any, now: float) -> Iterable[Any]:
        """Take one message at the monotonic time `now` (seconds); return what is to be done, in order."""


class Ask:
    """A message that wants an answer: the entity returns ``Reply(token, value)``, now or later."""

    __slots__ = ("message", "token")

    def __init__(self, token: int, message: Any) -> None:
        self.token = token
        self.message = message


class Reply:
    """Effect: the answer to the `Ask` with that token."""

    __slots__ = ("token", "value")

    def __init__(self, token: int, value: Any) -> None:
        self.token = token
        self.value = value


class Retire:
    """Effect: the entity is over; its host forgets it."""

    __slots__ = ()


class Kind:
    """How a host treats entities of one kind.

    ``perform(key, effect)`` does what an entity wants. ``failed(key, entity, message)`` is called once the
    host has dropped an entity that raised at that message. ``unknown(key, message)`` gets messages for entities
    not here.
    """

    __slots__ = ("failed", "perform", "unknown")

    def __init__(
        self,
        perform: Callable[[str, Any], None],
        failed: Callable[[str, Any, Any], None] | None = None,
        unknown: Callable[[str, Any], None] | None = None,
    ) -> None:
        self.perform = perform
        self.failed = failed
        self.unknown = unknown
