"""The answer: one side's 2xx becomes the other side's 2xx, and both are acknowledged (RFC 3261 §13.2.2.4, 13.3.1.4).

Our own 2xx is repeated until its ACK comes; after 64 × T1 without one the call ends. A 2xx that a device repeats gets
the same ACK again. With a late offer (an INVITE without SDP) the device's 2xx carries the offer, and its ACK waits for
the caller's, which carries the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rayswitch.calls.attempt import Branch
from rayswitch.calls.carried import ABILITIES, SDP_CONTENT, readable_session
from rayswitch.calls.effects import RepeatAnswer, Respond, SendAck
from rayswitch.calls.features import branches, early, exchange, ports, release, reliable, session_timer
from rayswitch.calls.leg import Leg, Unacknowledged
from rayswitch.calls.next_hop import family
from rayswitch.sdp.anchor import common_codec_names
from rayswitch.sdp.session import Session
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.events import AckReceived
from rayswitch.sip.message import Request, Response, respond

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

GIVE_UP = 64
"""Times T1 (§13.3.1.4)."""


def won(call: Call, branch: Branch, response: Response) -> None:
    """The first 2xx: this device is B, the others are cancelled."""
    assert call.a is not None and call.media is not None
    leg = branch.leg
    session = leg.sdp if reliable.is_settled(leg) else readable_session(response) or leg.sdp
    if session is None:
        branches.too_late(call, leg)
        branches.cancel_all(call, None)
        release.refuse(call, 488, "No usable SDP in the answer")
        return
    session_timer.agreed(call, leg, response)
    branches.cancel_all(call, ELSEWHERE, spare=leg)
    del call.branches[leg.index]
    call.attempt = leg.invite = leg.early = None
    call.b, leg.sdp = leg, session
    call.phase = "answering"
    call.media.families["b"] = family(leg.flow)
    late = call.a.sdp is None
    if not late:
        call.ack(leg, leg.cseq)
        early.turn_to(call, leg)
        reliable.when_settled(call.a, lambda: accept(call, branch, session, late))
        return
    ports.reserve(
        call,
        ports.Wish(
            len(session.media),
            {family(leg.flow)},
            "b",
            wanted=lambda: call.phase == "answering",
            granted=lambda: accept(call, branch, session, late),
            refused=lambda: release.refuse(call, 503, "No media port free", [("retry-after", "5")]),
        ),
    )


def accept(call: Call, branch: Branch, session: Session, late: bool) -> None:
    """200 to the caller, media through, journal."""
    assert call.a is not None and call.record is not None
    leg = branch.leg
    call.phase = "answered"
    call.record.answer = call.wall
    call.record.reached = branch.goal.number  # the row of a device names the device
    body = connect(call, leg, session)
    if reliable.is_settled(call.a):
        body = b""  # he has it, and it cannot change any more (RFC 3262 §5)
    note_codec(call, session)
    caller, server = call.a, call.a.server
    if late:
        call.exchange = exchange.Exchange(caller, None, leg, late=True, cseq=leg.cseq, owed=True)
    response = final(call, body)
    caller.invite = caller.server = None
    promise(call, caller, server, response, cseq=caller.dialog.remote_seq if caller.dialog else 0)
    call.save()


def note_codec(call: Call, session: Session) -> None:
    """The record shows the codec of the last answer; a call on hold by port 0 keeps what it had."""
    assert call.record is not None
    call.record.codec = next(iter(common_codec_names(session)), call.record.codec)


def connect(call: Call, leg: Leg, session: Session) -> bytes:
    """`session` of `leg` as the other side sees it; the relay follows what is known of both."""
    assert call.media is not None and call.a is not None
    other = call.peer_of(leg)
    assert other is not None
    call.media.learn(leg.side, session)
    if other.sdp is not None:
        call.media.learn(other.side, other.sdp)
        ports.connect(call)
    return other.describe(session, call.media.endpoints(other.side, session), call.origin(other))


def final(call: Call, body: bytes) -> Response:
    """The 200 for the caller's INVITE."""
    assert call.a is not None and call.a.invite is not None
    headers = [("contact", call.a.contact(call.id)), *ABILITIES]
    headers += [*session_timer.agree(call, call.a, call.a.invite), *(SDP_CONTENT if body else ())]
    return respond(call.a.invite, 200, to_tag=early.tag(call), headers=headers, body=body)


def promise(call: Call, leg: Leg, server: Any, response: Response, cseq: int) -> None:
    """Send a 2xx to an INVITE, and again until it is acknowledged."""
    call.out.append(Respond(server, response))
    leg.unacknowledged = Unacknowledged(server, response, cseq, call.settings.t1, call.wall)
    call.start(call.settings.t1, "2xx", [leg.index, cseq])


