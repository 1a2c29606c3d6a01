"""The course of records: straight to the database, or aside to the backlog on the disk and from there.

A machine without threads and clock.  Records are added; the thread of the database takes them in groups and says
`committed`.  When that fails, or a group is under way for too long, it is told to `step_aside`: the thread of the disk
takes them, that group first, and says `kept` or `not_kept`.  Meanwhile the database's thread brings the
backlog into the database; when it has found the end, the course turns (nobody takes anything), the backlog is removed,
and then records go straight again.

So each record is settled once, by the database or by the disk, and the database sees them in the order in which they
were added.  A group that was under way may reach it twice, which changes nothing (`writes.py`).
"""

from collections import deque
from typing import Generic, TypeVar

__all__ = ["Course"]

T = TypeVar("T")


class Course(Generic[T]):
    """`waiting` is what nobody has taken; `flying` the database has, `landing` the disk. `owing`: see `turn`."""

    def __init__(self) -> None:
        self.waiting: deque[T] = deque()
        self.flying: list[T] = []
        self.since = 0.0
        self.landing: list[T] = []
        self.owing = False
        self.aside = False
        self.turning = False

    @property
    def open(self) -> bool:
        """Something is not settled."""
        return bool(self.waiting or self.flying or self.landing)

    def add(self, item: T) -> None:
        """One more; from any thread."""
        self.waiting.append(item)

    def step_aside(self) -> None:
        """The database is away: use the disk."""
        self.aside = True
        self.owing = self.owing or bool(self.flying)
        self._back(self.flying)
        self.flying = []

    # The thread of the database.

    def for_database(self, most: int, now: float) -> list[T]:
        """The next group; [] when records go aside."""
        if self.aside:
            return []
        self.flying = self._taken(most)
        self.since = now
        return self.flying

    def committed(self) -> list[T]:
        """The group is in the database: who is settled by that; nobody if it has gone aside meanwhile."""
        done, self.flying = self.flying, []
        return done

    def late(self, now: float, patience: float) -> bool:
        """The group is under way for too long."""
        return bool(self.flying) and now - self.since > patience

    def turn(self) -> bool:
        """The backlog was read to its end: True if nothing is on its way there; then nothing goes anywhere until
        `straight`, or until `turn_back`, because a group had arrived after that look.

        What the database did not take before has to come by way of the disk: only that proves that it is well again.
        """
        self.turning = self.aside and not self.landing and not self.owing
        return self.turning

    def turn_back(self) -> None:
        """There is still something in the backlog."""
        self.turning = False

    def straight(self) -> None:
        """The backlog was empty and is removed."""
        self.aside = self.turning = False

    # The thread of the disk.

    def for_disk(self, most: int) -> list[T]:
        """The next group; [] when records go straight."""
        if self.aside and not self.turning and not self.landing:
            self.landing = self._taken(most)
        return self.landing

    def kept(self) -> list[T]:
        """The group is on the disk: who is settled by that."""
        done, self.landing = self.landing, []
        self.owing = False
        return done

    def not_kept(self) -> None:
        """The disk did not take it: it comes first the next time."""
        self._back(self.landing)
        self.landing = []

    def _taken(self, most: int) -> list[T]:
        return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def _back(self, items: list[T]) -> None:
        self.waiting.extendleft(reversed(items))
