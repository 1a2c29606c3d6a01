"""One call between phones that do what the test says, under invented time.

    room = Switchroom(devices=2)
    room.a.invite()                      # the caller's INVITE, authenticated
    room.b.reply(180)                    # a device answers the last request it got
    room.b.reply(200, sdp=ANSWER)
    room.a.ack()

Everything that passes is a real message: written, parsed and validated again on its way. Nobody answers by himself, so
every race is an order of lines in a test. Media and location answer at once unless `room.media` or `room.found` says
otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from rayswitch.calls import effects as fx
from rayswitch.calls.call import Call, Settings
from rayswitch.calls.events import (
    AccountFound,
    Admitted,
    Invited,
    Located,
    MediaFigures,
    MediaRefused,
    MediaReserved,
    MemberRefused,
    MemberSeized,
    Release,
    Replacing,
    Routed,
    TimerFired,
)
from rayswitch.calls.inside import CROSSING, SECONDS, crossing, stays_inside
from rayswitch.calls.routing.route import Place, Route
from rayswitch.sip.events import AckReceived, CancelReceived, RequestReceived, ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, Response, parse, respond, validate
from tests.rayswitch.sip.station import Clock

DOMAIN = "pbx.example.com"
SWITCH = ("192.0.2.1", 5060)
WALL = 1_700_000_000.0
"""Unix time when the clock says 0."""


def sdp(address: str = "10.0.0.1", *ports: int, direction: str = "", codec: str = "0 8") -> bytes:
    """A description with one audio line for each port."""
    family = "IP6" if ":" in address else "IP4"
    lines = ["v=0", f"o=secret 77 1 IN {family} {address}", "s=-", f"c=IN {family} {address}", "t=0 0"]
    for port in ports or (4000,):
        lines += [f"m=audio {port} RTP/AVP {codec}", "a=x-unknown:kept"]
        lines += [f"a={direction}"] if direction else []
    return "".join(f"{line}\r\n" for line in lines).encode()


class Phone:
    """A phone; `got`, `answers`, `acks` are the requests, responses and ACKs that the switch sent it."""

    def __init__(self, room: Switchroom, name: str, address: tuple[str, int]) -> None:
        self.room = room
        self.name = name
        local = ("2001:db8::1", 5060) if ":" in address[0] else SWITCH
        self.flow = Flow("UDP", local, address)
        self.uri = f"sip:{name}@{self.host}:{address[1]}"
        self.got: list[Request] = []
        self.keys: dict[int, int] = {}
        self.answers: list[Response] = []
        self.acks: list[Request] = []
        self.cancels: list[str | None] = []
        self.tag = f"{name}-tag"
        self.call_id = f"{name}-secret-call-id"
        self.cseq = 1
        self.peer_tag = ""
        self.target = f"sip:200@{DOMAIN}"
        self.far = f"<sip:200@{DOMAIN}>"
        self.near = f'"Alice" <sip:100@{DOMAIN}>'
        self.servers: dict[int, Any] = {}
        self.transactions: dict[int, list[Response]] = {}

    @property
    def host(self) -> str:
        host = self.flow.remote[0]
        return f"[{host}]" if ":" in host else host

    # -- as a client -----------------------------------------------------------------------------------------------

    def message(self, method: str, cseq: int, body: bytes, headers: list[tuple[str, str]]) -> Request:
        tag = f";tag={self.peer_tag}" if self.peer_tag else ""
        rows = [
            ("via", f"SIP/2.0/UDP {self.host}:{self.flow.remote[1]};branch=z9hG4bK{self.name}{cseq}{method};rport"),
            ("max-forwards", "70"),
            ("from", f"{self.near};tag={self.tag}"),
            ("to", f"{self.far}{tag}"),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} {method}"),
            ("contact", f"<{self.uri}>"),
            ("user-agent", "SecretPhone/1.0"),
            *headers,
        ]
        if body and not any(name == "content-type" for name, _ in headers):
            rows.append(("content-type", "application/sdp"))
        return fresh(Request.new(method, self.target, rows, body))

    def invite(self, body: bytes | None = None, *headers: tuple[str, str]) -> None:
        """The first INVITE; None: with a usual offer, b"": without."""
        request = self.message("INVITE", 1, sdp() if body is None else body, list(headers))
        server = self.room.server(self)
        self.servers[1] = server
        number = self.room.number
        self.room.feed(Invited(server, request, self.flow, number, "Alice", self.room.dialled, number))

    def send(self, method: str, body: bytes = b"", *headers: tuple[str, str]) -> int:
        """A request inside the dialog; its number, for `status_of`."""
        self.cseq += 1
        server = self.servers[self.cseq] = self.room.server(self)
        request = self.message(method, self.cseq, body, list(headers))
        self.room.feed(RequestReceived(server, request, self.flow))
        return self.cseq

    def cancel(self, number: int = 1, reason: str | None = None) -> None:
        self.room.feed(CancelReceived(self.servers[number], reason))

    def ack(self, body: bytes = b"", number: int | None = None) -> None:
        request = self.message("ACK", number or self.cseq, body, [])
        self.room.feed(AckReceived(request, self.flow))

    def heard(self, response: Response) -> None:
        """A response of the switch."""
        self.answers.append(response)
        if not self.peer_tag or (response.cseq.method == "INVITE" and response.status // 100 == 2):
            self.peer_tag = response.to.tag or ""  # RFC 3261 §13.2.2.4: the 2xx says which dialog it is
        if response.status < 300 and response.contacts:
            self.target = response.contacts[0].uri_text

    def statuses(self, number: int | None = None) -> list[int]:
        """What the switch answered, to one request or to all."""
        return [answer.status for answer in self.answers if number in (None, answer.cseq.number)]

    def last(self) -> Response:
        return self.answers[-1]

    # -- as a server -----------------------------------------------------------------------------------------------

    def asked(self, key: int, request: Request) -> None:
        """A request of the switch."""
        self.keys[len(self.got)] = key
        self.got.append(request)
        if len(self.got) == 1 and not self.servers:
            self.call_id, self.peer_tag = request.call_id, request.from_.tag or ""
            self.target = request.contacts[0].uri_text
            self.near, self.far = request.get("to") or "", (request.get("from") or "").partition(";tag=")[0]
            self.cseq = 100

    def reply(
        self, status: int, body: bytes = b"", *headers: tuple[str, str], to: int = -1, tag: str | None = None
    ) -> None:
        """Answer request number `to`, the last one without it; `tag`: as a fork behind a proxy."""
        index = to % len(self.got)
        request = self.got[index]
        rows = list(headers)
        if status < 300 and request.method in ("INVITE", "UPDATE"):
            rows.append(("contact", f"<{self.uri}>"))
        rows += [("content-type", "application/sdp")] if body else []
        answer = respond(request, status, to_tag=tag or self.tag, headers=rows, body=body)
        self.room.feed(ResponseReceived(self.keys[index], fresh(answer), self.flow))

    def silent(self, to: int = -1) -> None:
        """No answer in time."""
        self.room.feed(TimedOut(self.keys[to % len(self.got)]))

    def replaces(self) -> str:
        """How this phone names its dialog with the switch to somebody who is to take its place (RFC 3891)."""
        return f"{self.call_id};to-tag={self.peer_tag};from-tag={self.tag}"

    def enter(self, replaces: str, body: bytes | None = None, *headers: tuple[str, str]) -> None:
        """The first INVITE of a phone that takes a place in the call."""
        rows = [("replaces", replaces), *headers]
        request = self.message("INVITE", 1, sdp("10.9.0.7", 8000) if body is None else body, rows)
        server = self.servers[1] = self.room.server(self)
        self.room.feed(Replacing(server, request, self.flow, "400", "Dora"))

    def gone(self, to: int = -1) -> None:
        self.room.feed(Unreachable(self.keys[to % len(self.got)]))

    def methods(self) -> list[str]:
        return [request.method for request in self.got]


def ports_of(effect: fx.ConnectMedia) -> set[int]:
    """The relay's ports in a description of a session."""
    return {port[0] for stream in effect.streams for port in (stream[0], stream[2])}


