"""A transaction layer under invented time, and the messages that tests feed it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from rayswitch.sip.effects import Deliver, StartTimer, Transmit
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.machine import Timers
from rayswitch.sip.message import Request, Response, parse, respond, validate
from rayswitch.sip.transactions import TransactionLayer

HERE: Address = ("192.0.2.1", 5060)
THERE: Address = ("192.0.2.9", 5062)
UDP = Flow("UDP", HERE, THERE)
TCP = Flow("TCP", HERE, THERE, "s0", 1)


class Clock:
    """Time that passes when told to; what is due at the same time happens in the order it was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = itertools.count()

    def after(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.waiting, (self.now + delay, next(self.serial), action))

    def run(self, seconds: float = float("inf")) -> None:
        """Let `seconds` pass; without an argument, until nothing waits any more."""
        end = self.now + seconds
        while self.waiting and self.waiting[0][0] <= end:
            self.now, _, action = heapq.heappop(self.waiting)
            action()
        if seconds != float("inf"):
            self.now = end


class Station:
    """One layer with its clock.  `sent` is [(time, flow, message)], `events` what its user was told."""

    def __init__(self, owner: str = "s0", clock: Clock | None = None, timers: Timers | None = None) -> None:
        counter = itertools.count(1)
        ids = Identifiers(owner, lambda size: next(counter).to_bytes(size, "big"))
        self.layer = TransactionLayer(ids, timers)
        self.clock = clock or Clock()
        self.sent: list[tuple[float, Flow, Any]] = []
        self.events: list[Any] = []
        self.wire: Callable[[Flow, bytes], None] = lambda flow, data: None
        self.user: Callable[[Any], None] = lambda event: None

    def perform(self, effects: list[Any]) -> list[Any]:
        for effect in effects:
            if isinstance(effect, Transmit):
                self.sent.append((self.clock.now, effect.flow, parse(effect.data)))
                self.wire(effect.flow, effect.data)
            elif isinstance(effect, StartTimer):
                self.clock.after(effect.delay, lambda timer=effect.timer: self.expired(timer))
            else:
                assert isinstance(effect, Deliver)
                self.events.append(effect.event)
                self.user(effect.event)
        return effects

    def expired(self, timer: tuple[Any, ...]) -> None:
        self.perform(self.layer.expired(timer, self.clock.now))

    def receive(self, message: Request | Response | bytes, flow: Flow = UDP) -> list[Any]:
        """As from the wire: encoded, parsed and validated anew."""
        data = message if isinstance(message, bytes) else message.encode()
        fresh = parse(data)
        validate(fresh)
        return self.perform(self.layer.receive(fresh, flow, self.clock.now))

    def request(self, key: Any, message: Request, flow: Flow = UDP) -> Request:
        """Send it; the message as it went out."""
        self.perform(self.layer.request(key, message, flow, self.clock.now))
        return parsed_request(message.encode())

    def respond(self, server: int, response: Response) -> list[Any]:
        return self.perform(self.layer.respond(server, response, self.clock.now))

    def cancel(self, key: Any, reason: str | None = None) -> list[Any]:
        return self.perform(self.layer.cancel(key, self.clock.now, reason))

    def fail(self, flow: Flow = UDP) -> list[Any]:
        return self.perform(self.layer.failed(flow, self.clock.now))

    def take_sent(self) -> list[Any]:
        """The messages sent since the last look."""
        messages = [message for _, _, message in self.sent]
        self.sent.clear()
        return messages

    def take_events(self) -> list[Any]:
        """The events told since the last look."""
        events = self.events.copy()
        self.events.clear()
        return events

    def times(self) -> list[float]:
        """When something was sent."""
        return [time for time, _, _ in self.sent]

    @property
    def idle(self) -> bool:
        """Is no transaction left in any table?"""
        layer = self.layer
        tables = (layer.machines, layer.clients, layer.servers, layer.invites, layer.merges, layer.unanswered)
        return not any(tables)


def incoming(method: str = "INVITE", **changes: str | None) -> Request:
    """A request from THERE.  Keywords are header names with `_` for `-`; None removes; `uri` is the Request-URI."""
    uri = changes.pop("uri", None) or "sip:101@rayswitch.local"
    headers = {
        "via": "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKpeer1;rport",
        "max-forwards": "70",
        "from": '"Alice" <sip:100@rayswitch.local>;tag=fromtag',
        "to": "<sip:101@rayswitch.local>",
        "call-id": "call-1@192.0.2.9",
        "cseq": f"1 {method}",
        "contact": "<sip:100@192.0.2.9:5062>",
    }
    headers |= {name.rstrip("_").replace("_", "-"): value for name, value in changes.items()}
    return Request.new(method, uri, [(name, value) for name, value in headers.items() if value is not None])


def outgoing(method: str = "INVITE", *more: tuple[str, str]) -> Request:
    """A request of ours, still without Via."""
    return Request.new(
        method,
        "sip:100@192.0.2.9:5062",
        [
            *more,
            ("max-forwards", "70"),
            ("from", "<sip:101@rayswitch.local>;tag=ours"),
            ("to", "<sip:100@rayswitch.local>"),
            ("call-id", "ours-1"),
            ("cseq", f"7 {method}"),
            ("contact", "<sip:s0.000000000001@192.0.2.1:5060>"),
        ],
    )


def answer(request: Request, status: int, tag: str | None = "peer") -> Response:
    """A peer's response to a request of ours."""
    return respond(request, status, to_tag=None if status == 100 else tag)


def parsed_request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def opened(request: Request, flow: Flow = UDP) -> tuple[Station, RequestReceived]:
    """A station that has just been told of `request`."""
    station = Station()
    station.receive(request, flow)
    (event,) = station.take_events()
    assert isinstance(event, RequestReceived)
    return station, event
