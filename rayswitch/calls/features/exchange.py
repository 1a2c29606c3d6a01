"""A new offer inside the call: re-INVITE and UPDATE from either side (RFC 3261 §14, 3311, 3264).

One exchange at a time passes through a call.  Whoever asks while his own request is open gets 500 with Retry-After,
whoever asks while the other side's is on its way to him gets 491 (§14.2): he waits and tries again.  A device that
answers 491 itself has it passed to the asker, whose back-off it is.  An UPDATE goes to a peer that does not allow it
as re-INVITE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rayswitch.calls.carried import ABILITIES, SDP_CONTENT, readable_session, session_of
from rayswitch.calls.effects import CancelRequest, Respond
from rayswitch.calls.features import answer, early, ports, release, session_timer
from rayswitch.calls.leg import Leg
from rayswitch.calls.next_hop import family
from rayswitch.sdp.session import BadSession, Session, padded, trimmed
from rayswitch.sip.message import Request, Response, respond

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.events import Replacing
    from rayswitch.sip.events import RequestReceived

Rows = Sequence[tuple[str, str]]


class Exchange:
    """One offer on its way from `asker` to `peer`; `late`: the offer comes back in the 2xx, the answer in the ACK.

    `owed`: the peer has given a 2xx with an offer, whose ACK waits for the asker's.  Without an asker the offer is our
    own.
    """

    __slots__ = ("asker", "cancelled", "cseq", "event", "gateway", "key", "late", "owed", "peer", "place")

    def __init__(
        self,
        asker: Leg | None,
        event: RequestReceived | Replacing | None,
        peer: Leg,
        late: bool,
        cseq: int = 0,
        owed: bool = False,
    ) -> None:
        self.asker = asker
        self.event = event
        self.peer = peer
        self.late = late
        self.cseq = cseq
        """Number of our INVITE to the peer."""
        self.key = 0
        self.gateway = ""
        """Its client transaction, and where that is."""
        self.owed = owed
        self.cancelled = False
        """Has the asker given it up?"""
        self.place: Leg | None = None
        """Whose place the asker wants (see `replacing`)."""

    def agreed(self, call: Call) -> None:
        """The peer has taken the offer, or has made one that there are ports for."""

    def introduces(self, call: Call) -> Rows:
        """What the asker's 200 says of the peer besides."""
        del call
        return ()

    def left(self, leg: Leg) -> bool:
        """`leg` has hung up: does the call go on without it?"""
        del leg
        return False

    def refuse(self, call: Call, status: int, headers: Rows = ()) -> None:
        """The asker's request, unless it is answered already, fails; the exchange is over, the session as it was."""
        call.exchange = None
        if self.event is not None:
            call.answer(self.event, status, headers=headers)
        if self.owed:
            call.ack(self.peer, self.cseq)

    def fail(self, call: Call, status: int, cause: str) -> None:
        """As `refuse`; an offer of the peer that got no answer leaves no session to go on with (§14.1)."""
        self.refuse(call, status)
        if self.owed:
            release.end(call, "", status, cause)

    def cancel(self, call: Call) -> None:
        """The asker's CANCEL goes to the peer, whose final answer decides (§9.1); 487 when it was not asked yet."""
        self.cancelled = True
        if self.key in call.pending:
            call.out.append(CancelRequest(self.gateway, self.key, self.peer.flow, None))
        else:
            self.fail(call, 487, "Cancelled")

    def completed(self, call: Call, ack: Request) -> None:
        """The asker's ACK of a late offer: its SDP is the answer, and the peer's 2xx can be acknowledged."""
        session = readable_session(ack)
        if session is None:
            self.fail(call, 488, "No answer in the ACK")
            return
        call.exchange = None
        assert self.asker is not None
        self.asker.sdp = session
        call.ack(self.peer, self.cseq, answer.connect(call, self.asker, session))
        answer.note_codec(call, session)
        call.save()


def offered(call: Call, leg: Leg, event: RequestReceived) -> None:
    """A re-INVITE or UPDATE from one side."""
    peer = call.peer_of(leg) if call.phase == "answered" else early.partner(call, leg)
    brief = session_timer.too_brief(call, event.request)
    if call.phase == "ending":
        call.answer(event, 481)
    elif brief:
        call.answer(event, 422, headers=brief)
    elif event.request.method == "UPDATE" and not is_offer(event.request):
        refreshed(call, leg, event)
    elif peer is None or call.exchange or peer.unacknowledged or not call.ports_free:
        busy(call, leg, event)
    elif is_refresh(leg, event.request):
        keep(call, leg, event)
    else:
        open_exchange(call, leg, peer, event)