def fresh(message: Any) -> Any:
    """As it comes out of the wire."""
    again = parse(message.encode())
    validate(again)
    return again


class Switchroom:
    """A call, its phones, and the rest of the switch as it needs it."""

    def __init__(
        self,
        devices: int = 1,
        addresses: list[str] | None = None,
        caller: str = "10.0.0.1",
        other: Switchroom | None = None,
    ) -> None:
        """`other` has another call of the same switch."""
        self.clock = other.clock if other else Clock()
        self.rooms = other.rooms if other else {}
        """By the id of the call."""
        counter = itertools.count(1 + 1000 * len(self.rooms))
        self.ids = Identifiers("s0", lambda size: next(counter).to_bytes(size, "big"))
        self.settings = Settings(DOMAIN)
        self.id = self.ids.call()
        self.call = Call(self.id, self.settings, self.ids, WALL)
        self.rooms[self.id] = self
        self.number = "100"
        self.a = Phone(self, "alice", (caller, 5062))
        hosts = addresses or [f"10.9.0.{number}" for number in range(1, devices + 1)]
        self.devices = [Phone(self, f"bob{number}", (host, 5070)) for number, host in enumerate(hosts, 1)]
        self.b = self.devices[0]
        self.found: list[list[Any]] | None = [[phone.uri, list(phone.flow), []] for phone in self.devices]
        self.media = "at once"
        self.dialled = "200"
        self.routes: dict[str, Route] = {}
        """Where numbers lead that are not simply extensions."""
        self.limits: dict[str, bool] = {}
        """May these have one call more? Without an entry the answer is left to the test."""
        self.places: dict[str, Place | str] = {}
        """Where lines and trunks take calls, or why they cannot; without an entry they do not answer."""
        self.inquiries: list[fx.FindRoute] = []
        self.homes: dict[str, list[list[Any]]] | None = None
        """Where addresses-of-record are registered, when they differ."""
        self.admits: list[fx.Admit] = []
        self.seized: list[fx.Seize] = []
        self.shunned: list[fx.Shun] = []
        self.counted: list[list[Any]] = []
        """What the call is counted for."""
        self.figures: list[Any] | None = [[{"packets": 5, "bytes": 800}, {"packets": 7, "bytes": 1120}]]
        self.asked: list[fx.ReserveMedia] = []
        self.leased: set[int] = set()
        self.port = 20_000
        self.connected: list[fx.ConnectMedia] = []
        self.released: list[fx.ReleaseMedia] = []
        self.saved: list[fx.SaveCall] = []
        self.records: list[list[dict[str, Any]]] = []
        self.ended = False
        self.numbers = itertools.count(1)
        self.owners: dict[int, Phone] = {}

    def server(self, phone: Phone) -> Any:
        number = next(self.numbers)
        self.owners[number] = phone
        return ("s0", number)

    def phone_at(self, flow: Flow) -> Phone:
        return next(phone for phone in (self.a, *self.devices) if phone.flow.remote == flow.remote)

    def feed(self, event: Any) -> None:
        """One event, and everything that follows from it; a call that has ended hears nothing any more."""
        if not self.ended:
            self.perform(self.call.handle(event, self.clock.now))

    def perform(self, effects: list[Any]) -> None:
        for effect in effects:
            assert not self.ended, f"{effect} after the end"
            if type(effect) in CROSSING and stays_inside(effect):
                self.send_inside(effect)
            else:
                PERFORM[type(effect)](self, effect)

    def send_inside(self, effect: Any) -> None:
        """To another call; a reference to one that is over leads nowhere."""
        whom, event = crossing(self.id, effect)
        if isinstance(effect, fx.SendRequest):
            self.clock.after(SECONDS, lambda: self.feed(TimedOut(effect.key)))
        room = self.rooms.get(whom)
        if room is not None and not room.ended:
            self.clock.after(0.001, lambda: room.feed(event))
        elif isinstance(effect, fx.SendRequest):
            self.clock.after(0.001, lambda: self.feed(Unreachable(effect.key)))

    # -- effects -----------------------------------------------------------------------------------------------------

    def respond(self, effect: fx.Respond) -> None:
        phone = self.owners[effect.server[1]]
        said = phone.transactions.setdefault(effect.server[1], [])
        assert not said or said[-1].status < 200 or said[-1].status == effect.response.status < 300, "two finals"
        said.append(effect.response)
        phone.heard(fresh(effect.response))

    def request(self, effect: fx.SendRequest) -> None:
        effect.request.prepend("via", f"SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKs0.{effect.key:012x}")
        self.phone_at(effect.flow).asked(effect.key, fresh(effect.request))

    def cancel(self, effect: fx.CancelRequest) -> None:
        self.phone_at(effect.flow).cancels.append(effect.reason)

    def ack(self, effect: fx.SendAck) -> None:
        request = effect.request.copy()
        request.prepend("via", "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKs0.ffffffffffff")
        self.phone_at(effect.flow).acks.append(fresh(request))

    def repeat(self, effect: fx.RepeatAnswer) -> None:
        self.phone_at(effect.flow).heard(fresh(effect.response))

    def timer(self, effect: fx.StartTimer) -> None:
        self.clock.after(effect.delay, lambda: self.feed(TimerFired(effect.name, effect.data)))

    def place(self, device: int) -> Place:
        """A line or trunk that takes calls at this device."""
        phone = self.devices[device]
        return Place(f"sip:0086755@{phone.host}", phone.flow, [], "carrier.example")

    def find_route(self, effect: fx.FindRoute) -> None:
        self.inquiries.append(effect)
        known = Route("extension", f"{effect.called}@{DOMAIN}", effect.caller, effect.called)
        self.feed(Routed(effect.called, self.routes.get(effect.called, known)))

    def admit(self, effect: fx.Admit) -> None:
        self.admits.append(effect)
        if all(row[0] in self.limits for row in effect.rows):
            self.admitted(effect)

    def admitted(self, effect: fx.Admit) -> None:
        """The answer of the homes."""
        full = next((row[:2] for row in effect.rows if not self.limits.get(row[0])), None)
        held = [] if full else [row[:2] for row in effect.rows]
        self.counted += held
        self.feed(Admitted(effect.called, held, full))

    def seize(self, effect: fx.Seize) -> None:
        place = self.places.get(effect.member)
        self.seized.append(effect)
        if isinstance(place, str):
            self.feed(MemberRefused(effect.called, effect.member, place))
        elif place is not None:
            self.take(effect, place)

    def take(self, effect: fx.Seize, place: Place) -> None:
        """A line or trunk takes the call."""
        self.counted.append([effect.member, True])
        self.feed(MemberSeized(effect.called, effect.member, place))

    def find_account(self, effect: fx.FindAccount) -> None:
        place = self.places.get(effect.member)
        user, secret = (place.user, place.secret) if isinstance(place, Place) else ("", "")
        self.feed(AccountFound(effect.member, user, secret))

    def shun(self, effect: fx.Shun) -> None:
        self.shunned.append(effect)

    def hold(self, effect: fx.Hold) -> None:
        self.counted += effect.rows

    def free(self, effect: fx.Free) -> None:
        for row in effect.rows:
            self.counted.remove(row)

    def locate(self, effect: fx.Locate) -> None:
        if self.homes is not None:
            self.feed(Located(self.homes.get(effect.aor, []), effect.aor))
        elif self.found is not None:
            self.feed(Located(self.found, effect.aor))

    def reserve(self, effect: fx.ReserveMedia) -> None:
        self.asked.append(effect)
        if self.media == "at once":
            self.lease()
        elif self.media == "refused":
            self.feed(MediaRefused())

    def lease(self) -> None:
        """The media gateway's answer to the last question."""
        ports = []
        for family in self.asked[-1].families:
            self.port += 2
            self.leased.add(self.port)
            ports.append([self.port, {4: "198.51.100.7", 6: "2001:db8::7"}[family]])
        self.feed(MediaReserved("m0", ports))

    def connect(self, effect: fx.ConnectMedia) -> None:
        if self.connected:  # as a media gateway does with ports that are in use no longer
            self.leased -= ports_of(self.connected[-1]) - ports_of(effect)
        self.connected.append(effect)

    def release(self, effect: fx.ReleaseMedia) -> None:
        self.released.append(effect)
        for port in effect.unused:
            self.leased.remove(port)
        if not effect.connected:
            return
        self.leased -= ports_of(self.connected[-1])
        if self.figures is not None:
            self.clock.after(0.01, lambda: self.feed(MediaFigures(self.figures or [])))

    def save(self, effect: fx.SaveCall) -> None:
        self.saved.append(effect)

    def record(self, effect: fx.Record) -> None:
        assert not self.records, "two records of one call"
        self.records.append(effect.rows)

    def end(self, effect: fx.Ended) -> None:
        self.ended = True

    # -- shortcuts ---------------------------------------------------------------------------------------------------

    def talk(self) -> None:
        """From nothing to an answered call."""
        self.a.invite()
        self.b.reply(180)
        self.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
        self.a.ack()

    def order_release(self, cause: str = "Shutdown") -> None:
        self.feed(Release(cause))

    def restart(self) -> None:
        """The process dies, timers and all, and another takes the call up from what was journalled last."""
        self.clock.waiting.clear()
        self.counted.clear()
        snapshot = self.saved[-1].snapshot
        self.call = Call.restore(self.id, snapshot, self.settings, self.ids, WALL)
        self.perform(self.call.resume(self.clock.now))

    def settle(self) -> None:
        """Every device answers what it was asked: 487 to a cancelled INVITE, 200 to everything else."""
        for phone in (self.a, *self.devices):
            for index, request in enumerate(list(phone.got)):
                if phone.keys[index] in self.call.pending:
                    phone.reply(487 if request.method == "INVITE" else 200, to=index)
        self.clock.run(40)

    def row(self, leg: str = "call") -> dict[str, Any]:
        """A row of the CDR."""
        (rows,) = self.records
        (row,) = [row for row in rows if row["leg"] == leg]
        return row


PERFORM: dict[type, Callable[[Switchroom, Any], None]] = {
    fx.Respond: Switchroom.respond,
    fx.SendRequest: Switchroom.request,
    fx.CancelRequest: Switchroom.cancel,
    fx.SendAck: Switchroom.ack,
    fx.RepeatAnswer: Switchroom.repeat,
    fx.StartTimer: Switchroom.timer,
    fx.FindRoute: Switchroom.find_route,
    fx.Admit: Switchroom.admit,
    fx.Seize: Switchroom.seize,
    fx.FindAccount: Switchroom.find_account,
    fx.Shun: Switchroom.shun,
    fx.Hold: Switchroom.hold,
    fx.Free: Switchroom.free,
    fx.Locate: Switchroom.locate,
    fx.ReserveMedia: Switchroom.reserve,
    fx.ConnectMedia: Switchroom.connect,
    fx.ReleaseMedia: Switchroom.release,
    fx.SaveCall: Switchroom.save,
    fx.Record: Switchroom.record,
    fx.Ended: Switchroom.end,
}
