"""Homes change: keys move to their new home, are answered by one home at a time, and never from stale state."""

from hashlib import blake2b
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rayswitch.members.shares import (
    Mark,
    Marked,
    Open,
    PeerUp,
    Placed,
    Read,
    ReadStore,
    Release,
    Released,
    Share,
)


def home(key: str, homes: Any) -> str:
    return max(homes, key=lambda host: blake2b(key.encode(), key=host.encode()).digest())


def placed(shares: int, homes: str, others: str, settled: int = 0) -> Placed:
    return Placed(shares, settled, tuple(homes.split()), frozenset(others.split()))


def open_share(me: str, homes: str) -> Share:
    share = Share(me, home)
    share.handle(placed(0, homes, homes.replace(me, "")))
    share.handle(Read(0))
    assert share.is_open
    return share


KEYS = [f"{n}@x" for n in range(60)]


def test_a_home_that_starts_when_all_is_settled_asks_nobody() -> None:
    share = Share("s0", home)
    assert share.handle(placed(4, "s0 s1", "s1", settled=4)) == [Mark(("s1",), 4), ReadStore(4)]
    assert all(share.waits(key) for key in KEYS)
    assert share.handle(Read(4)) == [Open(4)]
    assert not any(share.waits(key) for key in KEYS)


def test_a_home_that_starts_in_the_middle_waits_for_all_marks_and_reads_again() -> None:
    share = Share("s0", home)
    assert share.handle(placed(4, "s0 s1", "s1 s2", settled=3)) == [Mark(("s1", "s2"), 4)]
    assert all(share.waits(key) for key in KEYS)
    assert share.handle(Marked("s1", 4)) == []
    assert share.handle(Marked("s2", 3)) == []
    assert share.handle(Marked("s2", 4)) == [ReadStore(4)]
    assert share.handle(Read(4)) == [Open(4)]
    assert not any(share.waits(key) for key in KEYS)


def test_only_keys_that_were_anothers_wait() -> None:
    share = open_share("s0", "s0 s1 s2")
    assert share.handle(placed(1, "s0 s1", "s1")) == [Release(1)]
    mine = [key for key in KEYS if home(key, ["s0", "s1"]) == "s0"]
    stay = [key for key in mine if home(key, ["s0", "s1", "s2"]) == "s0"]
    assert [key for key in mine if not share.waits(key)] == stay
    assert 0 < len(stay) < len(mine)


def test_a_key_that_was_away_in_between_waits() -> None:
    share = open_share("s0", "s0")
    share.handle(placed(1, "s0 s1", "s1"))
    share.handle(placed(2, "s0", "s1"))
    moved = [key for key in KEYS if home(key, ["s0", "s1"]) == "s1"]
    assert moved and all(share.waits(key) for key in moved)


def test_marks_come_after_what_was_answered_is_in_the_store() -> None:
    share = open_share("s0", "s0 s1")
    share.handle(Marked("s1", 1))
    assert share.handle(placed(1, "s0 s1 s2", "s1 s2")) == [Release(1)]
    assert share.handle(PeerUp("s2")) == [Mark(("s2",), 0)], "the last change that it has acted upon"
    assert share.handle(Marked("s2", 1)) == []
    assert share.handle(Released(1)) == [Mark(("s1", "s2"), 1), ReadStore(1)]


def test_work_for_a_change_that_is_over_counts_for_nothing() -> None:
    share = open_share("s0", "s0 s1")
    share.handle(placed(1, "s0 s1 s2", "s1 s2"))
    assert share.handle(placed(2, "s0 s2", "s2")) == [Release(2)]
    assert share.handle(Released(1)) == []
    share.handle(Marked("s2", 2))
    assert share.handle(Released(2)) == [Mark(("s2",), 2), ReadStore(2)]
    assert share.handle(placed(3, "s0", "")) == [Release(3)]
    assert share.handle(Read(2)) == []
    assert share.handle(Released(3)) == [ReadStore(3)]


def test_a_home_that_is_given_up_is_not_waited_for() -> None:
    share = open_share("s0", "s0 s1 s2")
    share.handle(placed(1, "s0 s1", "s1 s2"))
    share.handle(Released(1))
    assert share.handle(Marked("s1", 1)) == []
    assert share.handle(placed(1, "s0 s1", "s1")) == [ReadStore(1)]


def test_a_peer_that_is_back_hears_our_mark_again_and_strangers_nothing() -> None:
    share = open_share("s0", "s0 s1")
    assert share.handle(PeerUp("s1")) == [Mark(("s1",), 0)]
    assert share.handle(PeerUp("m0")) == []


