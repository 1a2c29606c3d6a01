"""Which lines and trunks are at work at a gateway, and what becomes of them when their records change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.outside.lines import Lines
from actors.outside.peer import Ground
from actors.placement import Placement
from rayswitch.lines.resolving import Server
from rayswitch.members import UP, Member, Members
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.events import ResponseReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, respond

ONE = Line(name="one", user="4100", registrar="sip:198.51.100.7", target="100")
PEER = Trunk(name="peer", server="sip:198.51.100.8")


class Room:
    """A gateway at which all lines and trunks are at home; what they send, and the alarms that are up."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, Request]] = []
        self.alarms: dict[str, str] = {}
        here = SimpleNamespace(outline=self.flow, flow_to=self.flow)
        ids = Identifiers("s0", lambda size: len(self.sent).to_bytes(size, "big"))
        gateway = SimpleNamespace(clock=lambda: 0.0, sockets=here, layer=SimpleNamespace(ids=ids), request=self.request)
        alarms = SimpleNamespace(
            up=lambda key, what, remedy: self.alarms.update({key: what}), down=lambda key, what: self.alarms.pop(key, 0)
        )
        wheel = SimpleNamespace(start=lambda *timer: None)
        ground = Ground("s0", cast(Any, gateway), cast(Any, self), cast(Any, wheel), cast(Any, alarms), ["UDP"], [4])
        self.lines = Lines(ground, Placement(["s0"]))

    def move(self, node: str) -> None:
        """To a gateway on that node, whose own is "here"."""
        hosts = {host: Member(host, where, state=UP) for host, where in (("s0", "here"), ("s1", node))}
        self.lines.placement.hosts = ["s1"]
        self.lines.moved(Members(hosts=hosts))

    def flow(self, transport: str, remote: tuple[str, int]) -> Flow:
        return Flow(transport, ("192.0.2.1", 5060), remote)

    def request(self, key: Any, request: Request, flow: Flow) -> None:
        self.sent.append((key, request))

    async def servers_of(self, uri: Any, *rest: Any) -> tuple[list[Server], float]:
        return [Server("UDP", uri.host, 5060)], 60.0

    async def changed(self, record: Line | Trunk | None, kind: type = Line) -> None:
        key = "one" if kind is Line else "peer"
        self.lines.changed([(kind, (key,), record)])
        for _ in range(3):
            await asyncio.sleep(0)

    def answer(self, index: int, status: int = 200) -> None:
        """To one of the requests, with the contact that it asked for."""
        key, request = self.sent[index]
        contact = [("contact", f"{request.get('contact')}")] if status == 200 else []
        self.lines.event(ResponseReceived(key, respond(request, status, headers=contact), cast(Any, None)))

    @property
    def states(self) -> list[str]:
        return [row[1] for row in self.lines.rows()]


def run(story: Callable[[Room], Awaitable[None]]) -> None:
    async def told() -> None:
        await story(Room())

    asyncio.run(told())


def test_a_record_that_registers_as_before_goes_on_registered() -> None:
    async def story(room: Room) -> None:
        await room.changed(ONE)
        room.answer(0)
        assert room.states == ["up"]
        await room.changed(replace(ONE, no_answer=15.0, max_outgoing=3))
        assert room.states == ["up"] and len(room.sent) == 1
        place = room.lines.place("line/one", "100", "555")
        assert isinstance(place, list) and (place[0].no_answer, place[1]) == (15.0, 3)

    run(story)


def test_one_that_registers_otherwise_does_not_remove_what_its_first_register_replaces() -> None:
    async def story(room: Room) -> None:
        await room.changed(ONE)
        room.answer(0)
        await room.changed(replace(ONE, register_same_dialog="false"))
        first, second = (request for _, request in room.sent)
        assert second.get("contact") == first.get("contact") and second.call_id != first.call_id
        room.answer(1)
        assert room.states == ["up"]

    run(story)


def test_one_at_another_registrar_is_removed_at_the_first() -> None:
    async def story(room: Room) -> None:
        await room.changed(ONE)
        room.answer(0)
        await room.changed(replace(ONE, registrar="sip:198.51.100.9"))
        assert [(request.uri, request.get("expires")) for _, request in room.sent[1:]] == [
            ("sip:198.51.100.7", "0"),
            ("sip:198.51.100.9", "3600"),
        ]

    run(story)


def test_a_late_answer_to_the_former_one_is_none() -> None:
    async def story(room: Room) -> None:
        await room.changed(ONE)
        await room.changed(replace(ONE, secret="another"))
        room.answer(0)
        assert room.states == ["down"]
        room.answer(1)
        assert room.states == ["up"]

    run(story)


@pytest.mark.parametrize(("node", "removed"), [("here", False), ("there", True)])
def test_a_line_whose_home_is_elsewhere_is_left_to_a_neighbour(node: str, removed: bool) -> None:
    """On the same machine the contact is the same: removed late it would be gone for the new home, too."""

    async def story(room: Room) -> None:
        await room.changed(ONE)
        room.answer(0)
        room.move(node)
        assert room.states == [] and [request.get("expires") for _, request in room.sent[1:]] == ["0"] * removed

    run(story)


def test_a_line_that_is_no_more_leaves_no_alarm() -> None:
    async def story(room: Room) -> None:
        await room.changed(ONE)
        room.answer(0, 404)
        assert list(room.alarms) == ["line/one"]
        await room.changed(None)
        assert not room.alarms and room.states == []

    run(story)


def test_a_trunk_that_is_where_it_was_goes_on() -> None:
    async def story(room: Room) -> None:
        await room.changed(PEER, Trunk)
        before = room.lines.at_work["trunk/peer"]
        await room.changed(replace(PEER, no_answer=15.0), Trunk)
        assert room.lines.at_work["trunk/peer"] is before
        place = room.lines.place("trunk/peer", "100", "555")
        assert isinstance(place, list) and place[0].no_answer == 15.0
        await room.changed(replace(PEER, server="sip:198.51.100.9"), Trunk)
        assert room.lines.at_work["trunk/peer"] is not before and before.closed

    run(story)


def test_one_that_is_at_home_elsewhere_has_no_place_here() -> None:
    made = Lines(cast(Ground, SimpleNamespace(me="s0")), Placement(["s1"]))
    made.changed([(Line, ("one",), ONE)])
    assert made.place("line/one", "100", "555") == "line/one does not exist, or has no server"
