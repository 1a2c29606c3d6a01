"""Limits over several processes: counted at home, right after either side was killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import occupancy
from actors.link import Links
from actors.occupancy import OccupancyDesk
from actors.placement import Placement
from tests.actors.together import run, until

HOSTS = ["s0", "s1"]
PLACEMENT = Placement(HOSTS)
AT_0 = next(name for name in map(str, range(100)) if PLACEMENT.home(name) == "s0")
AT_1 = next(name for name in map(str, range(100)) if PLACEMENT.home(name) == "s1")


class Desk:
    """One host; `kill` ends it without a farewell."""

    def __init__(self, name: str, where: Path, epoch: int = 1) -> None:
        self.links = Links(name, epoch, where)
        self.desk = OccupancyDesk(name, self.links, Placement(HOSTS))
        self.desk.serve()

    async def start(self) -> None:
        await self.links.start()
        self.links.connect(HOSTS)

    async def kill(self) -> None:
        self.desk.close()
        await self.links.close()

    async def seize(self, id: str, name: str, most: int | None = 1, outgoing: bool = True) -> bool:
        return await self.seize_all(id, [name, outgoing, most, None]) is None

    async def seize_all(self, id: str, *rows: list[Any]) -> list[Any] | None:
        """The one that is full, if one is."""
        answer: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        self.desk.seize(id, list(rows), lambda held, full: answer.set_result(full))
        return await answer

    def count(self, name: str) -> int:
        assert self.desk.counted is not None
        return self.desk.counted.count(name)[0]


@asynccontextmanager
async def two(where: Path) -> AsyncIterator[tuple[Desk, Desk]]:
    desks = Desk("s0", where), Desk("s1", where)
    for desk in desks:
        await desk.start()
    await until(lambda: desks[0].links.alive("s1") and desks[1].links.alive("s0"))
    yield desks
    for desk in desks:
        await desk.kill()


def test_one_limit_for_both_gateways(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            for name in (AT_0, AT_1):
                assert await zero.seize("s0.1", name) and not await one.seize("s1.1", name)
                zero.desk.free("s0.1")
                zero.desk.free("s0.1")
                await until(lambda name=name: zero.count(name) + one.count(name) == 0)
                assert await one.seize("s1.1", name)
            assert zero.desk.ledger == {} and set(one.desk.ledger) == {"s1.1"}

    run(main, tmp_path)


def test_who_has_just_hung_up_elsewhere_may_call_again(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            for name in (AT_0, AT_1):
                assert await one.seize("s1.1", name)
                asked = asyncio.ensure_future(zero.seize("s0.1", name))
                await asyncio.sleep(0)
                one.desk.free("s1.1")  # the word of it comes after the question
                assert await asked
                zero.desk.free("s0.1")
                await until(lambda name=name: zero.count(name) + one.count(name) == 0)

    run(main, tmp_path)


def test_all_of_them_or_none(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            assert await one.seize("s1.1", AT_1)
            for name in (AT_1, AT_0):  # whichever is asked first
                rows = [[name, True, 1, None], [AT_1, False, 1, None]]
                assert await zero.seize_all("s0.1", *rows) == ([AT_1, True] if name == AT_1 else [AT_1, False])
                await until(lambda: (zero.count(AT_0), one.count(AT_1)) == (0, 1))
            assert zero.desk.ledger == {}

    run(main, tmp_path)


def test_a_call_that_ends_while_it_is_counted_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            answers: list[Any] = []
            zero.desk.seize("s0.1", [[AT_1, True, 1, None]], lambda *answer: answers.append(answer))
            await asyncio.sleep(0)
            zero.desk.free("s0.1")
            await until(lambda: not zero.desk.tasks)
            await until(lambda: one.count(AT_1) == 0)
            assert zero.desk.ledger == {} and answers == []

    run(main, tmp_path)


def test_a_gateway_that_was_killed_leaves_no_count_behind(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            assert await one.seize("s1.1", AT_0, 3) and await one.seize("s1.2", AT_0, 3)
            await one.kill()
            again = Desk("s1", where, epoch=2)
            again.desk.hold("s1.2", [(AT_0, True)])  # as a call that is taken up again says
            await again.start()
            await until(lambda: zero.count(AT_0) == 1)
            assert await zero.seize("s0.1", AT_0, 2) and not await zero.seize("s0.2", AT_0, 2)
            again.desk.hold("s1.3", [(AT_0, False)])  # and one that is, when the link stands already
            await until(lambda: zero.count(AT_0) == 3)
            again.desk.free("s1.2")
            again.desk.free("s1.3")
            await until(lambda: zero.count(AT_0) == 1)
            await again.kill()

    run(main, tmp_path)


def test_a_home_that_was_killed_hears_again_what_there_is(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            assert await zero.seize("s0.1", AT_1, 2) and await zero.seize("s0.2", AT_1, 2)
            await one.kill()
            zero.desk.free("s0.1")  # nobody hears of it
            again = Desk("s1", where, epoch=2)
            await again.start()
            await until(lambda: again.count(AT_1) == 1)
            assert await again.seize("s1.1", AT_1, 2) and not await again.seize("s1.2", AT_1, 2)
            await again.kill()

    run(main, tmp_path)


def test_a_home_that_is_away_lets_calls_through_and_learns_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occupancy, "ASK_SECONDS", 0.1)

    async def main(where: Path) -> None:
        zero = Desk("s0", where)
        await zero.start()
        assert await zero.seize("s0.1", AT_1)
        one = Desk("s1", where)
        await one.start()
        await until(lambda: one.count(AT_1) == 1)
        assert not await one.seize("s1.1", AT_1)
        await zero.kill()
        await one.kill()

    run(main, tmp_path)


def test_homes_that_moved_hear_it_all_and_hosts_that_are_gone_count_no_more(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with two(where) as (zero, one):
            for desk in (zero, one):
                desk.desk.placement.hosts = ["s1"]
            zero.desk.hold("s0.1", [(AT_0, True), (AT_1, False)])
            one.desk.hold("s1.1", [(AT_0, True)])
            await until(lambda: (one.count(AT_0), one.count(AT_1)) == (2, 1))
            for desk in (zero, one):
                desk.desk.placement.hosts = HOSTS
                desk.desk.moved()
            await until(lambda: (zero.count(AT_0), one.count(AT_0), one.count(AT_1)) == (2, 0, 1))
            zero.desk.moved(gone=["s1"])
            assert zero.count(AT_0) == 1

    run(main, tmp_path)
