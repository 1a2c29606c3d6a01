"""Half calls between calls of two processes: what one sends is an event of the other, and back."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from actors.host import Host, Kind
from actors.inside import Inside
from actors.link import Links
from actors.reference import Ref
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.events import Replacing
from rayswitch.calls.inside import towards
from rayswitch.sip.events import AckReceived, CancelReceived, RequestReceived, ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, respond
from tests.actors.together import run, until

HOSTS = ["s0", "s1"]
IDS = {host: Identifiers(host, os.urandom) for host in HOSTS}


class Silent:
    """A call that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def handle(self, event: Any, now: float) -> list[Any]:
        del now
        self.heard.append(event)
        return []


class Side:
    """A process with one call."""

    def __init__(self, name: str, where: Path) -> None:
        loop = asyncio.get_running_loop()
        self.links = Links(name, 1, where)
        wheel = Wheel(loop)
        self.host = Host(name, self.links, wheel, loop.time)
        self.host.define("call", Kind(perform=lambda id, effect: None))
        self.call, self.id = Silent(), IDS[name].call()
        self.host.adopt("call", self.id, self.call)
        self.inside = Inside("call", self.host, wheel, lambda id: Ref("call", id, id[:2]) if id else None)


def request(method: str, to: str = "") -> Request:
    rows = [("from", '"Alice" <sip:100@example.com>;tag=x'), ("to", f"<sip:300@example.com>{to}"), ("call-id", "c")]
    return Request.new(method, "sip:300@example.com", [*rows, ("cseq", f"1 {method}")])


def test_there_and_back(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        near, far = Side("s0", where), Side("s1", where)
        for side in (near, far):
            await side.links.start()
            side.links.connect(HOSTS)
        await until(lambda: near.links.alive("s1") and far.links.alive("s0"))
        flow, back = towards(far.id, 6), towards(near.id, 6)
        for effect in (
            fx.SendRequest("s0", 1, request("INVITE"), flow),
            fx.SendRequest("s0", 2, request("INFO", ";tag=y"), flow),
            fx.CancelRequest("s0", 1, flow, "why"),
            fx.SendAck("s0", request("ACK", ";tag=y"), flow),
        ):
            near.inside.perform(near.id, effect)
        await until(lambda: len(far.call.heard) == 4)
        invited, asked, cancelled, acknowledged = far.call.heard
        assert isinstance(invited, Replacing) and (invited.caller, invited.name) == ("100", "Alice")
        assert isinstance(asked, RequestReceived) and asked.flow == invited.flow == back
        assert isinstance(cancelled, CancelReceived) and cancelled.reason == "why"
        assert list(cancelled.server) == list(invited.server)
        assert isinstance(acknowledged, AckReceived)
        answer = respond(invited.request, 200, to_tag="y")
        far.inside.perform(far.id, fx.Respond(invited.server, answer))
        far.inside.perform(far.id, fx.RepeatAnswer("", answer, back))
        await until(lambda: len(near.call.heard) == 2)
        assert [(type(event), event.key) for event in near.call.heard] == [(ResponseReceived, 1), (ResponseReceived, 0)]
        for side in (near, far):
            await side.links.close()

    run(main, tmp_path)


def test_a_call_that_there_is_not(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        near = Side("s0", where)
        near.inside.perform(near.id, fx.SendRequest("s0", 1, request("INVITE"), towards("", 4)))
        assert [type(event) for event in near.call.heard] == [Unreachable]

    run(main, tmp_path)


def test_one_that_does_not_answer(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("actors.inside.SECONDS", 0.01)

    async def main(where: Path) -> None:
        near = Side("s0", where)
        await near.links.start()
        near.inside.perform(near.id, fx.SendRequest("s0", 1, request("INVITE"), towards(IDS["s1"].call(), 4)))
        await until(lambda: [type(event) for event in near.call.heard] == [TimedOut])
        await near.links.close()

    run(main, tmp_path)
