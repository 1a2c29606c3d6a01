"""What the caller hears before the answer: ringing, and early media of one device (RFC 3261 §13.2.1, RFC 3960).

The caller has a description of one device at a time.  When another one takes over, he gets its description in a dialog
of its own, with another To tag, as if a proxy had forked his INVITE: within one dialog a description that was given
cannot be exchanged by a response (§13.2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Branch
from rayswitch.calls.carried import SDP_CONTENT, readable_session
from rayswitch.calls.effects import Respond
from rayswitch.calls.features import answer, reliable
from rayswitch.calls.leg import Leg
from rayswitch.calls.next_hop import family
from rayswitch.sip.message import Response, respond

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


def progress(call: Call, branch: Branch, response: Response) -> None:
    """18x goes on to the caller, with early media when the device sends some."""
    assert call.record is not None and call.a is not None and call.media is not None
    leg = branch.leg
    if call.record.ring is None:
        call.record.ring = call.wall
    body = b""
    session = readable_session(response)
    if session is not None and call.a.sdp is not None and is_speaker(call, leg):
        leg.sdp = session
        leg.hear(response)
        call.media.families["b"] = family(leg.flow)
        turn_to(call, leg)
        body = answer.connect(call, leg, session)
    provisional(call, response.status, response.reason, body)


def is_speaker(call: Call, leg: Leg) -> bool:
    """Only one device may speak before the answer: the first that did."""
    return all(other.leg is leg or other.leg.sdp is None for other in call.branches.values())


def turn_to(call: Call, leg: Leg) -> None:
    """From now on the caller hears this device."""
    caller = call.a
    assert caller is not None and caller.dialog is not None and caller.invite is not None
    if caller.heard not in (0, leg.index):
        if call.exchange is not None:
            call.exchange.refuse(call, 481)
        caller.dialog.local_tag = call.ids.tag(call.id, 0, leg.index)
        caller.dialog.remote_seq = caller.invite.cseq.number
        caller.promised = reliable.wanted(call, caller.invite)
    caller.heard = leg.index


def speaker(call: Call) -> Leg | None:
    """The device that the caller hears before the answer."""
    branch = call.branches.get(call.a.heard) if call.a else None
    return branch.leg if branch else None


def partner(call: Call, leg: Leg) -> Leg | None:
    """Who can be told of a new offer of `leg` before the answer: both sides have an answer to the first one that is
    there for good, and an UPDATE may change it (RFC 3311 §5.1)."""
    device = speaker(call)
    if call.phase != "ringing" or call.a is None or device is None or leg not in (call.a, device):
        return None
    other = device if leg is call.a else call.a
    settled = reliable.is_settled(call.a) and reliable.is_settled(device)
    return other if settled and "UPDATE" in other.peer_allows else None


def provisional(call: Call, status: int, reason: str, body: bytes) -> None:
    """18x to the caller, in the dialog that the final answer will confirm."""
    assert call.a is not None and call.a.invite is not None
    headers = [("contact", call.a.contact(call.id)), *(SDP_CONTENT if body else ())]
    response = respond(call.a.invite, status, reason, to_tag=tag(call), headers=headers, body=body)
    if not reliable.promise(call, call.a, response):
        call.out.append(Respond(call.a.server, response))


def tag(call: Call) -> str:
    """Our tag in what the caller hears now."""
    return call.a.dialog.local_tag if call.a and call.a.dialog else call.ids.tag(call.id, 0)
