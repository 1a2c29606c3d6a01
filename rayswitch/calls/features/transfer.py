"""Transfer: one side asks us, by REFER, to connect the other one with somebody else (RFC 3515).

    REFER → 202, NOTIFY 100 → the target rings (NOTIFY 180) → its 2xx: NOTIFY 200, BYE to who transferred,
                                                                       a re-INVITE to who stays
                                                            → its failure: NOTIFY, and the two talk on

Who transfers decides with his rights where the call may go; the target sees who stays as its caller. He may hang up at
once: should the target fail then, he is rung himself (once), and the call ends when he does not answer either.

With `Refer-Sub: false` (RFC 4488) nobody is notified.

An attended transfer names the dialog of a second call, whose other side is the target (Replaces, RFC 5589 §7).  When
that call is one of ours, its half call is asked inside the switch to let us take its place (`replacing.py`), and the
media of who stays goes by that call from then on; a foreign one is asked by the INVITE.  When the second call is not
answered yet, or is over, its target is rung as by a blind transfer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rayswitch.calls import inside
from rayswitch.calls.attempt import Attempt, Branch, Device, Goal
from rayswitch.calls.carried import number_in, readable_session, user_part
from rayswitch.calls.features import (
    answer,
    branches,
    exchange,
    ports,
    release,
    reliable,
    relocation,
    routing,
    session_timer,
)
from rayswitch.calls.leg import Leg
from rayswitch.calls.media_plan import Bypass, MediaPlan
from rayswitch.calls.next_hop import family
from rayswitch.calls.privacy import asserted
from rayswitch.calls.replaces import Replaces, in_uri
from rayswitch.sdp.anchor import remote_endpoints
from rayswitch.sdp.session import parse, reopened
from rayswitch.sip.headers import NameAddr
from rayswitch.sip.identifiers import tag_parts
from rayswitch.sip.message import BadMessage, Request, Response
from rayswitch.sip.reasons import REASONS

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.sip.events import RequestReceived

HOPS = 69
BUSY = 2.1, 4.0
"""Seconds after which the one who stays is told again, when he was busy (RFC 3261 §14.1)."""
LIFETIME = 180
"""Seconds that a subscription to the progress is said to last: more than anybody lets ring."""
FRAGMENT = ("content-type", "message/sipfrag;version=2.0")
TOO_EARLY_OR_LATE = (481, 503, 603)
"""What a call of ours says that has no such half call, not yet or not any more, and what is said of a call that is
gone."""
NOT_SUBSCRIBED = ("refer-sub", "false")


class Target(NamedTuple):
    """The number to be rung, a whole address when it is not in our domain, and the value of a Replaces header."""

    number: str
    replaces: str = ""

    @property
    def call(self) -> str:
        """The call of ours that has the dialog which is to be replaced, "" for none."""
        parts = tag_parts(Replaces.parse(self.replaces).to_tag) if self.replaces else None
        return parts[0] if parts else ""


class Transfer:
    """`leg` transfers, `stays` is handed over to `target`; `event` names the subscription, "" without one."""

    __slots__ = ("event", "gone", "leg", "media", "returning", "stays", "target")

    def __init__(self, leg: Leg, stays: Leg, target: Target, event: str, media: MediaPlan | None) -> None:
        self.leg = leg
        self.stays = stays
        self.target = target
        self.event = event
        self.media = media
        """How the two talk while the target is rung."""
        self.gone = False
        """Has `leg` hung up?"""
        self.returning = False
        """Is it `leg` who is rung now?"""


# -- the order ---------------------------------------------------------------------------------------------------------


def refer(call: Call, leg: Leg, event: RequestReceived) -> None:
    """REFER inside the dialog (RFC 3515 §2.4.2)."""
    stays = call.peer_of(leg) if call.phase == "answered" else None
    target: Target | int = objection(call, leg, stays) or target_of(call, leg, event.request)
    if stays is None or isinstance(target, int):
        call.answer(event, target if isinstance(target, int) else 481)
        return
    wanted = (event.request.get("refer-sub") or "").strip().lower() != "false"
    subscription = f"refer;id={event.request.cseq.number}" if leg.referred else "refer"
    call.transfer = Transfer(leg, stays, target, subscription if wanted else "", call.media)
    leg.referred = True
    call.answer(event, 202, headers=[("contact", leg.contact(call.id)), *(() if wanted else (NOT_SUBSCRIBED,))])
    notify(call, 100, "Trying")
    begin(call, call.transfer, target)


def objection(call: Call, leg: Leg, stays: Leg | None) -> int:
    """Why it cannot be now, as a status; 0: it can."""
    if stays is None or stays.sdp is None or leg.dialog is None:
        return 481 if call.phase == "ending" else 491
    taken = call.exchange is not None and call.exchange.place is not None
    if call.attempt is not None or call.transfer is not None or taken:
        return 491
    return 0 if leg.number and leg.rights == leg.number else 403


def target_of(call: Call, leg: Leg, request: Request) -> Target | int:
    """Whom Refer-To names; or the status that refuses it."""
    values = request.get_all("refer-to")
    if len(values) != 1:
        return 400
    try:
        uri = NameAddr.parse(values[0]).uri
        target = Target(number_in(uri, call.settings.domain, leg.flow.local[0].lower()), in_uri(uri))
        own = target.call == call.id
    except BadMessage:
        return 400
    if uri.params.get("method", "INVITE") != "INVITE":
        return 501
    return target if target.number and not own else 400


def begin(call: Call, transfer: Transfer, target: Target) -> None:
    """Ring the target, with what the one who stays has to offer."""
    leg, stays = transfer.leg, transfer.stays
    assert stays.sdp is not None and call.record is not None
    display = call.record.display if stays.side == "a" else ""
    headers = [("referred-by", f"<sip:{user_part(leg.number)}@{call.settings.domain}>")]
    if target.replaces:
        headers += [("replaces", target.replaces), ("require", "replaces")]
    call.attempt = attempt = Attempt(
        stays.number, display, reopened(stays.sdp), headers, HOPS, progressed, won, lost, side=leg.side
    )
    goal = Goal(target.number, leg.rights)
    if not target.call:
        routing.seek(call, attempt, goal)
        return
    uri = f"sip:{user_part(target.number)}@{call.settings.domain}"
    attempt.found.append(Device(goal, uri, inside.towards(target.call, family(stays.flow)), []))
    branches.ring(call, attempt)


# -- how it goes -------------------------------------------------------------------------------------------------------


def progressed(call: Call, branch: Branch, response: Response) -> None:
    """The target rings."""
    del branch
    notify(call, response.status, response.reason)


def won(call: Call, branch: Branch, response: Response) -> None:
    """The target has answered: it takes the place of who transferred."""
    leg, transfer = branch.leg, call.transfer
    assert transfer is not None and call.record is not None
    session = leg.sdp if reliable.is_settled(leg) else readable_session(response) or leg.sdp
    call.attempt = None
    if session is None:
        branches.too_late(call, leg)
        branches.cancel_all(call, None)
        lost(call, Response.new(488), "b")
        return
    session_timer.agreed(call, leg, response)
    branches.cancel_all(call, answer.ELSEWHERE, spare=leg)
    del call.branches[leg.index]
    leg.invite = leg.early = None
    leg.sdp = session
    leg.number = asserted(response) if inside.is_inside(leg.flow) else leg.number
    call.ack(leg, leg.cseq)
    if call.exchange is not None:
        call.exchange.refuse(call, 491)  # the asker may ask the new one
    notify(call, 200, "OK")
    if not transfer.gone:
        release.bye_to(call, transfer.leg, None)
    replace(call, transfer, leg)
    call.record.marks.append(f"transferred by {transfer.leg.number} to {leg.number}")
    call.transfer = None
    tell(call, transfer.stays)
    call.save()


def replace(call: Call, transfer: Transfer, leg: Leg) -> None:
    """In the call, and in the relay."""
    assert call.media is not None and leg.sdp is not None
    if transfer.stays is call.a:
        call.b = leg
    else:
        call.a = leg
    if inside.is_inside(leg.flow):  # the other call has ports for who stays
        release.give_back(call, call.media)
        call.media = Bypass(family(transfer.stays.flow))
        relocation.spared(call)
    call.media.families[leg.side] = family(leg.flow)
    call.media.learn(leg.side, leg.sdp)
    ports.connect(call)


def tell(call: Call, stays: Leg) -> None:
    """A re-INVITE with what the target has answered, now or when he has time for it."""
    if call.exchange is not None or stays.unacknowledged is not None:
        call.start(call.pause(*BUSY), "tell", stays.index)
    else:
        exchange.retell(call, stays, told)


def tell_again(call: Call, index: int) -> None:
    """Has he time now?"""
    leg = call.leg(index)
    if leg is not None and call.phase == "answered" and call.peer_of(leg) is not None:
        tell(call, leg)


def told(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """His answer: when he is busy he is tried again, without him there is no call (§12.2.1.2, 14.1, 14.2)."""
    del data
    if call.phase != "answered":
        return
    if response.status == 491 or (response.status == 500 and response.has("retry-after")):
        call.start(call.pause(*BUSY), "tell", leg.index)
    elif response.status >= 300:
        release.end(call, "", response.status, "Transfer failed")
    else:
        pass_answer(call, leg)
        call.save()


def pass_answer(call: Call, leg: Leg) -> None:
    """Past the switch the new one has to hear where `leg` wants its media, when that is not where it was before."""
    other = call.peer_of(leg)
    if leg.sdp is None or other is None or not isinstance(call.media, Bypass):
        return
    if remote_endpoints(leg.sdp) != remote_endpoints(parse(other.sdp_body))[: len(leg.sdp.media)]:
        tell(call, other)


def lost(call: Call, worst: Response, side: str) -> None:
    """The target was not reached: the two go on talking, or who transferred is rung himself."""
    del side
    transfer = call.transfer
    assert transfer is not None
    if transfer.target.call and worst.status in TOO_EARLY_OR_LATE and not transfer.returning:
        transfer.target = Target(asserted(worst) or transfer.target.number)
        begin(call, transfer, transfer.target)
        return
    notify(call, worst.status, worst.reason)
    if not transfer.gone:
        call.transfer = None
        stay_past(call, transfer.media)
    elif transfer.returning:
        release.end(call, "", worst.status, "Transfer failed")
    else:
        transfer.returning = True
        begin(call, transfer, Target(transfer.leg.number))


def stay_past(call: Call, before: MediaPlan | None) -> None:
    """The two send to each other as before: ports that were for the target would only cut them off."""
    if isinstance(before, Bypass) and call.media is not None and not call.media.connected:
        release.give_back(call, call.media)
        call.media = before


def left(call: Call, leg: Leg) -> bool:
    """Is it who transfers that has hung up? Then the call waits for the target."""
    transfer = call.transfer
    if transfer is None or leg is not transfer.leg or call.attempt is None:
        return False
    transfer.gone, transfer.event = True, ""
    if call.exchange is not None:
        call.exchange.refuse(call, 487)
    if leg is call.a:
        call.a = None
    else:
        call.b = None
    return True


def resumed(call: Call) -> None:
    """After a restart nobody knows of the target that rang: who was left alone has no call."""
    if call.a is None or call.b is None:
        release.end(call, "", 500, "Switch process lost")


# -- telling who transfers ---------------------------------------------------------------------------------------------


def notify(call: Call, status: int, reason: str) -> None:
    """A status line of the target's as he would have seen it (RFC 3515 §2.4.5); a final one is the last."""
    transfer = call.transfer
    if transfer is None or not transfer.event or transfer.leg.dialog is None:
        return
    state = f"active;expires={LIFETIME}" if status < 200 else "terminated;reason=noresource"
    leg, body = transfer.leg, f"SIP/2.0 {status} {reason or REASONS.get(status, '')}\r\n".encode()
    headers = [("event", transfer.event), ("subscription-state", state), FRAGMENT]
    assert leg.dialog is not None
    call.send(leg, leg.dialog.request("NOTIFY", leg.contact(call.id), headers, body), notified)


def notified(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """Whatever he says, the transfer goes on."""
    del call, leg, data, response


METHODS = {"REFER": refer}
TIMERS = {"tell": tell_again}
