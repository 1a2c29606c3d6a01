"""Links over TCP and TLS between nodes: who may, who may not, what an attacker on the wire gets."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from actors import connection
from tests.actors.nodes import cluster, run, until


def test_hosts_on_two_nodes_talk_by_tls_and_those_on_one_by_unix(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "m0", "s1") as nodes:
            s0, m0, s1 = nodes.hosts.values()
            seen: list[Any] = []
            for one in (m0, s1):
                one.on("note", lambda peer, payload: seen.append(payload))
                one.on("double", lambda peer, payload: payload * 2)
            for number in range(500):
                s0.tell("s1", "note", number)
            assert await s0.ask("s1", "double", 21) == 42
            assert await s0.ask("m0", "double", "a") == "aa"
            assert seen == list(range(500))
            peers = s0.status()["peers"]
            assert (peers["s1"]["over"], peers["m0"]["over"]) == ("tls", "unix")
            assert (peers["s1"]["frames_out"], peers["s1"]["frames_in"]) >= (502, 2)
            assert peers["s1"]["bytes_out"] > 500 * 10
            total = {name: peers["s1"][name] + peers["m0"][name] for name in ("frames_out", "bytes_in", "up")}
            assert s0.status(0)["peers"] == {}
            assert total.items() <= s0.status(0)["total"].items()
            assert s0.status()["listens"].startswith("tls://127.0.0.1:")

    run(main, tmp_path)


def test_both_nodes_dial_at_once_and_one_connection_remains(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            seen: dict[str, list[int]] = {"s0": [], "s1": []}
            for one in nodes.hosts.values():
                one.on("note", lambda peer, payload: seen[peer].append(payload))
            for number in range(50):
                nodes.hosts["s0"].tell("s1", "note", number)
                nodes.hosts["s1"].tell("s0", "note", number)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            await until(lambda: len(seen["s0"]) == len(seen["s1"]) == 50)
            assert seen["s0"] == seen["s1"] == list(range(50))
            assert [links.status()["peers"] != {} for links in nodes.hosts.values()] == [True, True]

    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        run(main, folder)


def test_big_frames_cross_whole(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s1.on("echo", lambda peer, payload: payload)
            for size in (1, 16_383, 16_384, 16_385, 65_536, 100_001, 5_000_000):
                content = random.Random(size).randbytes(size)
                assert await s0.ask("s1", "echo", content) == content
            burst = [random.Random(size).randbytes(size % 3000) for size in range(400)]
            answers = await asyncio.gather(*(s0.ask("s1", "echo", content) for content in burst))
            assert answers == burst

    run(main, tmp_path)


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKLOG", 100_000)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s1.on("echo", lambda peer, payload: payload)
            await s0.ask("s1", "echo", 0)
            downs: list[str] = []
            s0.on_down(downs.append)
            transport = s1.peering.peers()[0].connection._transport._transport  # type: ignore[union-attr]
            transport.pause_reading()
            for _ in range(400):
                s0.tell("s1", "echo", bytes(100_000))
                await asyncio.sleep(0)
            await until(lambda: downs == ["s1"])
            await until(lambda: s0.alive("s1"))

    run(main, tmp_path)


def test_the_number_of_connections_does_not_grow_with_the_traffic(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1", "m0") as nodes:
            for one in nodes.hosts.values():
                one.on("echo", lambda peer, payload: payload)
                one.connect(nodes.hosts)
            await until(lambda: all(len(one.peers()) == 2 for one in nodes.hosts.values()))
            for load in (1, 3000):
                asks = [a.ask(b, "echo", 0) for a in nodes.hosts.values() for b in nodes.hosts for _ in range(load)]
                await asyncio.gather(*asks)
                peers = [peer for one in nodes.hosts.values() for peer in one.status()["peers"].values()]
                assert [peer["connects"] for peer in peers] == [1] * 6

    run(main, tmp_path)
