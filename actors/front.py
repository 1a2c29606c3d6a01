"""The user of a gateway's transaction layer: what is a new request about, and whose is it?

New requests are screened and, for REGISTER and INVITE, authenticated here, against the gateway's own copy of the
extensions. Then a REGISTER goes to the home of its address-of-record, an INVITE becomes a call, and whatever belongs
to a call goes to that call, wherever it lives: its tag says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actors.call_desk import CallDesk
from actors.callers import Callers, Source
from actors.outside.lines import Lines
from actors.outside.outgoing import PREFIXES
from actors.registration import Location
from actors.unanswered import Unanswered
from gateways.sip.gateway import SipGateway
from rayswitch.calls import registrar
from rayswitch.calls.carried import dialled, number_in
from rayswitch.calls.directory import NOBODY
from rayswitch.calls.events import Invited, Replacing
from rayswitch.calls.privacy import asserted, is_anonymous, is_private
from rayswitch.calls.replaces import HEADER, Replaces
from rayswitch.calls.screening import PROVED, answer_without_state
from rayswitch.sip.events import (
    AckReceived,
    CancelReceived,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unreachable,
)
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Request, Response, respond

log = logging.getLogger(__name__)


class Front:
    """Turns events of `gateway` into messages to entities."""

    def __init__(
        self,
        gateway: SipGateway,
        owner: str,
        callers: Callers,
        location: Location,
        calls: CallDesk,
        unanswered: Unanswered,
        wall: Callable[[], float],
    ) -> None:
        self.gateway = gateway
        self.owner = owner
        self.callers = callers
        self.authenticator = callers.authenticator
        self.directory = callers.directory
        self.location = location
        self.calls = calls
        self.wall = wall
        self.tag = callers.authenticator.tag
        self.unanswered = unanswered
        self.failures = 0
        self.lines: Lines | None = None
        """Lines and trunks, where there are any."""
        gateway.user = self.event
        gateway.doorkeeper = self.at_the_door
        gateway.door_tag = self.tag

    def at_the_door(self, request: Request, flow: Flow, now: float) -> Response | None:
        """Answer what needs no state, and ask who a new REGISTER or INVITE is from (RFC 3261 §8.2.7, 26.3.2.4)."""
        answer = answer_without_state(request)
        if answer is not None:
            request.stamp(*flow.remote)
            return respond(request, answer[0], to_tag=self.tag, headers=answer[1])
        header = PROVED.get(request.method)
        if header is None or request.has(header) or request.to.tag:
            return None
        return self.callers.question(request, flow, now)

    def event(self, event: Any, now: float) -> None:
        """One event of the transaction layer; nothing that a message holds gets an exception out of here."""
        try:
            EVENTS[type(event)](self, event, now)
        except BadMessage as error:
            self.object(event, error.status, error.reason)
        except Exception:
            self.failures += 1
            log.exception("an event of the SIP gateway failed")
            self.object(event, 500, "Server Internal Error")

    def object(self, event: Any, status: int, reason: str) -> None:
        """Answer a request that could not be served."""
        if isinstance(event, RequestReceived):
            self.gateway.respond(event.server, respond(event.request, status, reason, to_tag=self.tag))

    def answer(self, event: RequestReceived, response: Response) -> None:
        """The answer that needs no entity."""
        self.gateway.respond(event.server, response)

    # -- requests ----------------------------------------------------------------------------------------------------

    def request(self, event: RequestReceived, now: float) -> None:
        """By its place: inside a dialog, or new; what else there is was answered at the door."""
        if event.request.to.tag:
            self.in_dialog(event)
        else:
            NEW[event.request.method](self, event, now)

    def in_dialog(self, event: RequestReceived) -> None:
        """To the call that the tag names; 481 when it cannot be one of ours."""
        ref = self.calls.named(event.request.to.tag)
        if ref is None:
            self.answer(event, respond(event.request, 481))
            return
        if event.request.method == "INVITE" or ref.host != self.owner:
            self.unanswered.add(event, ref)
        ref.tell(RequestReceived((self.owner, event.server), event.request, event.flow))

    def register(self, event: RequestReceived, now: float) -> None:
        """Authenticate, check that he registers himself (§10.3 steps 3 to 5), then ask the registration."""
        request = event.request
        number = self.authenticator.check(request, event.flow, now)
        if isinstance(number, Response):
            self.answer(event, number)
        elif not self.ours(request.ruri.host, event.flow) or not self.ours(request.to.uri.host, event.flow):
            self.answer(event, respond(request, 404, "Unknown domain", to_tag=self.tag))
        elif request.to.uri.user_decoded != number:
            self.answer(event, respond(request, 403, "Not your number", to_tag=self.tag))
        else:
            wall = self.wall()
            account = self.directory.get(number)
            options = (account or NOBODY).options
            flow = self.gateway.flows.lasting(event.flow)
            order = registrar.read(request, flow, None, wall, options.nat, options.max_contacts)
            self.location.register(
                self.directory.aor(number), order, lambda result: self.registered(event, result, wall)
            )

    def registered(self, event: RequestReceived, result: list[Any] | None, wall: float) -> None:
        """The registration has answered (None: its home is away)."""
        if result is None:
            self.answer(event, respond(event.request, 503, to_tag=self.tag, headers=[("retry-after", "2")]))
        else:
            self.answer(event, registrar.answer(event.request, result, wall, self.tag))

    def invite(self, event: RequestReceived, now: float) -> None:
        """Once it is known who calls it is a call, wherever calls live."""
        request = event.request
        caller = self.callers.who(request, event.flow, now)
        if isinstance(caller, Response):
            self.answer(event, caller)
        elif isinstance(caller, Source):
            self.from_outside(event, caller)
        else:
            self.new_call(event, caller)

    def new_call(self, event: RequestReceived, caller: str) -> None:
        """Hand the INVITE to a new call, which asks where the dialled number leads."""
        request = event.request
        target = dialled(request)
        if not request.uri.lower().startswith("tel:") and not self.ours(request.ruri.host, event.flow):
            target = f"{target}@{request.ruri.host}"
        account = self.directory.get(caller)
        name = (not is_anonymous(request) and request.from_.display) or (account.name if account else "")
        flow = self.gateway.flows.lasting(event.flow)
        invited = Invited((self.owner, event.server), request, flow, caller, name, target, caller)
        self.open(event, invited)

    def from_outside(self, event: RequestReceived, source: Source) -> None:
        """A call by a line or trunk: with its rights, and the caller that it names."""
        request = event.request
        caller = asserted(request) if source.trusted else ""
        if not caller and not is_private(request):
            caller = number_in(request.from_.uri, request.from_.uri.host.strip("[]").lower())
        name = request.from_.display if caller else ""
        server = (self.owner, event.server)
        flow = self.gateway.flows.lasting(event.flow)
        self.open(event, Invited(server, request, flow, caller, name, source.target, source.member))

    def open(self, event: RequestReceived, invited: Invited) -> None:
        """Hand the INVITE to a new call, unless there is no place for one."""
        request = event.request
        if request.has(HEADER):
            self.replace(event, invited)
            return
        ref = self.calls.open(invited)
        if ref is None:
            headers = [("retry-after", "2")]
            self.answer(event, respond(request, 503, "No call process", to_tag=self.tag, headers=headers))
        else:
            self.unanswered.add(event, ref)

    def replace(self, event: RequestReceived, invited: Invited) -> None:
        """Hand the INVITE to the call in which it wants a place (RFC 3891 §3)."""
        wanted = Replaces.of(event.request)
        ref = self.calls.named(wanted.to_tag) if wanted else None
        if ref is None:
            self.answer(event, respond(event.request, 481, to_tag=self.tag))
            return
        self.unanswered.add(event, ref)
        ref.tell(Replacing(*(getattr(invited, name) for name in Replacing.__slots__)))

    def ours(self, host: str, flow: Flow) -> bool:
        """Is this host our domain or the address the message came to?"""
        return host.lower() == self.directory.domain or host.strip("[]").lower() == flow.local[0].lower()

    # -- what belongs to something that runs ---------------------------------------------------------------------------

    def cancel(self, event: CancelReceived, now: float) -> None:
        """To the call of the INVITE."""
        del now
        ref = self.unanswered.ref(event.server)
        if ref is not None:
            ref.tell(CancelReceived((self.owner, event.server), event.reason))

    def ack(self, event: AckReceived, now: float) -> None:
        """The ACK of a 2xx: to its call; an ACK for nothing is dropped (§17.1.1.3)."""
        del now
        ref = self.calls.named(event.request.to.tag)
        if ref is not None:
            ref.tell(event)

    def response(self, event: ResponseReceived, now: float) -> None:
        """To the entity that sent the request; a stray one to the call whose tag it has in From."""
        del now
        if event.key is None:
            ref = self.calls.named(event.response.from_.tag)
            if ref is not None:
                ref.tell(ResponseReceived(0, event.response, event.flow))
            return
        owner, entity, key = event.key
        if entity.startswith(PREFIXES):
            self.answered_outside(event)
            return
        self.calls.ref(entity, owner).tell(ResponseReceived(key, event.response, event.flow))

    def silence(self, event: TimedOut | Unreachable, now: float) -> None:
        """A request of an entity that got no answer, or could not be sent."""
        del now
        owner, entity, key = event.key
        if entity.startswith(PREFIXES):
            self.answered_outside(event)
            return
        self.calls.ref(entity, owner).tell(type(event)(key))

    def answered_outside(self, event: Any) -> None:
        """What a line or trunk has sent itself."""
        if self.lines is not None:
            self.lines.event(event)


NEW: dict[str, Callable[[Front, RequestReceived, float], None]] = {
    "REGISTER": Front.register,
    "INVITE": Front.invite,
}

EVENTS: dict[type, Callable[[Front, Any, float], None]] = {
    RequestReceived: Front.request,
    CancelReceived: Front.cancel,
    AckReceived: Front.ack,
    ResponseReceived: Front.response,
    TimedOut: Front.silence,
    Unreachable: Front.silence,
}
