"""Calls as entity actors: `CallShell` does what the calls of this host want done, `CallDesk` opens and reaches calls.

A call lives where its placement says: in the gateway where its INVITE landed, or in a host of the call pool. Its id
carries that host, so whoever has one of its tags can reach it without asking anybody.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from actors.host import Host, Kind
from actors.journal.verbs import Writes
from actors.link import Links
from actors.media_desk import MediaDesk
from actors.outside.outgoing import split
from actors.placement import Placement
from actors.reference import Ref
from actors.registration import Location
from actors.routing import Numbers
from actors.sip_port import SipPort
from actors.warm_calls import WarmCalls
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.call import Call, Settings
from rayswitch.calls.events import (
    Admitted,
    Invited,
    Located,
    MediaGatewayRestarted,
    MediaRefused,
    MediaReserved,
    MemberRefused,
    MemberSeized,
    Release,
    Routed,
    TimerFired,
)
from rayswitch.calls.routing.route import Dialled, Place
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.identifiers import Identifiers, owner_of, tag_parts
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
    ) -> None:
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
        self.answered = 0
        self.ended_calls = 0
        self.filed: set[str] = set()
        """Calls that are still here though their record is on its way to the store."""
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
        call = Call.restore(id, snapshot, self.settings, self.ids, self.offset())
        self.host.adopt(KIND, id, call)
        for effect in call.resume(self.clock()):
            self.perform(id, effect)

    def restarted(self, gateway: str) -> None:
        """A media gateway has lost its memory: every call it carries describes itself again."""
        for id, call in list(self.host.entities(KIND)):
            if call.media is not None and call.media.gateway == gateway:
                self.host.tell(KIND, id, MediaGatewayRestarted())

    def release_all(self, cause: str) -> None:
        """BYE, CANCEL and CDR for everything that runs."""
        for id, _ in list(self.host.entities(KIND)):
            self.host.tell(KIND, id, Release(cause))

    def open_calls(self) -> int:
        """Calls whose CDR is not written yet."""
        return sum(not call.recorded for _, call in self.host.entities(KIND))

    # -- what a call wants ---------------------------------------------------------------------------------------------

    def perform(self, id: str, effect: Any) -> None:
        """SIP effects go to the gateway, the others are done here."""
        action = PERFORM.get(type(effect))
        if action is None:
            self.sip.perform(id, effect)
        else:
            action(self, id, effect)

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
        self.location.look_up(effect.aor, lambda contacts: self.host.tell(KIND, id, Located(contacts, effect.aor)))

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
        if isinstance(message, RequestReceived | Invited):
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
        """A message for a call that is over: 481 to a request (RFC 3261 §12.2.2), silence to the rest."""
        if isinstance(message, RequestReceived):
            self.sip.perform(id, fx.Respond(message.server, respond(message.request, 481)))

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


class CallDesk:
    """Opens calls where the placement wants them, and refers to calls anywhere."""

    def __init__(self, links: Links, placement: Placement, ids: Callable[[str], Identifiers]) -> None:
        self.links = links
        self.placement = placement
        self.ids = ids
        self.turn = itertools.count()
        self.shell: CallShell | None = None
        """Set when calls live in this very process."""
        self.warm: WarmCalls | None = None
        """Set in a gateway when each call is to have an actor of its own."""

    def open(self, invited: Invited) -> Ref | None:
        """A new call; None when no process could take it."""
        waiting = self.warm.take() if self.warm is not None else None
        if waiting is not None:
            return self.open_at(*waiting, invited)
        if not self.placement.overflows:
            return None
        if self.shell is not None:
            ref = self.shell.create(self.ids(self.shell.me).call())
            ref.tell(invited)
            return ref
        hosts = [host for host in self.placement.hosts if self.links.alive(host)]
        if not hosts:
            return None
        owner = hosts[next(self.turn) % len(hosts)]
        return self.open_at(owner, self.ids(owner).call(), invited)

    def open_at(self, owner: str, id: str, invited: Invited) -> Ref:
        """In another process."""
        self.links.tell(owner, "call.open", [id, invited])
        return self.ref(id, owner)

    def serve(self, shell: CallShell) -> None:
        """This process is of the call pool: take the calls that gateways open here."""
        self.shell = shell
        self.links.on("call.open", self.opened)

    def opened(self, peer: str, payload: list[Any]) -> None:
        """A gateway has opened a call here."""
        del peer
        id, invited = payload
        assert self.shell is not None
        self.shell.create(id).tell(invited)

    def exists(self, ref: Ref) -> bool:
        """Is this call in this process?"""
        return self.shell is not None and self.shell.host.has(KIND, ref.key)

    def ref(self, id: str, owner: str) -> Ref:
        """The call `id`, which lives on `owner`."""
        return Ref(KIND, id, owner)

    def named(self, tag: str | None) -> Ref | None:
        """The call that a tag of ours names; None for any other tag, and for a host that there is not: anybody can
        write one, and must not make us wait for it."""
        parts = tag_parts(tag or "")
        owner = owner_of(parts[0]) if parts else None
        return self.ref(parts[0], owner) if parts and owner and self.knows(owner) else None

    def knows(self, owner: str) -> bool:
        """Is there such a host of calls?"""
        return owner in self.placement.hosts or (self.warm is not None and self.warm.knows(owner))
