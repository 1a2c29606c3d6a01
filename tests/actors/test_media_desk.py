"""The media desk over real links: stocks, questions, refusals, gateways that come and go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.link import LinkError, Links
from actors.media_desk import BATCH, LARGEST_BATCH, MediaDesk
from tests.actors.together import run, until

Answer = tuple[str, Any]


class Media:
    """A media gateway that leases numbers; `free` of them."""

    def __init__(self, host: str, where: Path, free: int, epoch: int = 1) -> None:
        self.links = Links(host, epoch, where)
        self.free = free
        self.next = 0
        self.spares = True
        self.orders: list[Any] = []
        self.held: asyncio.Event | None = None
        self.links.on("media", self.ordered)

    def ordered(self, peer: str, order: list[Any]) -> Any:
        self.orders.append(order)
        return self.lease(*order[1:]) if order[0] == "lease" else None

    async def lease(self, need: int, like: int, family: int) -> list[list[Any]]:
        if self.held is not None:
            await self.held.wait()
        if self.free < 0:
            raise LinkError("out of order")
        count = min(self.free, need + like * self.spares)
        self.free -= count
        self.next += count
        return [[1000 + number, f"{self.links.me}/{family}"] for number in range(self.next - count, self.next)]

    def asked(self) -> list[tuple[int, int]]:
        """(need, family) of every question."""
        return [(order[1], order[3]) for order in self.orders if order[0] == "lease"]


class Stage:
    def __init__(self, desk: MediaDesk, media: dict[str, Media], where: Path) -> None:
        self.desk = desk
        self.media = media
        self.where = where

    async def reserve(self, families: list[int], gateway: str = "") -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.desk.reserve(gateway, families, lambda name, ports: future.set_result((name, ports)))
        return await future

    def at_once(self, families: list[int]) -> bool:
        """Is it served without a question?"""
        answers: list[Answer] = []
        self.desk.reserve("", families, lambda name, ports: answers.append((name, ports)))
        return bool(answers)


@asynccontextmanager
async def stage(where: Path, **free: int) -> AsyncIterator[Stage]:
    """A desk on s0 and media gateways with so many free ports."""
    links = Links("s0", 1, where)
    media = {host: Media(host, where, count) for host, count in free.items()}
    figures: list[Any] = []
    desk = MediaDesk(links, list(free), lambda *told: figures.append(told))
    await links.start()
    for one in media.values():
        await one.links.start()
    links.connect(free)
    await until(lambda: all(links.alive(host) for host in free))
    try:
        yield Stage(desk, media, where)
    finally:
        desk.close()
        for ended in (links, *(one.links for one in media.values())):
            await ended.close()


def play(where: Path, play: Callable[[Stage], Awaitable[None]], **free: int) -> None:
    async def main(where: Path) -> None:
        async with stage(where, **free) as on:
            await play(on)

    run(main, where)


def test_the_first_call_asks_and_the_next_are_served_at_once(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        name, ports = await on.reserve([4, 4])
        assert name == "m0" and ports is not None and [address for _, address in ports] == ["m0/4", "m0/4"]
        assert on.at_once([4, 4])
        await until(lambda: len(on.desk.stock[("m0", 4)]) == BATCH - 4 + 2 * BATCH)
        for _ in range(BATCH):
            assert on.at_once([4, 4])
        assert on.media["m0"].asked() == [(0, 4), (0, 4)], "running low, more are asked for ahead"


def test_more_are_taken_ahead_where_calls_had_to_wait(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        for _ in range(8):
            await on.reserve([4] * (len(on.desk.stock.get(("m0", 4), ())) + 1))
        assert on.desk.batch[("m0", 4)] == LARGEST_BATCH
        assert not on.desk.missed

    play(tmp_path, main, m0=1000)


def test_a_burst_shares_one_question(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        answers = await asyncio.gather(*(on.reserve([4, 4]) for _ in range(100)))
        ports = [port for _, got in answers for port, _ in got or ()]
        assert len(set(ports)) == 200
        assert len(on.media["m0"].asked()) <= 100 * 2 // BATCH + 2
        assert on.media["m0"].next <= 200 + 4 * BATCH

    play(tmp_path, main, m0=1000)


def test_a_burst_beyond_what_there_is_serves_some_and_refuses_the_rest(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        answers = await asyncio.gather(*(on.reserve([4, 4]) for _ in range(30)))
        assert sum(ports is not None for _, ports in answers) == 25
        assert {name for name, ports in answers if ports is None} == {""}
        assert on.media["m0"].free == 0

    play(tmp_path, main, m0=50)


def test_calls_go_to_the_gateways_in_turn_and_to_those_that_have_ports(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        names = [(await on.reserve([4]))[0] for _ in range(8)]
        assert set(names) <= {"m0", "m1"} and 3 <= names.count("m0") <= 5
        assert (await on.reserve([4], "m1"))[0] == "m1", "a call that is there already stays there"
        on.desk.stock.clear()
        on.media["m0"].free = 0
        assert {(await on.reserve([4]))[0] for _ in range(4)} == {"m1"}
        on.media["m1"].free = 0
        on.desk.stock.clear()
        assert await on.reserve([4]) == ("", None)

    play(tmp_path, main, m0=1000, m1=1000)


def test_a_gateway_that_can_spare_nothing_is_asked_for_what_is_needed(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        on.media["m0"].spares = False
        assert [(await on.reserve([4, 4]))[0] for _ in range(2)] == ["m0", "m0"]
        assert (2, 4) in on.media["m0"].asked()
        assert await on.reserve([4, 4]) == ("", None)

    play(tmp_path, main, m0=4)


def test_families_have_stocks_of_their_own(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        _, ports = await on.reserve([4, 6, 4])
        assert ports is not None and [address for _, address in ports] == ["m0/4", "m0/6", "m0/4"]
        assert sorted(on.media["m0"].asked()) == [(0, 4), (0, 6)]

    play(tmp_path, main, m0=1000)


def test_a_gateway_that_fails_or_is_away_is_passed_over(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        on.media["m0"].free = -1
        assert {(await on.reserve([4]))[0] for _ in range(4)} == {"m1"}
        await on.media["m1"].links.close()
        await until(lambda: not on.desk.links.alive("m1"))
        assert await on.reserve([4]) == ("", None)

    play(tmp_path, main, m0=1000, m1=1000)


def test_a_question_that_dies_with_the_gateway_is_a_refusal(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        on.media["m0"].held = asyncio.Event()
        asked = asyncio.ensure_future(on.reserve([4, 4]))
        await until(lambda: on.media["m0"].asked())
        await on.media["m0"].links.close()
        assert await asked == ("", None)
        assert not on.desk.asked

    play(tmp_path, main, m0=1000)


def test_what_an_earlier_process_leased_is_void(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        await on.reserve([4])
        await on.media["m0"].links.close()
        on.desk.forget("m0")
        on.media["m0"] = Media("m0", on.where, 1000, epoch=2)
        await on.media["m0"].links.start()
        await until(lambda: on.desk.links.alive("m0"))
        assert not on.at_once([4])
        await until(lambda: on.media["m0"].asked())

    play(tmp_path, main, m0=1000)


def test_unused_leases_go_back(tmp_path: Path) -> None:
    async def main(on: Stage) -> None:
        await on.reserve([4])
        media = on.media["m0"]
        on.desk.give_back("m0", [])
        on.desk.release("m0", "s0.1", [7])
        stock = [port for port, _ in on.desk.stock[("m0", 4)]]
        on.desk.close()
        await until(lambda: len(media.orders) == 4)
        assert media.orders[1:] == [["give_back", [7]], ["close", "s0.1"], ["give_back", stock]]

    play(tmp_path, main, m0=1000)
