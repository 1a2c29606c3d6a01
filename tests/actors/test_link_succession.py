"""A new connection in the place of one that stands: no frame is lost, doubled or out of order, and nobody notices."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from actors import peer
from actors.certificates import Authority
from tests.actors.nodes import Cluster, cluster, credentials, run, until


def trust(nodes: Cluster, signing: Authority, *trusted: Authority) -> None:
    """Everybody gets a certificate of `signing`, and believes `trusted`."""
    pems = [one.pem for one in trusted]
    for host, links in nodes.hosts.items():
        links.peering.sockets.credentials = credentials(signing, host, links.epoch, trusted=pems)


def test_traffic_goes_on_while_the_authority_is_replaced(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            hosts, old = nodes.hosts, nodes.authority
            seen: dict[str, list[int]] = {"s0": [], "s1": []}
            downs: list[str] = []
            for one in hosts.values():
                one.on("note", lambda peer, payload: seen[peer].append(payload))
                one.on("echo", lambda peer, payload: payload)
                one.on_down(downs.append)
            answers: list[Any] = []

            async def talk(me: str, other: str) -> None:
                for number in range(600):
                    hosts[me].tell(other, "note", number)
                    if number % 3 == 0:
                        answers.append(await hosts[me].ask(other, "echo", number))

            talks = [asyncio.create_task(talk("s0", "s1")), asyncio.create_task(talk("s1", "s0"))]
            for _ in range(4):
                await asyncio.sleep(0.02)
                new = Authority.new(time.time())
                trust(nodes, new, new, old)
                trust(nodes, new, new)
                for one in hosts.values():
                    one.peering.renew(lambda connection: connection.seen.issuer != new.name)  # noqa: B023
                await until(lambda: issuer(nodes) == {new.name})  # noqa: B023
                old = new
            await asyncio.gather(*talks)
            assert seen == {"s0": list(range(600)), "s1": list(range(600))}
            assert sorted(answers) == sorted([*range(0, 600, 3)] * 2)
            assert downs == []
            assert hosts["s0"].status()["peers"]["s1"]["connects"] == 5

    run(main, tmp_path)


def issuer(nodes: Cluster) -> set[str]:
    peers = [peer for links in nodes.hosts.values() for peer in links.peering.peers()]
    return {peer.connection.seen.issuer for peer in peers if peer.connection and peer.connection.seen}


def test_a_successor_that_cannot_be_had_leaves_the_link_as_it_is(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s1.on("echo", lambda peer, payload: payload)
            await s0.ask("s1", "echo", 0)
            nodes.detour("s0", "s1", ("127.0.0.8", 9))
            s0.peering.renew(lambda connection: True)
            await asyncio.sleep(0.1)
            assert await s0.ask("s1", "echo", 1) == 1
            assert s0.status()["peers"]["s1"]["connects"] == 1

    run(main, tmp_path)


def test_a_predecessor_that_does_not_end_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the old connection was somebody's who has the old authority's key."""
    monkeypatch.setattr(peer, "MOVED", b"")

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s1.on("note", lambda peer, payload: seen.append(payload))
            s1.on("echo", lambda peer, payload: payload)
            seen: list[Any] = []
            await s0.ask("s1", "echo", 0)
            old = s0.peering.peers()[0].connection
            assert old is not None
            s0.peering.renew(lambda connection: True)
            await until(lambda: s0.peering.peers()[0].connection is not old)
            begun = time.monotonic()
            s0.tell("s1", "note", "held for a while")
            await until(lambda: seen)
            assert 0.3 < time.monotonic() - begun < 2.5
            assert s0.alive("s1") and s1.alive("s0")

    run(main, tmp_path)


def test_whom_nobody_succeeds_is_cut(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s0, s1 = nodes.hosts.values()
            s1.on("echo", lambda peer, payload: payload)
            await s0.ask("s1", "echo", 0)
            assert s0.peering.cut(lambda connection: False) == []
            assert s0.peering.cut(lambda connection: True) == ["s1"]
            assert not s0.alive("s1")
            assert await s0.ask("s1", "echo", 1) == 1

    run(main, tmp_path)
