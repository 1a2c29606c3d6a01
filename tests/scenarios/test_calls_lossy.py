"""Whole calls through the switch's own transactions, over networks that lose, double and reorder datagrams."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.calls import effects as fx
from rayswitch.calls.call import Call, Settings
from rayswitch.calls.events import Invited, Located, MediaFigures, MediaReserved, Routed, TimerFired
from rayswitch.calls.routing.route import Route
from rayswitch.sip.events import AckReceived, CancelReceived, RequestReceived, TimedOut, Unreachable
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import tag_parts
from rayswitch.sip.message import Request, Response, respond
from rayswitch.sip.transactions import via_of
from tests.rayswitch.sip.station import Station
from tests.scenarios.agents import Callee, Caller, assert_nothing_left
from tests.scenarios.network import ALICE, BOB, NETWORKS, PROXY, Network
from tests.scenarios.switchroom import sdp

TO_SWITCH = Flow("UDP", ALICE, PROXY)
TO_BOB = Flow("UDP", PROXY, BOB)
SDP_ROW = ("content-type", "application/sdp")


class Switch:
    """Calls over one transaction layer, without actors: everything else answers at once."""

    def __init__(self, station: Station) -> None:
        self.station = station
        station.user = self.told
        self.calls: dict[str, Call] = {}
        self.invites: dict[int, str] = {}
        self.rows: list[dict[str, Any]] = []

    def told(self, event: Any) -> None:
        if isinstance(event, RequestReceived):
            self.request(event)
        elif isinstance(event, CancelReceived):
            self.feed(self.invites[event.server], CancelReceived(("s0", event.server)))
        elif isinstance(event, AckReceived):
            self.feed(owner(event.request), event)
        elif event.key is not None:
            call, event.key = event.key
            self.feed(call, type(event)(event.key) if isinstance(event, TimedOut | Unreachable) else event)
        else:
            parts = tag_parts(event.response.from_.tag or "")
            self.feed(parts[0] if parts else "", event)

    def request(self, event: RequestReceived) -> None:
        server = ("s0", event.server)
        if event.request.to.tag:
            if owner(event.request) in self.calls:
                self.feed(owner(event.request), RequestReceived(server, event.request, event.flow))
            else:
                self.station.respond(event.server, respond(event.request, 481))
            return
        id = self.station.layer.ids.call()
        self.calls[id] = Call(id, Settings("example.com"), self.station.layer.ids, 0.0)
        self.invites[event.server] = id
        self.feed(id, Invited(server, event.request, event.flow, "100", "", "bob", "100"))

    def feed(self, id: str, event: Any) -> None:
        call = self.calls.get(id)
        for effect in call.handle(event, self.station.clock.now) if call else ():
            self.perform(id, effect)

    def perform(self, id: str, effect: Any) -> None:
        """Media and location are elsewhere and quick."""
        clock, station = self.station.clock, self.station
        if isinstance(effect, fx.Respond):
            station.respond(effect.server[1], effect.response)
        elif isinstance(effect, fx.SendRequest):
            station.request((id, effect.key), effect.request, effect.flow)
        elif isinstance(effect, fx.CancelRequest):
            station.cancel((id, effect.key), effect.reason)
        elif isinstance(effect, fx.SendAck):
            ack = effect.request.copy()
            ack.prepend("via", via_of(effect.flow, station.layer.ids.branch()))
            station.wire(effect.flow, ack.encode())
        elif isinstance(effect, fx.StartTimer):
            clock.after(effect.delay, lambda: self.feed(id, TimerFired(effect.name, effect.data)))
        elif isinstance(effect, fx.FindRoute):
            route = Route("extension", "bob@example.com", "100", "bob")
            clock.after(0, lambda: self.feed(id, Routed("bob", route)))
        elif isinstance(effect, fx.Locate):
            clock.after(0, lambda: self.feed(id, Located([["sip:bob@192.0.2.2:5060", list(TO_BOB), []]], effect.aor)))
        elif isinstance(effect, fx.ReserveMedia):
            ports = [[20000 + 2 * number, "192.0.2.50"] for number in range(len(effect.families))]
            clock.after(0, lambda: self.feed(id, MediaReserved("m0", ports)))
        elif isinstance(effect, fx.ReleaseMedia) and effect.connected:
            clock.after(0, lambda: self.feed(id, MediaFigures([])))
        elif isinstance(effect, fx.Record):
            self.rows += effect.rows[:1]
        elif isinstance(effect, fx.Ended):
            del self.calls[id]


class Alice(Caller):
    """Calls with an offer."""

    def message(self) -> Request:
        request = super().message()
        request.add(*SDP_ROW)
        request.body = sdp("192.0.2.1")
        return request


class Bob(Callee):
    """Answers with a session."""

    def response(self, request: Request, flow: Flow, status: int) -> Response:
        response = super().response(request, flow, status)
        if status == 200:
            response.add(*SDP_ROW)
            response.body = sdp("192.0.2.2", 6000)
        return response


def owner(request: Request) -> str:
    parts = tag_parts(request.to.tag or "")
    return parts[0] if parts else ""


def scene(network: Network, **bob: Any) -> tuple[Alice, Bob, Switch]:
    switch = Switch(network.station("s0", PROXY))
    caller = Alice(network.station("s8", ALICE), TO_SWITCH)
    callee = Bob(network.station("s9", BOB), **bob)
    caller.station.user, callee.station.user = caller.told, callee.told
    return caller, callee, switch


def assert_all_over(caller: Alice, callee: Bob, switch: Switch) -> None:
    assert switch.calls == {} and len(switch.rows) == 1
    assert_nothing_left(caller.station, callee.station, switch.station)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("quality", NETWORKS)
def test_a_call_is_answered_and_ended_by_the_caller(quality: dict[str, Any], seed: int) -> None:
    network = Network(seed, **quality)
    caller, callee, switch = scene(network)
    caller.call()
    network.clock.run(45)
    caller.hang_up()
    network.clock.run()
    assert_all_over(caller, callee, switch)
    assert (caller.outcome, list(callee.invites.values())) == (200, [1]) and callee.ended
    assert (switch.rows[0]["sip_status"], switch.rows[0]["release_side"]) == (200, "a")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("quality", NETWORKS)
@pytest.mark.parametrize("patience", [0.2, 1.0, 2.0])
def test_a_caller_that_gives_up(quality: dict[str, Any], seed: int, patience: float) -> None:
    network = Network(seed, **quality)
    caller, callee, switch = scene(network, delay=1.5)
    caller.call()
    network.clock.after(patience, lambda: caller.station.cancel((caller.name, "INVITE")) and None)
    network.clock.run(45)
    caller.hang_up()
    network.clock.run()
    assert_all_over(caller, callee, switch)
    assert switch.rows[0]["sip_status"] == caller.outcome in (200, 487)
    assert callee.cancelled or callee.ended


def test_without_losses_nothing_is_sent_twice() -> None:
    network = Network()
    caller, callee, switch = scene(network)
    caller.call()
    network.clock.run(30)
    caller.hang_up()
    network.clock.run()
    assert_all_over(caller, callee, switch)
    assert caller.outcome == 200 and callee.ended and switch.rows[0]["duration"] == pytest.approx(29, abs=0.5)
    sent = [message.encode() for _, _, _, message, _ in network.log]
    assert len(sent) == len(set(sent)) == 12
