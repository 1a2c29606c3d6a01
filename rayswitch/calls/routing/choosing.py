"""In which order the members of a group are tried: as written, in turn, or by their load.

Turns are counted by each process for itself: over many calls every member gets its share whatever the others count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rayswitch.records.numbering import Group

LEAST_LOADED = "least loaded"


class Chooser:
    """Keeps the turns."""

    __slots__ = ("turns",)

    def __init__(self) -> None:
        self.turns: Counter[str] = Counter()

    def order(self, group: Group, loads: Sequence[int] = ()) -> list[str]:
        """The members, the first to be tried first; `loads` are their running calls, for a group that goes by them.
        Of equally loaded ones the next in turn comes first."""
        members = list(group.members)
        if group.choose == "order":
            return members
        turn = self.turns[group.name] % len(members)
        self.turns[group.name] += 1
        if group.choose == LEAST_LOADED and loads:
            load = dict(zip(members, loads, strict=True))
            members = members[turn:] + members[:turn]
            return sorted(members, key=lambda member: load[member])
        return members[turn:] + members[:turn]
