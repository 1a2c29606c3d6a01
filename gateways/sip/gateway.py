"""The SIP gateway: a thin shell around the transaction layer.

    octets → (STUN?) → parse → whose is it? → validate → layer → effects → octets, timers, events for the user

One exception barrier surrounds what comes from the network: a message can be refused or dropped and counted, it cannot
stop the process.  Requests go out over the flow they are given; one that is too large for a datagram goes over TCP when
the peer takes it (RFC 3261 §18.1.1), one whose connection is gone over a new one to the address in its Request-URI.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from gateways.sip.complaints import Complaints
from gateways.sip.flows import Flows
from gateways.sip.oversize import Oversize
from gateways.sip.peers import Peers
from gateways.sip.routing import REFUSABLE, taker
from gateways.sip.sockets import SipSockets
from gateways.sip.stun import binding_response, is_stun
from gateways.sip.trace import masked
from gateways.wheel import Wheel
from rayswitch.protection import Overload
from rayswitch.sip.effects import Deliver, StartTimer, Transmit
from rayswitch.sip.events import CancelUnmatched, RequestReceived, Unreachable
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Request, Response, parse, respond, validate
from rayswitch.sip.response_address import response_flow
from rayswitch.sip.transactions import TransactionLayer, via_of

log = logging.getLogger(__name__)

Tap = Callable[[float, str, Flow, str], None]
"""Sees (time, "in" or "out", flow, text without secrets) of every message."""

WATCH_SECONDS = 0.05
RETRY_AFTER = 5
"""Seconds after which somebody who was refused may come again, and once more as much for some."""
TRYING_SECONDS = 0.15
"""When the callee's phone rings sooner than that, its 180 says all that a 100 would."""


