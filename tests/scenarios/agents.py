"""The least that a user agent does on top of its transactions and dialogs: RFC 3261 §13 and §15, as tests need it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rayswitch.sip.dialog import Dialog
from rayswitch.sip.events import (
    AckReceived,
    CancelReceived,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unreachable,
)
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import Request, Response, respond
from rayswitch.sip.transactions import via_of
from tests.rayswitch.sip.station import Station
from tests.scenarios.network import ALICE, BOB, UDP, Network


class Caller:
    """Calls once and acknowledges every 2xx; `outcome` is the final status, 0 for none in time."""

    def __init__(self, station: Station, flow: Flow, name: str = "call-1") -> None:
        self.station = station
        self.flow = flow
        self.name = name
        self.outcome: int | None = None
        self.finals = 0
        self.provisional: list[int] = []
        self.dialogs: dict[str, Dialog] = {}
        self.byes: Counter[int] = Counter()
        self.invite = self.message()

    def message(self) -> Request:
        host, port = self.flow.local
        return Request.new(
            "INVITE",
            "sip:bob@example.com",
            [
                ("max-forwards", "70"),
                ("from", f"<sip:alice@example.com>;tag={self.name}-a"),
                ("to", "<sip:bob@example.com>"),
                ("call-id", self.name),
                ("cseq", "1 INVITE"),
                ("contact", f"<sip:alice@{host}:{port}>"),
            ],
        )

    def call(self) -> None:
        self.station.request((self.name, "INVITE"), self.invite, self.flow)

    def hang_up(self) -> None:
        """BYE in every dialog that this call has made (§15.1.1)."""
        for tag, dialog in self.dialogs.items():
            self.station.request((self.name, "BYE", tag), dialog.request("BYE", None), way(self.flow, dialog))

    def told(self, event: Any) -> None:
        """An event of this call."""
        if isinstance(event, AckReceived | RequestReceived | CancelReceived):
            return
        if event.key is None or event.key[1] == "INVITE":
            self.invited(event)
        else:
            self.byes[event.response.status if isinstance(event, ResponseReceived) else 0] += 1

    def invited(self, event: ResponseReceived | TimedOut | Unreachable) -> None:
        if not isinstance(event, ResponseReceived):
            self.finals += 1
            self.outcome = 0
        elif event.response.status < 200:
            self.provisional.append(event.response.status)
        elif event.response.status < 300:
            self.outcome = event.response.status
            self.acknowledge(event.response)
        else:
            self.finals += 1
            self.outcome = event.response.status

    def acknowledge(self, response: Response) -> None:
        """§13.2.2.4: each 2xx, repeated ones too; the ACK goes past the transactions."""
        tag = response.to.tag or ""
        if tag not in self.dialogs:
            self.finals += 1
            self.dialogs[tag] = Dialog.uac(self.invite, response)
        ack = self.dialogs[tag].ack(1)
        flow = way(self.flow, self.dialogs[tag])
        ack.prepend("via", via_of(flow, self.station.layer.ids.branch()))
        self.station.wire(flow, ack.encode())


class Callee:
    """Rings, then answers `status` after `delay` seconds (None: never); repeats its 2xx until the ACK comes."""

    def __init__(self, station: Station, status: int = 200, delay: float | None = 1.0, rings: bool = True) -> None:
        self.station = station
        self.status = status
        self.delay = delay
        self.rings = rings
        self.invites: Counter[str] = Counter()
        self.dialogs: dict[str, Dialog] = {}
        self.open: dict[int, tuple[str, Request, Flow]] = {}
        self.acknowledged: set[str] = set()
        self.cancelled: set[str] = set()
        self.ended: set[str] = set()
        self.unacknowledged: set[str] = set()

    def told(self, event: Any) -> None:
        if isinstance(event, RequestReceived):
            (self.invited if event.request.method == "INVITE" else self.other)(event)
        elif isinstance(event, CancelReceived) and event.server in self.open:
            self.cancelled.add(self.open[event.server][0])
            self.final(event.server, 487)
        elif isinstance(event, AckReceived):
            self.acknowledged.add(event.request.call_id)

    def invited(self, event: RequestReceived) -> None:
        """Once for each call, however often its INVITE comes."""
        call = event.request.call_id
        self.invites[call] += 1
        self.open[event.server] = (call, event.request, event.flow)
        if self.rings:
            self.station.respond(event.server, self.response(event.request, event.flow, 180))
        if self.delay is not None:
            self.station.clock.after(self.delay, lambda: self.final(event.server, self.status))

    @property
    def tag(self) -> str:
        return f"{self.station.layer.ids.owner}-b"

    def response(self, request: Request, flow: Flow, status: int) -> Response:
        host, port = flow.local
        return respond(request, status, to_tag=self.tag, headers=[("contact", f"<sip:bob@{host}:{port}>")])

    def final(self, server: int, status: int) -> None:
        if server not in self.open:
            return
        call, request, flow = self.open.pop(server)
        response = self.response(request, flow, status)
        self.station.respond(server, response)
        if status < 300:
            self.dialogs[call] = Dialog.uas(request, self.tag)
            self.again(server, call, response, 0.5, 0.0)

    def again(self, server: int, call: str, response: Response, interval: float, waited: float) -> None:
        """§13.3.1.4: T1, doubling to T2, until the ACK; given up after 64 T1."""

        def due() -> None:
            if call in self.acknowledged:
                return
            if waited + interval >= 32:
                self.unacknowledged.add(call)
                return
            self.station.respond(server, response)
            self.again(server, call, response, min(2 * interval, 4.0), waited + interval)

        self.station.clock.after(interval, due)

    def other(self, event: RequestReceived) -> None:
        """BYE (§15.1.2)."""
        dialog = self.dialogs.get(event.request.call_id)
        if dialog is None or not dialog.matches(event.request):
            status = 481
        else:
            verdict = dialog.accept(event.request)
            status = 200 if verdict is True else verdict
            self.ended.add(event.request.call_id)
        self.station.respond(event.server, respond(event.request, status, to_tag=self.tag))


def way(flow: Flow, dialog: Dialog) -> Flow:
    """To the target of the dialog, which is an address in these tests."""
    host, _, port = dialog.target.rpartition("@")[2].partition(":")
    remote: Address = (host, int(port))
    return flow._replace(remote=remote)


def phones(network: Network, flow: Flow = UDP, **callee: Any) -> tuple[Caller, Callee]:
    """Alice, who calls, and Bob, who is called."""
    alice, bob = network.station("s0", ALICE), network.station("s1", BOB)
    caller, called = Caller(alice, flow), Callee(bob, **callee)
    alice.user, bob.user = caller.told, called.told
    return caller, called


def assert_nothing_left(*stations: Station) -> None:
    """No transaction is in any table."""
    for station in stations:
        assert station.idle, [(machine.state, machine.index) for machine in station.layer.machines.values()]