class World:
    """Homes that hear of changes late, in any order or not at all; each answer is durable before it is given."""

    def __init__(self) -> None:
        self.store: dict[str, int] = {}
        self.changes = [placed(0, "s0 s1", "s0 s1")]
        self.living = {"s0", "s1"}
        self.homes: dict[str, Share] = {}
        self.memory: dict[str, dict[str, int]] = {}
        self.work: dict[str, list[Any]] = {}
        self.marks: list[tuple[str, Marked]] = []
        self.value = 0
        for host in sorted(self.living):
            self.start(host)

    def view(self, host: str, change: Placed) -> Placed:
        return change._replace(others=change.others - {host})

    def start(self, host: str) -> None:
        self.homes[host] = Share(host, home)
        self.memory[host] = {}
        self.work[host] = []
        self.do(host, self.view(host, self.changes[-1]))
        for other in sorted(self.living - {host}):
            self.do(other, PeerUp(host))
            self.do(host, PeerUp(other))

    def read(self, host: str, change: Placed) -> None:
        if host in change.homes:
            found = {key: value for key, value in self.store.items() if home(key, change.homes) == host}
            self.memory[host] = found | self.memory[host]

    def do(self, host: str, event: Any) -> None:
        if host not in self.homes:
            return
        for effect in self.homes[host].handle(event):
            if isinstance(effect, Mark):
                self.marks += [(other, Marked(host, effect.shares)) for other in effect.hosts]
            else:
                self.work[host].append(effect)

    def change(self, living: set[str], homes: set[str]) -> None:
        last = self.changes[-1]
        for host in self.living - living:
            self.homes.pop(host, None)  # fenced off
        new = sorted(living - self.living)
        self.living = living
        self.changes.append(Placed(last.shares + 1, last.settled, tuple(sorted(homes)), frozenset(living)))
        for host in new:
            self.start(host)

    def hear(self, host: str) -> None:
        """The latest snapshot comes; those in between may have been missed."""
        change = self.changes[-1]
        if host in self.homes and self.homes[host].placed != self.view(host, change):
            self.do(host, self.view(host, change))

    def note(self) -> None:
        """The Switchboard has heard that all homes have acted upon the latest change."""
        last = self.changes[-1]
        views = [self.homes.get(host) for host in last.homes]
        if all(share and share.is_open and share.placed == self.view(share.me, last) for share in views):
            self.changes[-1] = last._replace(settled=last.shares)

    def step(self, host: str) -> None:
        """One of the things that a host is at work on is done."""
        if host not in self.homes or not self.work[host]:
            return
        effect, share = self.work[host].pop(0), self.homes[host]
        assert share.placed is not None
        if isinstance(effect, Release):
            mine = self.memory[host]
            self.memory[host] = {key: value for key, value in mine.items() if self.answers(host, key)}
            self.do(host, Released(effect.shares))
        elif isinstance(effect, ReadStore):
            if effect.shares == share.placed.shares:
                self.read(host, share.placed)
            self.do(host, Read(effect.shares))

    def is_own(self, host: str, key: str) -> bool:
        placed = self.homes[host].placed
        return placed is not None and host in placed.homes and home(key, placed.homes) == host

    def answers(self, host: str, key: str) -> bool:
        return self.is_own(host, key) and not self.homes[host].waits(key)

    def register(self, host: str, key: str) -> None:
        if host in self.homes and self.answers(host, key):
            self.value += 1
            self.store[key] = self.memory[host][key] = self.value

    def forget(self, host: str, key: str) -> None:
        if host in self.homes and self.answers(host, key):
            self.store.pop(key, None)
            self.memory[host].pop(key, None)

    def check(self) -> None:
        for key in KEYS[:8]:
            able = [host for host in self.homes if self.answers(host, key)]
            assert len(able) <= 1, f"{key} is answered by {able}"
            for host in able:
                assert self.memory[host].get(key) == self.store.get(key), f"{host} is stale about {key}"


HOSTS = ["s0", "s1", "s2", "s3"]
WHAT = ["register", "register", "forget", "hear", "hear", *["step"] * 3, "mark", "mark", "note", "change", "die", "die"]


@settings(max_examples=200)
@given(st.data())
def test_one_home_answers_for_a_key_and_knows_the_latest(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(5, 60))):
        host = data.draw(st.sampled_from(HOSTS))
        what = data.draw(st.sampled_from(WHAT))
        if what in ("register", "forget"):
            getattr(world, what)(host, data.draw(st.sampled_from(KEYS[:8])))
        elif what in ("hear", "step"):
            getattr(world, what)(host)
        elif what == "mark" and world.marks:
            to, mark = world.marks.pop(data.draw(st.integers(0, len(world.marks) - 1)))
            world.do(to, mark)
        elif what == "change":
            living = set(data.draw(st.sets(st.sampled_from(HOSTS), min_size=1)))
            homes = set(data.draw(st.sets(st.sampled_from(sorted(living)), min_size=1)))
            if homes != set(world.changes[-1].homes) or not living >= world.living:
                world.change(living, homes)
        elif what == "die" and host in world.homes:  # and is back at once
            del world.homes[host]
            world.marks = [(to, mark) for to, mark in world.marks if to != host]
            world.start(host)
        elif what == "note":
            world.note()
        world.check()
    settle(world)
    for key in KEYS[:8]:
        assert sum(world.answers(host, key) for host in world.homes) == 1, f"nobody answers for {key}"
    world.check()


def settle(world: World) -> None:
    for host in world.living:
        world.hear(host)
    while world.marks or any(world.work[host] for host in world.living):
        for host in sorted(world.living):
            world.step(host)
        while world.marks:
            to, mark = world.marks.pop()
            world.do(to, mark)