def is_offer(request: Request) -> bool:
    """Is there a session description in it? An INVITE without one asks for an offer, an UPDATE offers nothing."""
    return bool(request.body) and request.content_type == "application/sdp"


def is_refresh(leg: Leg, request: Request) -> bool:
    """Does a re-INVITE only keep the session timer going (RFC 4028 §7.4): the description is the one we have?"""
    return request.has("session-expires") and leg.sdp is not None and request.body == leg.sdp.source


def keep(call: Call, leg: Leg, event: RequestReceived) -> None:
    """The session goes on as it is: the other side need not be asked."""
    headers = [("contact", leg.contact(call.id)), *ABILITIES, *session_timer.agree(call, leg, event.request)]
    headers += SDP_CONTENT
    response = respond(event.request, 200, headers=headers, body=leg.sdp_body)
    if event.request.method == "INVITE":
        answer.promise(call, leg, event.server, response, event.request.cseq.number)
    else:
        call.out.append(Respond(event.server, response))
    call.save()


def refreshed(call: Call, leg: Leg, event: RequestReceived) -> None:
    """An UPDATE that offers nothing: the dialog lives, and where its peer is may be new (RFC 3311 §5.2)."""
    call.answer(event, 200, headers=[("contact", leg.contact(call.id)), *session_timer.agree(call, leg, event.request)])
    if call.phase == "answered":
        call.save()


def busy(call: Call, leg: Leg, event: RequestReceived) -> None:
    """§14.2, RFC 3311 §5.2: the asker's own earlier offer is open, or one is on its way to him."""
    own = call.exchange.asker is leg if call.exchange else leg is call.a and call.phase != "answered"
    if own:
        call.answer(event, 500, headers=[("retry-after", "2")])
    else:
        call.answer(event, 491)


def open_exchange(call: Call, leg: Leg, peer: Leg, event: RequestReceived) -> None:
    """The asker has his answer to what he asked before, or would not ask."""
    leg.unacknowledged = None
    begin(call, event, lambda late: Exchange(leg, event, peer, late))


def begin(call: Call, event: RequestReceived | Replacing, make: Callable[[bool], Exchange]) -> None:
    """Read the offer, lease ports for lines that are new, send it on; `make(late)` is the exchange."""
    try:
        session = session_of(event.request)
    except BadSession as error:
        call.answer(event, 400, reason=f"Bad SDP: {error}")
        return
    count = len(session.media) if session else 0
    exchange = call.exchange = make(session is None)
    reserve(call, exchange, count, lambda: pass_on(call, exchange, session))


def reserve(call: Call, exchange: Exchange, streams: int, then: Callable[[], None]) -> None:
    """Go on with `then` when there are ports for so many lines."""
    assert exchange.asker is not None
    ports.reserve(
        call,
        ports.Wish(
            streams,
            {family(exchange.asker.flow)},
            exchange.asker.side,
            wanted=lambda: call.exchange is exchange,
            granted=then,
            refused=lambda: exchange.fail(call, 503, "No media port free"),
        ),
    )


def pass_on(call: Call, exchange: Exchange, session: Session | None) -> None:
    """The peer's half of the exchange."""
    peer, event = exchange.peer, exchange.event
    assert call.media is not None and event is not None and peer.dialog is not None
    body = b""
    if session is not None:
        whole = padded(session, peer.sdp)
        body = peer.describe(whole, call.media.endpoints(peer.side, whole), call.origin(peer))
    method = event.request.method
    if method == "PRACK":
        method = "UPDATE"
    if method == "UPDATE" and "UPDATE" not in peer.peer_allows:
        method = "INVITE"
    headers = [*session_timer.proposal(peer), *(SDP_CONTENT if body else ())]
    request = peer.dialog.request(method, peer.contact(call.id), headers, body)
    exchange.cseq = request.cseq.number
    exchange.gateway, exchange.key = call.gateway, call.send(peer, request, answered, session)