def again(call: Call, data: list[int]) -> None:
    """T1, 2 T1, 4 T1 … up to T2 = 8 T1; the end after 64 T1."""
    leg, t1 = call.leg(data[0]) or leaving(call, lambda leg: leg.index == data[0]), call.settings.t1
    waiting = leg.unacknowledged if leg else None
    if leg is None or waiting is None or waiting.cseq != data[1]:
        return
    waiting.waited += waiting.interval
    left = GIVE_UP * t1 - waiting.waited
    if left <= 0:
        leg.unacknowledged = None
        if call.leg(leg.index) is leg:
            release.end(call, "", 408, "No ACK")
        release.overdue(call, leg, waiting)
        return
    waiting.interval = min(2 * waiting.interval, 8 * t1, left)
    repeat(call, leg, waiting)
    call.start(waiting.interval, "2xx", data)


def repeat(call: Call, leg: Leg, waiting: Unacknowledged) -> None:
    """The 2xx once more."""
    if waiting.server is None:
        call.out.append(RepeatAnswer(call.gateway, waiting.response, leg.flow))
    else:
        call.out.append(Respond(waiting.server, waiting.response))


def resumed(call: Call) -> None:
    """After a restart nobody knows whether a young 2xx was heard: it goes out again, and whoever has heard it before
    acknowledges it again (§13.2.2.4). An older one was acknowledged, or its call would be over; one that went over a
    connection has arrived, and the connection may have ended with the process.
    """
    for leg in (call.a, call.b):
        waiting = leg.unacknowledged if leg else None
        if leg is None or waiting is None:
            continue
        if leg.flow.reliable or call.wall - waiting.since > GIVE_UP * call.settings.t1:
            leg.unacknowledged = None
            continue
        waiting.since = call.wall
        repeat(call, leg, waiting)
        call.start(waiting.interval, "2xx", [leg.index, waiting.cseq])
        call.save()  # whoever takes it up next has to wait as well


def acknowledged(call: Call, event: AckReceived) -> None:
    """The ACK of one of our 2xx; with a late offer it carries the answer."""
    leg = call.leg_of(event.request) or leaving(call, lambda leg: is_from(leg, event.request))
    if leg is None or leg.unacknowledged is None or event.request.cseq.number != leg.unacknowledged.cseq:
        return
    waiting, leg.unacknowledged = leg.unacknowledged, None
    leg.flow = event.flow
    if waiting.server is None:
        call.save()
    release.overdue(call, leg, waiting)
    if call.exchange is not None and call.exchange.late and call.exchange.asker is leg:
        call.exchange.completed(call, event.request)


def leaving(call: Call, fits: Callable[[Leg], bool]) -> Leg | None:
    """One that is in the call no more, and whose BYE waits for an ACK."""
    return next((leg for leg in call.strays.values() if leg.unacknowledged and fits(leg)), None)


def is_from(leg: Leg, request: Request) -> bool:
    """Is it in this dialog?"""
    return leg.dialog is not None and leg.dialog.matches(request)


def repeated(call: Call, response: Response) -> None:
    """A 2xx nobody waits for: our ACK was lost, or a second device behind a proxy answered (§13.2.2.4)."""
    if response.cseq.method != "INVITE" or not 200 <= response.status < 300:
        return
    kin = [leg for leg in (call.a, call.b, *call.strays.values()) if leg and leg.call_id == response.call_id]
    for leg in kin:
        if leg.dialog is not None and leg.dialog.remote_tag == response.to.tag:
            acknowledge_again(call, leg, response.cseq.number)
            return
    if kin and kin[0].dialog is not None:
        stray = Leg(kin[0].index, kin[0].flow)
        stray.dialog = Dialog.sibling(kin[0].dialog, response)
        send_home(call, stray, response.cseq.number)


def acknowledge_again(call: Call, leg: Leg, cseq: int) -> None:
    """The ACK of this 2xx once more, unless it waits for the caller's; after a restart it is made anew."""
    if leg.ack is None and call.phase == "answered" and call.exchange is None:
        call.ack(leg, cseq)
    elif leg.ack is not None and leg.ack.cseq.number == cseq:
        call.out.append(SendAck(call.gateway, leg.ack, leg.flow))


def send_home(call: Call, leg: Leg, cseq: int) -> None:
    """ACK and BYE for a half call that was answered in vain; when its 2xx comes again it gets the ACK alone."""
    assert leg.dialog is not None
    call.strays[(leg.dialog.call_id, leg.dialog.remote_tag)] = leg
    call.ack(leg, cseq)
    release.bye_to(call, leg, None)


ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
"""RFC 3326 §3.1: a phone that was cancelled so does not show a missed call."""

TIMERS = {"2xx": again}
EVENTS = {AckReceived: acknowledged}
