"""Who is in how many calls: counted where it has its home, so that a limit holds whichever gateways its calls are on.

A use is a call id and whether the call goes out from there; it belongs to the host of the call. Uses are sets, not
sums: one that is told twice counts once, and a host that comes back says which it still has (`holding`), so that
nothing is left over from a process that was killed, and nothing lost when this one was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Use = tuple[str, bool]
"""Call id, and whether it is an outgoing call of whom it is counted for."""

NONE: dict[Use, str] = {}


class Occupancy:
    """The uses of all names that have their home here: addresses-of-record, lines, trunks."""

    __slots__ = ("uses",)

    def __init__(self) -> None:
        self.uses: dict[str, dict[Use, str]] = {}
        """By name: each use and the host of its call."""

    def seize(self, name: str, use: Use, host: str, most: int | None, most_outgoing: int | None) -> bool:
        """Count one more, unless there are `most` in all or `most_outgoing` outgoing ones (None: no limit) already."""
        uses = self.uses.get(name, NONE)
        if use not in uses and (full(len(uses), most) or (use[1] and full(outgoing(uses), most_outgoing))):
            return False
        self.hold(name, use, host)
        return True

    def hold(self, name: str, use: Use, host: str) -> None:
        """Count one that is there, whatever the limit."""
        self.uses.setdefault(name, {})[use] = host

    def free(self, name: str, use: Use) -> None:
        """One less."""
        uses = self.uses.get(name)
        if uses is not None and uses.pop(use, None) is not None and not uses:
            del self.uses[name]

    def holding(self, host: str, rows: Iterable[tuple[str, Use]]) -> None:
        """These are all that `host` has: what else is counted for it is over."""
        for name, uses in list(self.uses.items()):
            for use in [use for use, whose in uses.items() if whose == host]:
                self.free(name, use)
        for name, use in rows:
            self.hold(name, use, host)

    def count(self, name: str) -> tuple[int, int]:
        """Calls of a name, and how many of them go out from it."""
        uses = self.uses.get(name, NONE)
        return len(uses), outgoing(uses)

    def rows(self) -> list[list[Any]]:
        """[name, calls, outgoing calls] of all that are in a call and counted."""
        return [[name, *self.count(name)] for name in self.uses]


def full(count: int, most: int | None) -> bool:
    """Is one more too many?"""
    return most is not None and count >= most


def outgoing(uses: Iterable[Use]) -> int:
    """How many of them go out."""
    return sum(out for _, out in uses)