class SipGateway:
    """Shell of one transaction layer; `user(event, now)` is told what is new."""

    def __init__(
        self,
        id: str,
        layer: TransactionLayer,
        wheel: Wheel,
        clock: Callable[[], float],
        sockets: Callable[[SipGateway], SipSockets],
        peers: Peers | None = None,
    ) -> None:
        self.id = id
        self.layer = layer
        self.wheel = wheel
        self.clock = clock
        self.peers = peers
        self.sockets = sockets(self)
        self.flows = Flows(id, self.sockets, peers)
        self.oversize = Oversize(self.sockets)
        self.user: Callable[[Any, float], None] = lambda event, now: None
        self.doorkeeper: Callable[[Request, Flow, float], Response | None] = lambda request, flow, now: None
        """Answers a request without a transaction (§8.2.7), or lets it pass: asking who somebody is costs no state."""
        self.door_tag = ""
        """The To tag of those answers; their ACKs end here."""
        self.trace: set[Tap] = set()
        self.admits: Callable[[str, float], bool] | None = None
        """Which hosts to listen to at all; asked (host, now) before anything is parsed."""
        self.overload = Overload()
        self.watching = False
        """Is it being measured how late the loop is?"""
        self.received = self.sent = self.denied = self.malformed = self.forwarded_away = self.errors = 0
        self.complaints = Complaints()
        self.opening: dict[Any, list[str | None]] = {}
        """Requests that wait for a TCP connection, by key; with the reason of their CANCEL, if there was one."""
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind the sockets; OSError names what could not be bound."""
        await self.sockets.start()

    async def close(self) -> None:
        """Give the sockets back."""
        await self.sockets.close()
        for task in list(self.tasks):
            task.cancel()

    # -- in ------------------------------------------------------------------------------------------------------------

    def arrived(self, data: bytes, flow: Flow) -> None:
        """One datagram or framed message; no exception leaves here."""
        self.received += 1
        if self.admits is not None and not self.admits(flow.remote[0], self.clock()):
            self.denied += 1
            return
        self.guarded(data, flow, self.peers is None or self.peers.alone())

    def forwarded(self, data: bytes, flow: Flow, names: Sequence[str] = ()) -> None:
        """A message that another gateway found to be ours, of a sender whose certificate has these names."""
        self.flows.lent(flow, names)
        self.guarded(data, flow, True)

    def guarded(self, data: bytes, flow: Flow, ours: bool) -> None:
        """The barrier around everything that a message can cause."""
        try:
            self.take(data, flow, ours)
        except BadMessage as error:
            self.refuse(error, flow)
        except Exception:
            self.failed("a message from %s could not be handled", flow.remote)

    def take(self, data: bytes, flow: Flow, ours: bool) -> None:
        """Parse, find the owner, hand to the layer."""
        if is_stun(data):
            answer = binding_response(data, flow.remote)
            if answer is not None:
                self.sockets.send(flow, answer)
            return
        if len(data) <= 4 and not data.strip(b"\r\n\0"):
            return  # a keep-alive
        message = parse(data)
        if not ours and self.handed_over(message, data, flow):
            return
        if self.trace:
            self.tap("in", flow, data)
        now = self.clock()
        if isinstance(message, Request):
            if self.kept_out(message, flow, now):
                return
        else:
            validate(message)
        self.perform(self.layer.receive(message, flow, now), now)

    def kept_out(self, request: Request, flow: Flow, now: float) -> bool:
        """Validate a request; True when it was answered, or acknowledges an answer, without any state."""
        if request.method == "ACK" and request.to.tag == self.door_tag:
            return True
        validate(request)
        answer = self.overloaded(request, flow, now) or self.doorkeeper(request, flow, now)
        if answer is None:
            return False
        self.transmit(response_flow(request, flow), answer.encode())
        return True

    def overloaded(self, request: Request, flow: Flow, now: float) -> Response | None:
        """503 for what is new (§21.5.4), while too much waits to be served in time."""
        if request.method not in REFUSABLE or request.to.tag:
            return None
        if not self.watching:
            self.watch(now)
        if self.overload.delay <= self.overload.low or self.layer.knows(request):
            return None
        if not self.overload.refuses(request.has("proxy-authorization") or request.has("authorization")):
            return None
        request.stamp(*flow.remote)
        after = str(RETRY_AFTER + self.overload.refused % RETRY_AFTER)  # not all of them at once
        return respond(request, 503, "Overloaded", to_tag=self.door_tag, headers=[("retry-after", after)])

    def watch(self, now: float) -> None:
        """Look soon how late the loop is."""
        self.watching = True
        self.wheel.start(WATCH_SECONDS, self.look_at_the_clock, now + WATCH_SECONDS)

    def look_at_the_clock(self, due: float) -> None:
        """What keeps the loop is work that stands before every message.

        A loop that was late is looked at until it is not.
        """
        self.watching = False
        now = self.clock()
        self.overload.late(now - due)
        if self.overload.latest > self.overload.low:
            self.watch(now)

    def loaded(self, messages: int, seconds: float, waiting: float) -> None:
        """A listener has read what was there."""
        self.overload.worked(messages, seconds)
        self.overload.queued(waiting)

    def handed_over(self, message: Request | Response, data: bytes, flow: Flow) -> bool:
        """Give a message to the live gateway that owns it."""
        whose = taker(message, self.id, self.layer, self.peers) if self.peers is not None else self.id
        if self.peers is None or whose == self.id or not self.peers.alive(whose):
            return False
        self.forwarded_away += 1
        self.peers.forward(whose, data, flow, self.flows.names(flow))
        return True

    def refuse(self, error: BadMessage, flow: Flow) -> None:
        """Answer what is malformed, when it can be answered; count it and say so once a second for each source."""
        self.malformed += 1
        source = flow.remote[0]
        self.complaints.write(self.clock(), source, "malformed message from %s: %s", flow.remote, error.reason)
        if error.request is not None:
            self.answer_broken(error.request, error, flow)

    def answer_broken(self, request: Request, error: BadMessage, flow: Flow) -> None:
        """The answer goes back to where the request came from; a Via that cannot be read is given back as it is."""
        with contextlib.suppress(BadMessage):
            request.stamp(*flow.remote)
            flow = response_flow(request, flow)
        try:
            self.transmit(flow, respond(request, error.status, error.reason, to_tag="malformed").encode())
        except Exception:
            self.failed("a malformed message from %s could not be answered", flow.remote)

    def failed(self, text: str, *values: object) -> None:
        """An error of ours: counted, and logged with its traceback, within bounds."""
        self.errors += 1
        self.complaints.write(self.clock(), "", text, *values, trace=True)

    # -- effects -------------------------------------------------------------------------------------------------------

    def perform(self, effects: list[Any], now: float) -> None:
        """Do what the layer wants, in order."""
        for effect in effects:
            kind = effect.__class__
            if kind is Transmit:
                self.transmit(effect.flow, effect.data)
            elif kind is StartTimer:
                self.wheel.start(effect.delay, self.expired, effect.timer)
            elif kind is Deliver:
                self.deliver(effect.event, now)

    def deliver(self, event: Any, now: float) -> None:
        """Tell the user; an INVITE gets 100 unless its user answers soon (§17.2.1 allows 200 ms)."""
        if event.__class__ is CancelUnmatched:
            self.ask_peers(event)
            return
        self.user(event, now)
        if event.__class__ is RequestReceived and event.request.method == "INVITE":
            self.wheel.start(TRYING_SECONDS, self.try_on, event.server)

    def try_on(self, server: int) -> None:
        """Nothing was said to this INVITE yet."""
        now = self.clock()
        self.perform(self.layer.trying(server, now), now)

    def transmit(self, flow: Flow, data: bytes) -> None:
        """Out of our own socket, or that of the gateway that holds the connection or has the address."""
        self.sent += 1
        if self.trace:
            self.tap("out", flow, data)
        whose = flow.gateway or self.flows.elsewhere(flow)
        if whose and whose != self.id and self.peers is not None:
            self.peers.send(whose, flow, data)
        else:
            self.sockets.send(flow, data)

    def expired(self, timer: tuple[Any, ...]) -> None:
        """A timer of the layer."""
        now = self.clock()
        self.perform(self.layer.expired(timer, now), now)

    def flow_failed(self, flow: Flow) -> None:
        """Nothing goes over this flow any more; told in a turn of its own, because sending may be what found out."""
        self.wheel.loop.call_soon(self.fail, flow)

    def fail(self, flow: Flow) -> None:
        """Whoever waits for an answer over this flow waits in vain."""
        now = self.clock()
        try:
            self.perform(self.layer.failed(flow, now), now)
        except Exception:
            self.failed("the loss of %s could not be told", flow.remote)

    def tap(self, direction: str, flow: Flow, data: bytes) -> None:
        """Show a message to those who watch; one who fails is no longer shown any."""
        text = masked(data)
        for tap in list(self.trace):
            try:
                tap(self.clock(), direction, flow, text)
            except Exception:
                self.trace.discard(tap)
                log.exception("a trace ended")

    # -- CANCEL across gateways ----------------------------------------------------------------------------------------

    def ask_peers(self, event: CancelUnmatched) -> None:
        """The INVITE may have landed on another gateway."""
        self.begin_task(self.cancel_elsewhere(event))

    async def cancel_elsewhere(self, event: CancelUnmatched) -> None:
        """481 when nobody knows it (§9.2)."""
        found = False
        if self.peers is not None:
            try:
                found = await self.peers.cancel(event.request.encode(), event.flow)
            except Exception:
                self.failed("the other gateways could not be asked about a CANCEL")
        if not found:
            now = self.clock()
            self.perform(self.layer.refuse_cancel(event.request, event.flow, now), now)

    def begin_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that waits; its failure is ours to tell."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.task_ended)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed("a task failed: %r", error)

    def cancel_forwarded(self, data: bytes, flow: Flow) -> bool:
        """Another gateway asks: is this CANCEL for one of our transactions? If so it is done."""
        message = parse(data)
        if not isinstance(message, Request) or not self.layer.knows(message):
            return False
        now = self.clock()
        self.perform(self.layer.receive(message, flow, now), now)
        return True

    # -- for the user --------------------------------------------------------------------------------------------------

    def respond(self, server: int, response: Response) -> None:
        """Answer a server transaction."""
        now = self.clock()
        self.perform(self.layer.respond(server, response, now), now)

    def request(self, key: Any, request: Request, flow: Flow) -> None:
        """Send in a new client transaction; its events carry `key`."""
        if self.oversize.applies(request, flow):
            self.opening[key] = []
            self.begin_task(self.send_large(key, request, flow))
        else:
            self.begin(key, request, flow)

    async def send_large(self, key: Any, request: Request, flow: Flow) -> None:
        """§18.1.1: TCP when the peer takes it, else UDP all the same.  A CANCEL that came meanwhile follows."""
        chosen = await self.oversize.flow_for(flow)
        cancelled = self.opening.pop(key, [])
        self.begin(key, request, chosen)
        for reason in cancelled[:1]:
            self.cancel(key, reason)

    def begin(self, key: Any, request: Request, flow: Flow) -> None:
        """The client transaction, over this flow or what replaces it."""
        now = self.clock()
        usable = self.flows.usable(request, flow)
        if usable is None:
            self.wheel.start(0.0, self.deliver, Unreachable(key), now)
        else:
            self.perform(self.layer.request(key, request, usable, now), now)

    def cancel(self, key: Any, reason: str | None = None) -> None:
        """CANCEL the INVITE sent under `key`."""
        if key in self.opening:
            self.opening[key].append(reason)
            return
        now = self.clock()
        self.perform(self.layer.cancel(key, now, reason), now)

    def send_stateless(self, request: Request, flow: Flow) -> None:
        """A request without transaction: the ACK of a 2xx, a keep-alive.  The given request stays as it is."""
        sent = request.copy()
        usable = self.flows.usable(request, flow)
        if usable is not None:
            sent.prepend("via", via_of(usable, self.layer.ids.branch()))
            self.transmit(usable, sent.encode())

    def send(self, flow: Flow, data: bytes) -> None:
        """Octets as they are."""
        self.sockets.send(flow, data)

    def listeners(self) -> list[str]:
        """URLs of what is bound."""
        return [str(listener) for listener in self.sockets.bound]

    def counters(self) -> dict[str, int]:
        """Since the start."""
        return {
            "received": self.received,
            "sent": self.sent,
            "denied": self.denied,
            "malformed": self.malformed,
            "forwarded": self.forwarded_away,
            "errors": self.errors,
            "overloaded": self.overload.refused,
            "transactions": len(self.layer.machines),
            **self.sockets.counters(),
        }
