"""The other gateways over real links: hand over, send for, ask about a CANCEL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import peers as peers_module
from actors.link import Links
from actors.peers import LinkPeers
from rayswitch.members import Members
from rayswitch.sip.flow import Flow
from tests.actors.together import run, until

NAMES = ("s0", "s1", "s2")
FLOW = Flow("TCP", ("::1", 5060), ("::1", 4444), "s1", 7)
RAW = b"BYE \xff\x00"


class Gateway:
    """What a LinkPeers serves, and what it was asked."""

    def __init__(self, name: str, where: Path) -> None:
        self.links = Links(name, 1, where)
        self.peers = LinkPeers(name, self.links)
        self.peers.follow(Members.expected(list(NAMES)))
        self.heard: list[tuple[Any, ...]] = []
        self.cancels: Any = False
        self.peers.serve(
            lambda data, flow, names: self.heard.append(("forward", data, flow, *names)),
            lambda flow, data: self.heard.append(("send", data, flow)),
            self.cancel,
        )

    def cancel(self, data: bytes, flow: Flow) -> bool:
        self.heard.append(("cancel", data, flow))
        if isinstance(self.cancels, Exception):
            raise self.cancels
        return bool(self.cancels)


@asynccontextmanager
async def three(where: Path) -> AsyncIterator[list[Gateway]]:
    made = [Gateway(name, where) for name in NAMES]
    for one in made:
        await one.links.start()
        one.links.connect(NAMES)
    await until(lambda: all(len(one.links.peers()) == 2 for one in made))
    try:
        yield made
    finally:
        for one in made:
            await one.links.close()


def play(where: Path, body: Callable[[list[Gateway]], Awaitable[None]]) -> None:
    async def main(where: Path) -> None:
        async with three(where) as made:
            await body(made)

    run(main, where)


def test_octets_and_flows_arrive_as_they_are_and_in_order(tmp_path: Path) -> None:
    async def body(made: list[Gateway]) -> None:
        for turn in range(50):
            made[0].peers.forward("s1", RAW + str(turn).encode(), FLOW)
            made[0].peers.send("s1", FLOW, RAW)
        await until(lambda: len(made[1].heard) == 100)
        assert made[1].heard[::2] == [("forward", RAW + str(turn).encode(), FLOW) for turn in range(50)]
        assert set(made[1].heard[1::2]) == {("send", RAW, FLOW)}
        assert isinstance(made[1].heard[0][2], Flow) and isinstance(made[1].heard[0][2].remote, tuple)
        assert not made[2].heard
        made[0].peers.forward("s1", RAW, FLOW, ("sip.example.com",))
        await until(lambda: made[1].heard[-1] == ("forward", RAW, FLOW, "sip.example.com"))

    play(tmp_path, body)


def test_only_other_gateways_that_are_up_are_alive(tmp_path: Path) -> None:
    async def body(made: list[Gateway]) -> None:
        ask = made[0].peers.alive
        assert [ask(name) for name in ("s0", "s1", "s2", "s3", "m0", "")] == [False, True, True, False, False, False]
        await made[1].links.close()
        await until(lambda: not ask("s1"))

    play(tmp_path, body)


def test_a_cancel_is_found_wherever_its_invite_is(tmp_path: Path) -> None:
    async def body(made: list[Gateway]) -> None:
        assert not await made[0].peers.cancel(RAW, FLOW)
        assert made[1].heard == made[2].heard == [("cancel", RAW, FLOW)]
        made[2].cancels = True
        assert await made[0].peers.cancel(RAW, FLOW)
        made[1].cancels = ValueError("as told")
        assert await made[0].peers.cancel(RAW, FLOW), "one that fails does not hide one that knows"
        made[2].cancels = False
        assert not await made[0].peers.cancel(RAW, FLOW)

    play(tmp_path, body)


def test_a_cancel_does_not_wait_for_who_is_silent_or_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "ASK_SECONDS", 0.1)

    async def body(made: list[Gateway]) -> None:
        silent = asyncio.Event()
        made[1].links.on("sip.cancel", lambda peer, payload: silent.wait())
        assert not await made[0].peers.cancel(RAW, FLOW)
        for gateway in made[1:]:
            await gateway.links.close()
        await until(lambda: not made[0].links.peers())
        assert not await made[0].peers.cancel(RAW, FLOW)

    play(tmp_path, body)


def test_the_only_gateway_has_nobody_to_ask(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        alone = LinkPeers("s0", Links("s0", 1, where))
        assert alone.alone() and not await alone.cancel(RAW, FLOW)

    run(main, tmp_path)
