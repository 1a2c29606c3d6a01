"""Forking: every device of the called one rings; the first 2xx wins (RFC 3261 §16.7 seen from a B2BUA).

A branch is an INVITE to one device, from its sending to its final response.  Losers are cancelled; one that answers all
the same gets ACK and BYE.  When all have failed the caller hears the best failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.carried import ALLOWED_IN_DIALOG, SDP_CONTENT, passed_on, quoted, readable_session, user_part
from rayswitch.calls.effects import CancelRequest
from rayswitch.calls.features import answer, release
from rayswitch.calls.leg import Leg
from rayswitch.calls.next_hop import family
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Request, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


class Branch:
    """One INVITE to one device; `key` is its client transaction in `gateway`, None once it has ended."""

    __slots__ = ("cancelled", "gateway", "key", "leg", "row")

    def __init__(self, leg: Leg, row: list[Any], gateway: str) -> None:
        self.leg = leg
        self.gateway = gateway
        self.row = row
        self.key: int | None = None
        self.cancelled = False


def invite(call: Call, uri: str, flow: Flow, path: list[str]) -> None:
    """Open a half call to one device and ring it."""
    assert call.record is not None
    index = len(call.record.legs) + 1
    leg = Leg(index, flow)
    row = [index, uri, 0]
    call.record.legs.append(row)
    call.branches[index] = branch = Branch(leg, row, call.gateway)
    leg.invite = request(call, leg, uri, path)
    branch.key = call.send(leg, leg.invite, responded, branch)


def request(call: Call, leg: Leg, uri: str, path: list[str]) -> Request:
    """The INVITE for a device: nothing of the caller's side in it but who calls whom and what was offered."""
    assert call.a is not None and call.a.invite is not None and call.record is not None and call.media is not None
    domain, record, original = call.settings.domain, call.record, call.a.invite
    display = f'"{quoted(record.display)}" ' if record.display else ""
    body = b""
    if call.a.sdp is not None:
        endpoints = call.media.endpoints("b", call.a.sdp, family(leg.flow))
        body = leg.describe(call.a.sdp, endpoints, call.origin(leg))
    return Request.new(
        "INVITE",
        uri,
        [
            *(("route", hop) for hop in path),
            ("max-forwards", str((original.max_forwards or 70) - 1)),
            ("from", f"{display}<sip:{user_part(record.caller)}@{domain}>;tag={call.ids.tag(call.id, leg.index)}"),
            ("to", f"<sip:{user_part(record.dialled)}@{domain}>"),
            ("call-id", call.ids.call_id()),
            ("cseq", "1 INVITE"),
            ("contact", leg.contact(call.id)),
            ("allow", ALLOWED_IN_DIALOG),
            *passed_on(original),
            *(SDP_CONTENT if body else ()),
        ],
        body,
    )


def responded(call: Call, leg: Leg, branch: Branch, response: Response) -> None:
    """A response of one device."""
    if response.status < 200:
        if response.status > 100:
            leg.early = response
            if not branch.cancelled and call.phase == "ringing":
                progress(call, leg, response)
        return
    branch.key = None
    branch.row[2] = response.status
    if response.status < 300:
        answered(call, leg, response)
    else:
        failed(call, leg, response)


def progress(call: Call, leg: Leg, response: Response) -> None:
    """18x goes on to the caller, with early media when the device sends some (§13.2.1, RFC 3960)."""
    assert call.record is not None and call.a is not None and call.media is not None
    if call.record.ring is None:
        call.record.ring = call.wall
    body = b""
    session = readable_session(response)
    if session is not None and call.a.sdp is not None and early_speaker(call, leg):
        leg.sdp = session
        call.media.families["b"] = family(leg.flow)
        body = answer.connect(call, leg, session)
    answer.provisional(call, response.status, response.reason, body)


def early_speaker(call: Call, leg: Leg) -> bool:
    """Only one device may speak before the answer: the first that did."""
    return all(other.leg is leg or other.leg.sdp is None for other in call.branches.values())


def answered(call: Call, leg: Leg, response: Response) -> None:
    """2xx: the winner, or one that lost the race and is sent home."""
    assert leg.invite is not None
    try:
        leg.dialog = Dialog.uac(leg.invite, response)
    except BadMessage:
        failed(call, leg, Response.new(502))
        return
    leg.hear(response)
    if call.phase == "ringing":
        answer.won(call, leg, response)
    else:
        too_late(call, leg)
        release.settle(call)


def too_late(call: Call, leg: Leg) -> None:
    """This device has answered in vain: in the record it is one of those that were cancelled."""
    call.branches.pop(leg.index).row[2] = 487
    answer.send_home(call, leg, 1)


def failed(call: Call, leg: Leg, response: Response) -> None:
    """A final failure: 6xx ends the search, the last one decides what the caller hears."""
    del call.branches[leg.index]
    call.failures.append(response)
    if call.phase == "ringing":
        if response.status >= 600:
            cancel_all(call, None)
        if not call.branches or response.status >= 600:
            worst = best(call.failures)
            release.refuse(call, *heard(worst), side="b", reason_from=worst)
    else:
        release.settle(call)


def best(failures: list[Response]) -> Response:
    """§16.7 step 6: a 6xx, else the lowest class; within 4xx those that tell the caller what to change.

    A redirection is not followed here, so it ranks with the failure it becomes.
    """
    return min(failures, key=lambda failure: PREFERENCE.get(failure.status, (failure.status // 100 * 10 + 5)))


PREFERENCE = (
    dict.fromkeys(range(600, 700), 0)
    | dict.fromkeys((401, 407, 415, 420, 484), 41)
    | dict.fromkeys(range(300, 400), 48)
    | {408: 49, 503: 58}
)


def heard(response: Response) -> tuple[int, str]:
    """What the caller is told: a device's demand for a password of its own, or its absence, is not his to answer."""
    status = TOLD.get(response.status, response.status)
    return (status, response.reason) if status == response.status else (status, "")


TOLD = dict.fromkeys(range(300, 400), 480) | {401: 403, 407: 403, 503: 480}
"""3xx is not followed here; 503 means that device, not this switch (§16.7 step 6)."""


def cancel_all(call: Call, reason: str | None, spare: Leg | None = None) -> None:
    """CANCEL whatever still rings, but `spare`."""
    for branch in call.branches.values():
        if branch.leg is not spare and branch.key is not None and not branch.cancelled:
            branch.cancelled = True
            branch.row[2] = 487  # until it says otherwise itself
            call.out.append(CancelRequest(branch.gateway, branch.key, branch.leg.flow, reason))


def no_answer(call: Call, data: Any) -> None:
    """Nobody picked up in time: CANCEL to all, 408 to the caller."""
    del data
    if call.phase == "ringing":
        cancel_all(call, None)
        release.refuse(call, 408, "No Answer")
