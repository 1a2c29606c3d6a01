"""A host that was declared dead is refused by everybody, hears of it, and its successor has any name."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors import hello
from actors.link import Links, PeerLost
from tests.actors.nodes import cluster, run, until
from tests.actors.wiretap import wiretap


def fences(links: Links) -> list[int]:
    heard: list[int] = []
    links.on_fenced(heard.append)
    return heard


def notes(links: Links) -> list[Any]:
    seen: list[Any] = []
    links.on("note", lambda peer, payload: seen.append([peer, payload]))
    links.on("echo", lambda peer, payload: payload)
    links.on("never", lambda peer, payload: asyncio.sleep(60))
    return seen


@pytest.mark.parametrize("dialler", ["s0", "s1"])
def test_a_fence_cuts_the_link_that_stands_and_the_dead_hears_of_it(tmp_path: Path, dialler: str) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            heard, seen, downs = fences(s1), notes(s0), list[str]()
            notes(s1)
            s0.on_down(downs.append)
            (s0 if dialler == "s0" else s1).connect(["s0", "s1"])
            await until(lambda: s0.alive("s1") and s1.alive("s0"))
            asked = s0.ask("s1", "never", 0)
            s1.tell("s0", "note", "before")
            await until(lambda: seen)
            s0.peering.fence("s1", 1)
            s1.tell("s0", "note", "after")
            with pytest.raises(PeerLost):
                await asked
            assert downs == ["s1"]
            await until(lambda: heard)
            assert set(heard) == {2}
            assert seen == [["s1", "before"]]
            assert not s0.alive("s1")

    run(main, tmp_path)


def test_a_host_that_was_cut_off_is_fenced_when_it_comes_back(tmp_path: Path) -> None:
    """Its entities are s2's by now; nobody else is s1."""

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1", "s2") as nodes, wiretap(nodes.way("s0")) as tap:
            s0, s1, s2 = nodes.hosts.values()
            heard, seen = fences(s1), notes(s0)
            nodes.detour("s1", "s0", tap.way)
            s1.connect(["s0"])
            await until(lambda: s0.alive("s1"))
            nodes.detour("s1", "s0", ("127.0.0.8", 9))
            tap.cut()
            await until(lambda: not s0.alive("s1"))
            for one in (s0, s2):
                one.peering.fence("s1", 1)
            s1.tell("s0", "note", "of a ghost")
            s2.tell("s0", "note", "of the owner")
            await until(lambda: seen == [["s2", "of the owner"]])
            assert heard == []
            nodes.detour("s1", "s0", nodes.way("s0"))
            await until(lambda: heard)
            await s1.close()
            assert seen == [["s2", "of the owner"]]
            assert s0.counters()["stale"] >= 1

            again = await nodes.start("s1", epoch=2)  # Ray has started it anew
            nodes.introduce()
            again.tell("s0", "note", "clean")
            await until(lambda: ["s1", "clean"] in seen)

    run(main, tmp_path)


def test_whoever_dials_a_dead_host_tells_it(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            heard, seen = fences(s1), notes(s1)
            s0.peering.fence("s1", 1)
            s0.tell("s1", "note", "for its successor")
            await until(lambda: heard)
            assert not s0.alive("s1")
            assert seen == []

    run(main, tmp_path)


def test_the_epoch_of_the_membership_is_enough_to_refuse_an_older_one(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            heard, seen = fences(s1), notes(s0)
            s0.book.update("s1", s1.peering.sockets.endpoints, 9)
            s1.tell("s0", "note", 0)
            await until(lambda: heard)
            assert set(heard) == {9}
            assert seen == []
            assert s0.book.epoch("s1") == 9
            s0.book.update("s1", s1.peering.sockets.endpoints, 8)
            assert s0.book.epoch("s1") == 9

    run(main, tmp_path)


def test_a_successor_that_only_calls_and_hangs_up_is_remembered(tmp_path: Path) -> None:
    """Clients are forgotten when they hang up; a host that has been one for a moment is not."""

    async def main(where: Path) -> None:
        s0 = Links("s0", 1, where)
        notes(s0)
        await s0.start()
        for epoch, listens in ((1, True), (2, False)):
            one = Links("s1", epoch, where, listens)
            await one.start()
            await one.ask("s0", "echo", epoch)
            await one.close()
            await until(lambda: not s0.alive("s1"))
        late = Links("s1", 1, where)
        heard = fences(late)
        await late.start()
        late.connect(["s0"])
        try:
            await until(lambda: heard)
        finally:
            for links in (late, s0):
                await links.close()
        assert set(heard) == {2}

    run(main, tmp_path)


def test_a_fence_of_another_epoch_or_of_ourselves(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0") as nodes:
            s1 = await nodes.start("s1", epoch=5)
            nodes.introduce()
            s0, heard = nodes.hosts["s0"], fences(s1)
            s1.on("echo", lambda peer, payload: payload)
            await s0.ask("s1", "echo", 0)
            s0.peering.fence("s1", 4)
            assert await s0.ask("s1", "echo", 1) == 1
            assert heard == []
            s1.peering.fence("s1", 4)
            assert heard == []
            s1.peering.fence("s1", 5)
            assert heard == [6]

    run(main, tmp_path)


def test_a_host_that_is_no_more_is_not_dialled_again(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s0.connect(["s1"])
            await until(lambda: s0.alive("s1") and s1.alive("s0"))
            s0.peering.forget("s1")
            await until(lambda: not s1.alive("s0"))
            await asyncio.sleep(0.3)
            assert not s0.alive("s1")
            assert s0.status()["peers"]["s1"]["connects"] == 1

    run(main, tmp_path)


def test_a_refusal_for_an_epoch_that_we_have_outlived_is_nothing() -> None:
    assert hello.read({"refused": "stale", "epoch": -1}) is None
    assert hello.read({"refused": "stale", "epoch": True}) is None
    assert hello.read({"refused": "stale", "epoch": 3}) == hello.Refusal("stale", 3)
