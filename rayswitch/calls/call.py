"""A call: two half calls and what passes between them (a B2BUA, RFC 7092).

`Call` owns the state and turns an event into effects; what it *does* is one file per behaviour under `features/`:

    setup      the caller's INVITE → an attempt to reach whom he dialled
    routing    where a number leads: to an extension, to a line or trunk, nowhere
    limits     what a call is counted for, and whether it may be one more
    failover   lines and trunks of a group, one after the other
    branches   forking: devices, progress, the first 2xx wins, the best failure is passed on (RFC 3261 §16.7)
    ports      media ports, one wish at a time
    early      what the caller hears before the answer
    answer     the 2xx of one side becomes the 2xx of the other; ACKs; retransmission of our own 2xx
    exchange   re-INVITE and UPDATE from either side, glare (RFC 3264, 3311)
    transfer   one side hands the other one over (RFC 3515)
    replacing  somebody comes in the place of a side (RFC 3891)
    proving    who we are, for a line or trunk that asks
    relay      OPTIONS, INFO, MESSAGE inside the dialog
    release    CANCEL, BYE, timers, figures, the CDR
    revival    after a restart: who is still there?
    relocation it goes on from elsewhere, and both sides are told

    phases:   setup → ringing → (answering) → answered → ending
                  └────────┴───────────┴─────────────────↗

`features/table.py` says which of them takes what. A feature is functions `(call, event)` that append to `call.out`
through the few verbs of `Call`. Everything that survives a process is in `snapshot()`: an answered call can be taken
up by another process from it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rayswitch.calls import effects as fx
from rayswitch.calls.attempt import Attempt, Branch
from rayswitch.calls.events import MediaGatewayRestarted, Replacing, TimerFired
from rayswitch.calls.features import (
    answer,
    early,
    exchange,
    limits,
    ports,
    proving,
    release,
    revival,
    session_timer,
    table,
    transfer,
)
from rayswitch.calls.features.entering import Entering
from rayswitch.calls.features.proving import Signed
from rayswitch.calls.leg import UNSEEN, Leg
from rayswitch.calls.media_plan import MediaPlan
from rayswitch.calls.record import CallRecord
from rayswitch.calls.screening import ALLOW, refusal_of_method
from rayswitch.calls.session_interval import STANDARD_MIN_SE, Rows, first_proposal
from rayswitch.sip.events import RequestReceived, ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.identifiers import Identifiers, tag_parts
from rayswitch.sip.message import Request, Response, respond

Then = Callable[["Call", Leg, Any, Response], None]
"""What goes on when a response to one of our requests is there: (call, leg, data, response)."""
Waiting = tuple[Then, Leg, Any, "Signed | None"]
"""A request of ours that has no final response yet: what goes on, its half call and data, and what was signed."""


@dataclass(slots=True)
class Settings:
    """What a call takes from the configuration; times in seconds."""

    domain: str
    no_answer: float = 60.0
    t1: float = 0.5
    session_expires: int = 1800
    min_se: int = STANDARD_MIN_SE
    proposal: Rows = field(init=False)
    """What every INVITE to a device says about the session interval."""

    def __post_init__(self) -> None:
        self.proposal = first_proposal(self.session_expires, self.min_se)


class Call:
    """One call; `id` names its entity and, through the tags, every message of its dialogs."""

    __slots__ = (
        "a", "attempt", "b", "branches", "counting", "entering", "exchange", "former", "gateway", "held", "id", "ids",
        "media", "moving", "now", "offset", "out", "pending", "phase", "record", "recorded", "serial", "settings",
        "strays", "transfer", "wish", "wishes",
    )  # fmt: skip

    def __init__(self, id: str, settings: Settings, ids: Identifiers, offset: float) -> None:
        """`offset` is unix time minus the monotonic `now` that `handle` is given, in seconds."""
        self.id = id
        self.settings = settings
        self.ids = ids
        self.offset = offset
        self.now = 0.0
        self.out: list[Any] = []
        self.phase = "setup"
        self.gateway = ""
        self.a: Leg | None = None
        self.b: Leg | None = None
        self.attempt: Attempt | None = None
        """Whom we are trying to reach."""
        self.branches: dict[int, Branch] = {}
        """INVITEs that have no final response yet, those of earlier attempts too."""
        self.held: list[list[Any]] = []
        """What this call is counted for (see `limits`)."""
        self.exchange: exchange.Exchange | None = None
        self.entering: list[Entering] = []
        """INVITEs that wait until the place they want can be taken."""
        self.transfer: transfer.Transfer | None = None
        self.media: MediaPlan | None = None
        self.wish: ports.Wish | None = None
        """The ports that have been asked for; others wait in `wishes`."""
        self.wishes: deque[ports.Wish] = deque()
        self.pending: dict[int, Waiting] = {}
        self.serial = 0
        self.strays: dict[tuple[str, str], Leg] = {}
        """Half calls that were sent home, answered in vain or not, by their Call-ID and remote tag."""
        self.former: MediaPlan | None = None
        """Ports that it had before it moved, until both sides know."""
        self.moving: list[str] = []
        """Sides that have to be told where the call is now."""
        self.record: CallRecord | None = None
        self.counting = 0
        """How many media gateways have to say yet what they counted."""
        self.recorded = False

    def handle(self, event: Any, now: float) -> list[Any]:
        """Effects of one event; `now` in monotonic seconds."""
        self.now = now
        self.out = out = []
        HANDLERS[type(event)](self, event)
        if self.recorded and self.idle:
            out.append(fx.Ended())
        return out

    @property
    def idle(self) -> bool:
        """Is nothing expected any more: no response, no port, no ACK that a BYE waits for?"""
        if self.pending or not self.ports_free:
            return False
        return all(leg is None or leg.unacknowledged is None for leg in (self.a, self.b, *self.strays.values()))

    @property
    def ports_free(self) -> bool:
        """May ports be reserved, because no earlier wish for some is open?"""
        return self.media is None or not self.media.asked

    @property
    def wall(self) -> float:
        """Unix time of the event being handled."""
        return self.offset + self.now

    # -- verbs of the features ---------------------------------------------------------------------------------------

    def send(self, leg: Leg, request: Request, then: Then, data: Any = None, met: tuple[int, ...] = ()) -> int:
        """A request to `leg`; each response (408 and 503 of our own included) goes to `then`. `met`: challenges that it
        answers."""
        self.serial += 1
        signed = None
        if leg.answering is not None:
            proving.sign(leg, request)
            signed = Signed(request, met)
        self.pending[self.serial] = (then, leg, data, signed)
        self.out.append(fx.SendRequest(self.gateway, self.serial, request, leg.flow))
        return self.serial

    def answer(self, event: RequestReceived | Replacing, status: int, **parts: Any) -> Response:
        """The final answer to a request inside a dialog, or one that begins it."""
        response = respond(event.request, status, **parts)
        self.out.append(fx.Respond(event.server, response))
        return response

    def ack(self, leg: Leg, cseq: int, body: bytes = b"") -> None:
        """ACK the 2xx that `leg` gave to our INVITE number `cseq`, and keep it for a repeated 2xx."""
        assert leg.dialog is not None
        leg.ack = leg.dialog.ack(cseq, [*leg.proof, *(SDP_HEADERS if body else ())], body)
        self.out.append(fx.SendAck(self.gateway, leg.ack, leg.flow))

    def start(self, delay: float, name: str, data: Any = None) -> None:
        """A timer; it cannot be stopped, only ignored."""
        self.out.append(fx.StartTimer(delay, name, data))

    def peer_of(self, leg: Leg) -> Leg | None:
        """The other half of the call: before the answer the device that the caller hears."""
        return self.a if leg is not self.a else self.b or early.speaker(self)

    def origin(self, leg: Leg) -> int:
        """The session id of what we say to this half call; our random part makes it unique (RFC 8866 §5.2)."""
        return int(self.id[-12:], 16) << 8 | leg.index

    def pause(self, least: float, most: float) -> float:
        """Seconds to wait after a collision: each call's own, or two that are joined would collide for ever."""
        return least + int(self.id[-4:], 16) / 0xFFFF * (most - least)

    def save(self) -> None:
        """Journal the call as it stands."""
        self.out.append(fx.SaveCall(self.phase == "answered", self.snapshot()))

    # -- dispatch ----------------------------------------------------------------------------------------------------

    def leg_of(self, request: Request) -> Leg | None:
        """The half call whose dialog this request is in: all three of Call-ID and tags must fit (§12.2.2)."""
        parts = tag_parts(request.to.tag or "")
        leg = self.leg(parts[1]) if parts else None
        if leg is None:
            return None
        leg.confirm_early()
        return leg if leg.dialog is not None and leg.dialog.matches(request) else None

    def leg(self, index: int) -> Leg | None:
        """Leg 0 is the caller; others are devices of the called one."""
        for leg in (self.a, self.b):
            if leg is not None and leg.index == index:
                return leg
        return self.branches[index].leg if index in self.branches else None

    def request(self, event: RequestReceived) -> None:
        """A request inside one of our dialogs (§12.2.2): CSeq in order, target refreshed, then its feature."""
        request, leg = event.request, self.leg_of(event.request)
        if leg is None or leg.dialog is None:
            self.answer(event, 481)
            return
        verdict = leg.dialog.accept(request)
        if verdict is not True:
            self.answer(event, verdict)
            return
        self.gateway, leg.flow = event.server[0] or self.gateway, event.flow
        leg.hear(request)
        method = table.METHODS.get(request.method)
        if method is None:
            status, headers = refusal_of_method(request.method)
            self.answer(event, status, headers=headers)
            return
        method(self, leg, event)

    def response(self, event: ResponseReceived) -> None:
        """A response to one of our requests; 2xx that nobody waits for are repetitions."""
        waiting = self.pending.get(event.key)
        if waiting is None:
            answer.repeated(self, event.response)
            return
        if event.response.status >= 200:
            del self.pending[event.key]
        then, leg, data, signed = waiting
        if signed is not None and proving.goes_again(self, event.key, waiting, event.response):
            return
        then(self, leg, data, event.response)

    def timed_out(self, event: TimedOut) -> None:
        """No final response: as if 408 had come (§8.1.3.1)."""
        self.failed(event.key, 408)

    def unreachable(self, event: Unreachable) -> None:
        """It could not be sent: as if 503 had come (§8.1.3.1)."""
        self.failed(event.key, 503)

    def failed(self, key: int, status: int) -> None:
        """A request without an answer; one from before a restart is nobody's."""
        if key in self.pending:
            self.response(ResponseReceived(key, Response.new(status), None))

    def timer(self, event: TimerFired) -> None:
        """A timer of one of the features."""
        table.TIMERS[event.name](self, event.data)

    # -- survival ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able: enough to go on with an answered call, or to write the CDR of another."""
        answered = self.phase == "answered"
        legs = [leg.snapshot() if leg and answered else None for leg in (self.a, self.b)]
        record = self.record.snapshot() if self.record else None
        media = self.media.snapshot() if self.media and answered else None
        return [self.phase, self.gateway, *legs, media, record, self.serial, self.held]

    @classmethod
    def restore(cls, id: str, plain: list[Any], settings: Settings, ids: Identifiers, offset: float) -> Call:
        """The inverse of `snapshot`."""
        call = cls(id, settings, ids, offset)
        call.phase, call.gateway, a, b, media, record, call.serial, *held = plain
        call.held = held[0] if held else []
        call.a, call.b = (Leg.restore(leg) if leg else None for leg in (a, b))
        call.media = MediaPlan.restore(media) if media else None
        call.record = CallRecord.restore(record) if record else None
        call.serial += UNSEEN
        return call

    def resume(self, now: float) -> list[Any]:
        """First effects after `restore`: media again; a call that was never answered can only be recorded."""
        self.now, self.out = now, []
        if self.phase == "answered":
            ports.restarted(self, MediaGatewayRestarted())
            proving.resumed(self)
            limits.resumed(self)
            answer.resumed(self)
            revival.resumed(self)
            session_timer.resumed(self)
            transfer.resumed(self)
        else:
            release.lost(self)
            self.out.append(fx.Ended())
        return self.out


def media_gateway(plain: list[Any]) -> str:
    """The media gateway of a call, from its snapshot; "" when it has none."""
    return str(plain[4][0]) if plain[4] else ""


SDP_HEADERS = (("content-type", "application/sdp"),)

HANDLERS: dict[type, Callable[[Call, Any], None]] = table.EVENTS | {
    RequestReceived: Call.request,
    ResponseReceived: Call.response,
    TimedOut: Call.timed_out,
    Unreachable: Call.unreachable,
    TimerFired: Call.timer,
}

__all__ = ["ALLOW", "Call", "Settings", "media_gateway"]
