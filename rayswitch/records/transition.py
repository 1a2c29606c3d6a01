"""A transition: how a table changes a number.

    replace 0 1 0086    from sign 0 on one sign is replaced with 0086: 0755… becomes 0086755…
    insert 0 0          0 is put in before sign 0
    delete 0 1          from sign 0 on one sign goes away

Signs are counted from 0.  A number that ends before the start is left alone; one that ends within the length gives what
it has, so a great length means "to the end".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rayswitch.config.kinds import Kind

__all__ = ["TRANSITION", "Transition", "change"]

LONGEST = 64
SIGNS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+*#-_.")
"""What a number may be made of."""


class Transition(NamedTuple):
    """`operation` is replace, insert or delete."""

    operation: str
    start: int
    length: int
    text: str

    def apply(self, number: str) -> str:
        """What becomes of a number."""
        start = self.start
        if start > len(number):
            return number
        return number[:start] + self.text + number[start + self.length :]

    def __str__(self) -> str:
        """As a person writes it."""
        return " ".join(str(getattr(self, part)) for part in ("operation", *PARTS[self.operation]))


PARTS: dict[str, tuple[str, ...]] = {
    "replace": ("start", "length", "text"),
    "insert": ("start", "text"),
    "delete": ("start", "length"),
}
"""What follows the operation."""


def change(number: str, transitions: Iterable[Transition]) -> str:
    """A number after all of them, one after the other."""
    for transition in transitions:
        number = transition.apply(number)
    return number


def read(text: str) -> Transition:
    """A transition as it is written; ValueError says what is wrong with it."""
    operation, *words = text.split() or [""]
    parts = PARTS.get(operation)
    if parts is None or len(words) != len(parts):
        raise ValueError
    values = dict(zip(parts, words, strict=True))
    signs = values.get("text", "")
    if not SIGNS.issuperset(signs) or len(signs) > LONGEST:
        raise ValueError(f"{signs!r} is no number")
    return Transition(operation, counted(values.get("start", "0")), counted(values.get("length", "0")), signs)


def counted(text: str) -> int:
    """A place or a length."""
    if not (text.isascii() and text.isdigit()) or int(text) > LONGEST:
        raise ValueError(f"{text!r} is no number of signs from 0 to {LONGEST}")
    return int(text)


TRANSITION = Kind("replace START LENGTH TEXT, insert START TEXT or delete START LENGTH", read, str)
