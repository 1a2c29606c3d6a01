"""A node is gone: others have its calls and registrations within seconds, and both phones of a call know it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.actors.apart import Nodes, address
from tests.actors.together import PASSWORD, listening, run, switch, until
from tests.interop.agent import Agent, Call

TWO: dict[str, Any] = {"media": {"gateways": 2}, "members": {"node_silent": 0.5, "host_silent": 1.0}}
"""Settings of two nodes, whose Switchboard does not wait for long."""
SECONDS = 5.0
POOL = {kind: {"placement": "pool", "pool": 2} for kind in ("call", "registration")}


def two_nodes() -> dict[str, Any]:
    return {"sip": listening(2)} | TWO


async def begin(caller: Agent, callee: Agent) -> tuple[Call, Call]:
    """A call that is up."""
    a = await asyncio.to_thread(caller.dial, "100", PASSWORD, "101", 30000)
    b = await asyncio.to_thread(callee.incoming.get, timeout=5)
    return a, b


@pytest.mark.parametrize("actors", [{}, POOL], ids=["gateway", "pool"])
def test_calls_and_registrations_of_a_dead_node_are_elsewhere(tmp_path: Path, actors: dict[str, Any]) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, actors=actors, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            callee, caller = together.phone_at(1), together.phone_at(1)
            await asyncio.to_thread(callee.register, "101", PASSWORD)
            a, b = await begin(caller, callee)
            assert address(1) in a.target and address(1) in b.target
            await until(lambda: together.calls() == 1)
            dead = time.monotonic()
            await together.cut(1)
            for end in (a, b):
                assert await asyncio.to_thread(end.moved.wait, SECONDS), "nobody has told this phone"
                assert address(0) in end.target
            assert time.monotonic() - dead < SECONDS
            await until(lambda: together.registrations() == 1)
            again, other = await begin(together.phone_at(0), callee)
            for one, peer in ((a, b), (other, again)):
                assert (await asyncio.to_thread(one.bye)).status == 200
                assert await asyncio.to_thread(peer.ended.wait, 5)
            await until(lambda: len(together.records()) == 2)
            assert {(row["sip_status"], row["release_side"]) for row in together.records()} == {(200, "a"), (200, "b")}
            await until(lambda: together.status("m0")["sessions"] == 0)

    run(main, tmp_path)


def test_a_side_that_was_reached_through_a_dead_node_is_reached_through_ours(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            callee, caller = together.phone_at(1), together.phone_at(0)
            await asyncio.to_thread(callee.register, "101", PASSWORD)
            a, b = await begin(caller, callee)
            assert address(0) in a.target and address(1) in b.target
            await together.cut(1)
            assert await asyncio.to_thread(b.moved.wait, SECONDS), "nobody has told this phone"
            assert address(0) in b.target
            assert not a.moved.is_set(), "nothing is new for this one"
            assert (await asyncio.to_thread(b.bye)).status == 200
            assert await asyncio.to_thread(a.ended.wait, 5)

    run(main, tmp_path)
