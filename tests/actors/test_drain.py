"""A node is taken out of service: nothing new, nothing lost, and at the deadline its calls are elsewhere."""

import asyncio
import time
from pathlib import Path

import pytest

from actors.link import LinkError
from actors.switchboard import Switchboard
from rayswitch.members import DRAINING, LEAVING, UP
from tests.actors.apart import Nodes, address
from tests.actors.test_takeover import SECONDS, begin, two_nodes
from tests.actors.together import PASSWORD, run, switch, until


def board(together: Nodes) -> Switchboard:
    found = together.processes["sw"]
    assert isinstance(found, Switchboard)
    return found


def states(together: Nodes, host: str) -> set[str]:
    """Of that host, as everybody has it."""
    feeds = [feed for name, feed in together.feeds.items() if name[0] != "m"]
    return {feed.members.state(host) for feed in feeds}


async def drain(together: Nodes, node: int, seconds: float | None) -> None:
    await board(together).nodes.drain({"node": f"n{node}", "seconds": seconds})
    await until(lambda: states(together, f"s{node}") <= {DRAINING, LEAVING})


def test_new_calls_and_registrations_go_on_elsewhere_and_old_calls_end_by_themselves(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            callee, caller = together.phone_at(1), together.phone_at(1)
            await asyncio.to_thread(callee.register, "101", PASSWORD)
            old = await begin(caller, callee)
            await drain(together, 1, None)
            await until(lambda: together.status("s1")["registrations"] == 0)
            await asyncio.to_thread(together.phone_at(1).register, "102", PASSWORD)
            new = await begin(caller, callee)
            assert [address(0) in end.target for end in new] == [True, True]
            await until(lambda: together.status("s0")["calls"] == 1)
            for a, b in (new, old):
                assert (await asyncio.to_thread(b.bye)).status == 200
                assert await asyncio.to_thread(a.ended.wait, SECONDS)
            await until(lambda: together.status("s1")["calls"] == 0 == together.status("m1")["sessions"])
            await until(lambda: len(together.records()) == 2)
            assert {row["sip_status"] for row in together.records()} == {200}
            await board(together).nodes.undrain({"node": "n1"})
            await until(lambda: states(together, "s1") == {UP})
            await until(lambda: together.registrations() == 2)
            a, b = await begin(caller, callee)
            await until(lambda: together.status("s1")["calls"] == 1)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_at_the_deadline_calls_move_while_people_talk(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            callee, caller = together.phone_at(1), together.phone_at(1)
            await asyncio.to_thread(callee.register, "101", PASSWORD)
            ends = await begin(caller, callee)
            begun = time.monotonic()
            await drain(together, 1, 0.5)
            for end in ends:
                assert await asyncio.to_thread(end.moved.wait, SECONDS), "nobody has told this phone"
                assert address(0) in end.target
            assert 0.4 < time.monotonic() - begun < SECONDS
            await until(lambda: together.status("s1")["calls"] == 0 == together.status("m1")["sessions"])
            (row,) = (await board(together).nodes.nodes({}),)
            assert [one["state"] for one in row] == [UP, LEAVING]
            await together.cut(1)
            assert (await asyncio.to_thread(ends[0].bye)).status == 200
            assert await asyncio.to_thread(ends[1].ended.wait, SECONDS)
            await until(lambda: len(together.records()) == 1)
            assert together.records()[0]["sip_status"] == 200

    run(main, tmp_path)


def test_a_call_that_rings_at_the_deadline_moves_when_it_is_answered(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            callee, caller = together.phone_at(1), together.phone_at(1)
            await asyncio.to_thread(callee.register, "101", PASSWORD)
            callee.patience = 1.5
            talking = asyncio.create_task(begin(caller, callee))
            await until(lambda: together.status("s1")["calls"] == 1)
            await drain(together, 1, 0.0)
            for end in await talking:
                assert await asyncio.to_thread(end.moved.wait, SECONDS), "nobody has told this phone"
            await until(lambda: together.status("s1")["calls"] == 0 == together.status("m1")["sessions"])

    run(main, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("n7", "there is no node n7; nodes: 127.0.0.2, 127.0.0.3"), ("n", "several nodes begin with n")],
)
def test_a_node_that_nobody_knows_is_named_with_those_that_there_are(tmp_path: Path, name: str, text: str) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            with pytest.raises(LinkError, match=text):
                await board(together).nodes.drain({"node": name})

    run(main, tmp_path)


def test_the_last_node_cannot_be_drained(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Nodes, **two_nodes()) as together:
            assert isinstance(together, Nodes)
            await drain(together, 1, None)
            with pytest.raises(LinkError, match="m0 cannot be drained: no other host of its kind is up"):
                await board(together).nodes.drain({"node": "127.0.0.2"})

    run(main, tmp_path)
