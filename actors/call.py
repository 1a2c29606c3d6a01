"""Calls as entity actors: `CallShell` does what the calls of a host want done; `call_desk.py` opens and finds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from actors.host import Host, Kind
from actors.inside import Inside
from actors.journal.verbs import Writes
from actors.media_desk import MediaDesk
from actors.outside.outgoing import split
from actors.reference import Ref
from actors.registration import Location
from actors.routing import Numbers
from actors.sip_port import SipPort
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.call import Call, Settings
from rayswitch.calls.events import (
    AccountFound,
    Admitted,
    Invited,
    Located,
    MediaGatewayRestarted,
    MediaRefused,
    MediaReserved,
    MemberRefused,
    MemberSeized,
    Release,
    Relocated,
    Replacing,
    Routed,
    TimerFired,
)
from rayswitch.calls.inside import stays_inside
from rayswitch.calls.routing.route import Dialled, Place
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers, owner_of
from rayswitch.sip.message import Request, respond
from rayswitch.store import writes

log = logging.getLogger(__name__)

KIND = "call"
INTERNAL = "Internal error"
"""The cause in the record of a call whose code raised."""


class CallShell:
    """Hosts the calls that live in this process."""

    def __init__(
        self,
        me: str,
        host: Host,
        sip: SipPort,
        media: MediaDesk,
        location: Location,
        numbers: Numbers,
        journal: Writes,
        wheel: Wheel,
        settings: Settings,
        ids: Identifiers,
        clock: Callable[[], float],
        wall: Callable[[], float],
        other: Callable[[str], Ref | None],
    ) -> None:
        """`other(id)` refers to a call anywhere."""
        self.me = me
        self.host = host
        self.sip = sip
        self.media = media
        self.location = location
        self.numbers = numbers
        self.journal = journal
        self.wheel = wheel
        self.settings = settings
        self.ids = ids
        self.clock = clock
        self.wall = wall
        self.inside = Inside(KIND, host, wheel, other)
        self.answered = 0
        self.ended_calls = 0
        self.filed: set[str] = set()
        """Calls that are still here though their record is on its way to the store."""
        self.coming: set[str] = set()
        """Dead hosts whose calls are ours and not here yet; what comes for these meanwhile is in `early`."""
        self.early: list[tuple[str, Any]] = []
        self.given: dict[str, str] = {}
        """Who has the calls that we gave away."""
        host.define(KIND, Kind(perform=self.perform, failed=self.failed, unknown=self.unknown))

    def offset(self) -> float:
        """Unix time minus our clock, in seconds."""
        return self.wall() - self.clock()

    def create(self, id: str) -> Ref:
        """A new call, ready for its `Invited`."""
        return self.host.adopt(KIND, id, Call(id, self.settings, self.ids, self.offset()))

    def take_in(self, rows: Iterable[tuple[str, Any]]) -> None:
        """The calls of this host's journal after a restart: go on, or finish the record."""
        for id, snapshot in rows:
            try:
                self.resume(id, snapshot)
            except Exception:
                log.exception("call %s cannot be taken up and is dropped: %r", id, snapshot)
                self.host.retire(KIND, id)
                self.journal.append(writes.drop_call(id, self.me))

    def resume(self, id: str, snapshot: Any) -> None:
        """Take up one call."""
        self.begin(self.restored(id, snapshot))

    def restored(self, id: str, snapshot: Any) -> Call:
        """A call as it was."""
        return Call.restore(id, snapshot, self.settings, self.ids, self.offset())

    def begin(self, call: Call) -> None:
        """It goes on here."""
        self.host.adopt(KIND, call.id, call)
        for effect in call.resume(self.clock()):
            self.perform(call.id, effect)

    def restarted(self, gateway: str) -> None:
        """A media gateway has lost its memory: every call it carries describes itself again."""
        for id, call in list(self.host.entities(KIND)):
            if call.media is not None and call.media.gateway == gateway:
                self.host.tell(KIND, id, MediaGatewayRestarted())

    # -- calls that change their place (see `succession.py`) -----------------------------------------------------------

    def take_over(self, call: Call) -> None:
        """The call of another host is ours."""
        try:
            self.begin(call)
            if call.phase == "answered":
                self.journal.append(writes.put_call(call.id, self.me, True, call.snapshot()))
        except Exception:
            log.exception("call %s cannot be taken over and is dropped", call.id)
            self.host.retire(KIND, call.id)

    def came(self, host: str) -> None:
        """All calls of that host are here."""
        self.coming.discard(host)
        early, self.early = self.early, []
        for id, message in early:
            self.host.tell(KIND, id, message)

    def relocate(self, id: str, media: str) -> None:
        """A gateway that one of our calls used is given up, if the call is still there."""
        if not self.host.has(KIND, id):
            return
        self.host.tell(KIND, id, Relocated(media))

    def give_away(self, id: str, heir: str) -> None:
        """The call is that host's from now on, in the store, too."""
        self.given[id] = heir
        self.numbers.occupancy.free(id)
        self.journal.append(writes.move_call(id, self.me, heir))
        self.host.retire(KIND, id)

    def release_all(self, cause: str) -> None:
        """BYE, CANCEL and CDR for everything that runs."""
        for id, _ in list(self.host.entities(KIND)):
            self.host.tell(KIND, id, Release(cause))

    def open_calls(self) -> int:
        """Calls whose CDR is not written yet."""
        return sum(not call.recorded for _, call in self.host.entities(KIND))

    # -- what a call wants ---------------------------------------------------------------------------------------------

    def perform(self, id: str, effect: Any) -> None:
        """SIP effects go to the gateway, or to another call; the others are done here."""
        action = PERFORM.get(type(effect))
        if action is not None:
            action(self, id, effect)
        elif stays_inside(effect):
            self.inside.perform(id, effect)
        else:
            self.sip.perform(id, effect)

    def timer(self, id: str, effect: fx.StartTimer) -> None:
        self.wheel.start(effect.delay, self.host.tell, KIND, id, TimerFired(effect.name, effect.data))

    def find_route(self, id: str, effect: fx.FindRoute) -> None:
        dialled = Dialled(effect.caller, effect.called, effect.rights)
        self.numbers.routing.route(
            effect.gateway, dialled, lambda route: self.host.tell(KIND, id, Routed(effect.called, route))
        )

    def admit(self, id: str, effect: fx.Admit) -> None:
        def done(held: list[list[Any]], full: list[Any] | None) -> None:
            self.host.tell(KIND, id, Admitted(effect.called, held, full))

        self.numbers.occupancy.seize(id, effect.rows, done)

    def seize(self, id: str, effect: fx.Seize) -> None:
        def done(answer: Place | str) -> None:
            if isinstance(answer, str):
                self.host.tell(KIND, id, MemberRefused(effect.called, effect.member, answer))
            else:
                self.host.tell(KIND, id, MemberSeized(effect.called, effect.member, answer))

        self.numbers.outgoing.seize(id, effect.member, effect.caller, effect.number, done)

    def find_account(self, id: str, effect: fx.FindAccount) -> None:
        def done(user: str, secret: str) -> None:
            self.host.tell(KIND, id, AccountFound(effect.member, user, secret))

        self.numbers.outgoing.account(effect.member, done)

    def shun(self, id: str, effect: fx.Shun) -> None:
        self.numbers.outgoing.shun(effect.member, effect.flow)

    def hold(self, id: str, effect: fx.Hold) -> None:
        members, counted = split(effect.rows)
        for name in members:
            self.numbers.outgoing.hold(id, name)
        self.numbers.occupancy.hold(id, counted)

    def free(self, id: str, effect: fx.Free) -> None:
        members, counted = split(effect.rows)
        for name in members:
            self.numbers.outgoing.free(id, name)
        self.numbers.occupancy.free(id, counted)

    def locate(self, id: str, effect: fx.Locate) -> None:
        def done(contacts: list[Any]) -> None:
            found = self.host.peek(KIND, id)
            gateway = found[0].gateway if found else ""
            reached = [[uri, self.way(uri, Flow.of(flow), gateway), path] for uri, flow, path in contacts]
            self.host.tell(KIND, id, Located(reached, effect.aor))

        self.location.look_up(effect.aor, done)

    def way(self, uri: str, flow: Flow, gateway: str) -> Flow:
        """To a device, for a call that begins; one behind NAT hears nobody but the gateway that it registered by."""
        return self.sip.reach(flow, gateway, new=flow.remote[0] in uri)

    def reserve(self, id: str, effect: fx.ReserveMedia) -> None:
        def done(gateway: str, ports: list[Any] | None) -> None:
            self.host.tell(KIND, id, MediaRefused() if ports is None else MediaReserved(gateway, ports))

        self.media.reserve(effect.gateway, effect.families, done)

    def connect(self, id: str, effect: fx.ConnectMedia) -> None:
        self.media.connect(effect.gateway, id, effect.streams)

    def release(self, id: str, effect: fx.ReleaseMedia) -> None:
        if effect.connected:
            self.media.release(effect.gateway, id, effect.unused)
        else:
            self.media.give_back(effect.gateway, effect.unused)

    def save(self, id: str, effect: fx.SaveCall) -> None:
        self.answered += effect.answered
        self.journal.append(writes.put_call(id, self.me, effect.answered, effect.snapshot))

    def record(self, id: str, effect: fx.Record) -> None:
        self.filed.add(id)
        self.ended_calls += 1
        self.journal.append(*(writes.add_cdr(row) for row in effect.rows), writes.drop_call(id, self.me))

    def ended(self, id: str, effect: fx.Ended) -> None:
        self.filed.discard(id)
        self.host.retire(KIND, id)

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def failed(self, id: str, call: Call, message: Any) -> None:
        """A call whose code raised is over: its sides hear of it, its ports go back, its record is written, and whoever
        asked for what it could not do gets 500. Whatever of that fails too is left out."""
        for effect in self.last_effects(call):
            self.attempt(id, effect)
        for server, request in self.unanswered(call, message):
            self.attempt(id, fx.Respond(server, respond(request, 500, to_tag=self.ids.tag(id, 0))))
        if id not in self.filed and call.record is not None:
            call.record.close(self.wall(), "", 500, INTERNAL)
            self.attempt(id, fx.Record(call.record.rows(id)))
        self.numbers.occupancy.free(id)
        self.filed.discard(id)

    def unanswered(self, call: Call, message: Any) -> Iterator[tuple[Any, Request]]:
        """Requests that may still wait for their answer: the one that failed, and the INVITE of a call never answered.
        Where the answer has gone already, the transaction knows."""
        if isinstance(message, RequestReceived | Invited | Replacing):
            yield message.server, message.request
        if call.a is not None and call.a.invite is not None:
            yield call.a.server, call.a.invite

    def last_effects(self, call: Call) -> list[Any]:
        """The release of a call; if even that fails, what it came to, and its ports."""
        try:
            return call.handle(Release(INTERNAL), self.clock())
        except Exception:
            log.exception("call %s could not be released after an error", call.id)
            media = call.media
            return [*call.out, media.release()] if media is not None and media.gateway else call.out

    def attempt(self, id: str, effect: Any) -> None:
        """Do one of several things that do not depend on each other."""
        try:
            self.perform(id, effect)
        except Exception:
            log.exception("call %s: %s after an error", id, type(effect).__name__)

    def unknown(self, id: str, message: Any) -> None:
        """A message for a call that is over: 481 to a request (RFC 3261 §12.2.2), silence to the rest. One that is not
        here yet, or not any more, gets it."""
        if id in self.given:
            self.host.tell_ref(Ref(KIND, id, self.given[id]), message)
        elif self.coming and owner_of(id) in self.coming:
            self.early.append((id, message))
        elif isinstance(message, RequestReceived | Replacing):
            self.perform(id, fx.Respond(message.server, respond(message.request, 481, to_tag=self.ids.loose_tag())))

    def rows(self) -> list[list[Any]]:
        """[id, caller, dialled, phase, start, answer, media gateway] of every call."""
        return [
            [id, r.caller, r.dialled, call.phase, r.start, r.answer, call.media.gateway if call.media else ""]
            for id, call in self.host.entities(KIND)
            if (r := call.record) is not None
        ]


PERFORM: dict[type, Callable[[CallShell, str, Any], None]] = {
    fx.StartTimer: CallShell.timer,
    fx.FindRoute: CallShell.find_route,
    fx.Admit: CallShell.admit,
    fx.Seize: CallShell.seize,
    fx.FindAccount: CallShell.find_account,
    fx.Shun: CallShell.shun,
    fx.Hold: CallShell.hold,
    fx.Free: CallShell.free,
    fx.Locate: CallShell.locate,
    fx.ReserveMedia: CallShell.reserve,
    fx.ConnectMedia: CallShell.connect,
    fx.ReleaseMedia: CallShell.release,
    fx.SaveCall: CallShell.save,
    fx.Record: CallShell.record,
    fx.Ended: CallShell.ended,
}