def answered(call: Call, peer: Leg, offer: Session | None, response: Response) -> None:
    """The peer's response: a 2xx is connected and passed on, anything else ends the exchange as it was."""
    exchange = call.exchange
    if response.status < 200:
        return
    if response.status >= 300:
        if exchange is not None and exchange.event is not None and session_timer.raised(peer, response):
            pass_on(call, exchange, offer)
        else:
            refused(call, exchange, response)
        return
    assert peer.dialog is not None
    peer.dialog.refresh(response)
    peer.hear(response)
    session_timer.agreed(call, peer, response)
    if exchange is None or exchange.event is None or call.phase == "ending":
        if response.cseq.method == "INVITE":
            call.ack(peer, response.cseq.number)
        return
    accepted(call, exchange, offer, response)


def accepted(call: Call, exchange: Exchange, offer: Session | None, response: Response) -> None:
    """2xx: SDP of both sides is in force from now on."""
    session, peer, asker, event = readable_session(response), exchange.peer, exchange.asker, exchange.event
    assert call.media is not None and asker is not None and event is not None
    invite = response.cseq.method == "INVITE"
    if invite and (session is None or not exchange.late):
        call.ack(peer, exchange.cseq)
    if session is None:
        exchange.refuse(call, 488)
        return
    exchange.owed = exchange.late
    peer.sdp = session
    if offer is not None:
        asker.sdp, session = offer, trimmed(session, len(offer.media))
    if exchange.late:
        reserve(call, exchange, len(session.media), lambda: tell(call, exchange, session))
    else:
        tell(call, exchange, session)


def tell(call: Call, exchange: Exchange, session: Session) -> None:
    """The asker's 200, with the peer's SDP as ours."""
    asker, event = exchange.asker, exchange.event
    assert asker is not None and event is not None
    exchange.agreed(call)
    body = answer.connect(call, exchange.peer, session)
    headers = [("contact", asker.contact(call.id)), *ABILITIES, *session_timer.agree(call, asker, event.request)]
    headers += [*exchange.introduces(call), *SDP_CONTENT]
    response = respond(event.request, 200, headers=headers, body=body)
    if event.request.method == "INVITE":
        answer.promise(call, asker, event.server, response, event.request.cseq.number)
    else:
        call.out.append(Respond(event.server, response))
    exchange.event = None
    if not exchange.late:
        call.exchange = None
    call.save()


def refused(call: Call, exchange: Exchange | None, response: Response) -> None:
    """The session stays as it was (§14.1); 481 and 408 mean that the peer is gone (§12.2.1.2)."""
    status = UNPASSABLE.get(response.status, response.status)
    if exchange is not None:
        status = 487 if exchange.cancelled else status
        exchange.refuse(call, status, release.passed_failure(response, call.settings.domain))
    if response.status in (408, 481):
        release.end(call, "", response.status, "Peer gone")


UNPASSABLE: dict[int, Any] = {401: 488, 407: 488, 422: 500, 503: 500}


# -- an offer of our own -----------------------------------------------------------------------------------------------

Done = Callable[["Call", Leg, Any, Response], None]


def retell(call: Call, leg: Leg, then: Done) -> None:
    """Tell one side what the other one's session is, as it stands: a re-INVITE of ours; `then` hears of its end."""
    peer = call.peer_of(leg)
    assert call.media is not None and leg.dialog is not None
    body = leg.sdp_body
    if peer is not None and peer.sdp is not None:
        body = leg.describe(peer.sdp, call.media.endpoints(leg.side, peer.sdp), call.origin(leg))
    exchange = call.exchange = Exchange(None, None, leg, late=False)
    headers = [*session_timer.proposal(leg), *SDP_CONTENT]
    request = leg.dialog.request("INVITE", leg.contact(call.id), headers, body)
    exchange.cseq = request.cseq.number
    exchange.gateway, exchange.key = call.gateway, call.send(leg, request, retold, (exchange, then))


def retold(call: Call, leg: Leg, data: tuple[Exchange, Done], response: Response) -> None:
    """The answer to it: where the side wants its media may be new."""
    exchange, then = data
    if response.status < 200:
        return
    if response.status < 300:
        learn(call, leg, response)
    if call.exchange is exchange:
        call.exchange = None
    then(call, leg, None, response)


def learn(call: Call, leg: Leg, response: Response) -> None:
    """ACK, and have the relay follow."""
    assert call.media is not None and leg.dialog is not None
    leg.dialog.refresh(response)
    leg.hear(response)
    session_timer.agreed(call, leg, response)
    call.ack(leg, response.cseq.number)
    session = readable_session(response)
    if session is not None and call.phase == "answered":
        leg.sdp = session
        if call.media.learn(leg.side, session):
            ports.connect(call)


METHODS = {"INVITE": offered, "UPDATE": offered}
