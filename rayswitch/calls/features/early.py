"""What the caller hears before the answer: ringing, and early media of one device (RFC 3261 §13.2.1, RFC 3960)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Branch
from rayswitch.calls.carried import SDP_CONTENT, readable_session
from rayswitch.calls.effects import Respond
from rayswitch.calls.features import answer
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
        call.media.families["b"] = family(leg.flow)
        body = answer.connect(call, leg, session)
    provisional(call, response.status, response.reason, body)


def is_speaker(call: Call, leg: Leg) -> bool:
    """Only one device may speak before the answer: the first that did."""
    return all(other.leg is leg or other.leg.sdp is None for other in call.branches.values())


def provisional(call: Call, status: int, reason: str, body: bytes) -> None:
    """18x to the caller, in the dialog that the final answer will confirm."""
    assert call.a is not None and call.a.invite is not None
    headers = [("contact", call.a.contact(call.id)), *(SDP_CONTENT if body else ())]
    tag = call.ids.tag(call.id, 0)
    response = respond(call.a.invite, status, reason, to_tag=tag, headers=headers, body=body)
    call.out.append(Respond(call.a.server, response))
