"""The course of records under every order of events: each is settled once, durable then, and none overtakes another.

The model keeps a database and a disk as lists.  A crash may come at any moment, also between an event and its
acknowledgement; what a new process then has is the database with the disk's records after it.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rayswitch.store.course import Course

Record = tuple[str, int]
KEYS = "abc"


class Travel(RuleBasedStateMachine):
    """The two threads' steps and the outside world, in any order."""

    @initialize()
    def begin(self) -> None:
        self.course: Course[Record] = Course()
        self.number = 0
        self.added: list[Record] = []
        self.settled: list[Record] = []
        self.database: dict[str, int] = {}
        self.disk: list[Record] = []
        self.read = 0
        self.under_way: list[Record] = []
        self.landing: list[Record] = []
        self.clearing = self.at_end = False

    def apply(self, records: list[Record]) -> None:
        self.database |= dict(records)

    def settle(self, records: list[Record]) -> None:
        """Nothing may be called durable that a crash could take; seen at the moment of settling."""
        after = self.database | dict(self.disk[self.read :])
        for key, number in records:
            assert after[key] >= number
        self.settled += records

    @rule(key=st.sampled_from(KEYS))
    def add(self, key: str) -> None:
        self.number += 1
        self.added.append((key, self.number))
        self.course.add((key, self.number))

    @precondition(lambda self: not self.under_way)
    @rule(most=st.integers(1, 4))
    def take(self, most: int) -> None:
        self.under_way = list(self.course.for_database(most, 0.0))

    @precondition(lambda self: self.under_way)
    @rule()
    def commit(self) -> None:
        self.apply(self.under_way)
        self.under_way = []
        self.settle(self.course.committed())

    @precondition(lambda self: self.under_way)
    @rule(reached=st.booleans())
    def fail(self, reached: bool) -> None:
        """The database may have taken the group all the same, and only its answer was lost."""
        if reached:
            self.apply(self.under_way)
        self.under_way = []
        self.course.step_aside()

    @rule()
    def lose_patience(self) -> None:
        self.course.step_aside()

    @precondition(lambda self: not self.landing)
    @rule(most=st.integers(1, 4))
    def land(self, most: int) -> None:
        self.landing = list(self.course.for_disk(most))

    @precondition(lambda self: self.landing)
    @rule(written=st.integers(0, 4))
    def disk_fails(self, written: int) -> None:
        self.disk += self.landing[:written]
        self.landing = []
        self.course.not_kept()

    @precondition(lambda self: self.landing)
    @rule()
    def disk_works(self) -> None:
        self.disk += self.landing
        self.landing = []
        self.settle(self.course.kept())

    @precondition(lambda self: self.course.aside and not self.under_way and not self.clearing and not self.at_end)
    @rule(most=st.integers(1, 4))
    def bring_in(self, most: int) -> None:
        """The thread of the database, when it is not held up by a group."""
        group = self.disk[self.read : self.read + most]
        self.apply(group)
        self.read += len(group)
        self.at_end = not group

    @precondition(lambda self: self.course.aside and self.at_end)
    @rule()
    def turn(self) -> None:
        """It has seen the end of the backlog; that may be a while ago."""
        self.at_end = False
        self.clearing = self.course.turn()

    @precondition(lambda self: self.clearing)
    @rule()
    def clear(self) -> None:
        """The files are removed; the other thread and the outside world have had time for steps of their own."""
        self.clearing = False
        if self.read < len(self.disk):
            self.course.turn_back()
            return
        self.disk, self.read = [], 0
        self.course.straight()

    @invariant()
    def each_is_settled_once_and_in_order(self) -> None:
        if hasattr(self, "course"):
            assert self.settled == self.added[: len(self.settled)]

    @invariant()
    def nothing_is_lost_on_the_way(self) -> None:
        if hasattr(self, "course"):
            course = self.course
            on_the_way = [*course.flying, *course.landing, *course.waiting]
            assert on_the_way == self.added[len(self.settled) :]
            assert course.open == bool(on_the_way)

    @invariant()
    def a_crash_now_restores_what_was_settled(self) -> None:
        """From the beginning of the disk's records: how far they were read is not known any more."""
        if hasattr(self, "course"):
            restored = self.database | dict(self.disk)
            for key in KEYS:
                durable = max((n for k, n in self.settled if k == key), default=0)
                assert restored.get(key, 0) >= durable

    def teardown(self) -> None:
        """Left alone, with everything working, all ends in the database, the newest of each key."""
        if not hasattr(self, "course"):
            return
        if self.under_way:
            self.commit()
        for _ in range(1000):
            if not self.course.open and not self.course.aside:
                break
            if not self.landing:
                self.land(4)
            if self.landing:
                self.disk_works()
            if self.clearing:
                self.clear()
            elif self.course.aside and self.at_end:
                self.turn()
            elif self.course.aside:
                self.bring_in(4)
            else:
                self.take(4)
                if self.under_way:
                    self.commit()
        assert self.settled == self.added
        assert self.database == dict(self.added)


TestTravel = Travel.TestCase
TestTravel.settings = settings(max_examples=150, stateful_step_count=40)


def test_a_group_is_late_when_it_is_under_way_for_too_long() -> None:
    course: Course[int] = Course()
    assert not course.late(100.0, 0.5)
    course.add(1)
    assert course.for_database(10, 5.0) == [1]
    assert not course.late(5.4, 0.5)
    assert course.late(5.6, 0.5)
    course.step_aside()
    assert not course.late(5.6, 0.5)
    assert course.for_disk(10) == [1]
    assert course.committed() == []
