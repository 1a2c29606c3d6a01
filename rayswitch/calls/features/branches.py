"""Forking: every device of the called one rings; the first 2xx wins (RFC 3261 §16.7 seen from a B2BUA).

    located (or seized) → ports → a branch for each device: an INVITE, from its sending to its final response

Nothing rings before the media ports are there. Losers are cancelled; one that answers all the same gets ACK and BYE.
When all have failed the best failure counts. Whose attempt it is, is told of progress, of the answer and of failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.attempt import Attempt, Branch, Device, Goal, Rows
from rayswitch.calls.carried import (
    ALLOWED_IN_DIALOG,
    SDP_CONTENT,
    SUPPORTED_WITH_OFFER,
    SUPPORTED_WITHOUT,
)
from rayswitch.calls.effects import CancelRequest
from rayswitch.calls.events import Located
from rayswitch.calls.features import (
    answer,
    failover,
    forwarding,
    limits,
    naming,
    ports,
    release,
    reliable,
    session_timer,
)
from rayswitch.calls.inside import is_inside
from rayswitch.calls.leg import Leg
from rayswitch.calls.next_hop import family
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


def located(call: Call, event: Located) -> None:
    """The devices of a number; none is 480 (RFC 3261 §21.4.18)."""
    attempt = call.attempt
    goal = attempt.take(event.aor) if attempt else None
    if attempt is None or goal is None:
        return
    if not event.contacts:
        fail(call, attempt, Response.new(480, "Not registered"))
        return
    reach(call, attempt, goal, event.contacts)


def reach(call: Call, attempt: Attempt, goal: Goal, contacts: list[list[Any]], bypass: bool = True) -> None:
    """Ring these devices (see `Located`) once there are ports for their media, if those pass through us."""
    devices = [Device(goal, uri, Flow.of(flow), path) for uri, flow, path in contacts]
    attempt.found += devices
    families = {family(device.flow) for device in devices}
    ports.choose(call, bypass and goal.route is not None and goal.route.bypass, families)
    count = len(attempt.offer.media) if attempt.offer else 1
    ports.reserve(
        call,
        ports.Wish(
            count,
            families,
            attempt.side,
            wanted=lambda: call.attempt is attempt,
            granted=lambda: ring(call, attempt),
            refused=lambda: starve(call, attempt),
        ),
    )


def starve(call: Call, attempt: Attempt) -> None:
    """Without ports for it nothing rings."""
    attempt.found = []
    fail(call, attempt, Response.new(503, "No media port free", [("retry-after", "5")]))


def ring(call: Call, attempt: Attempt) -> None:
    """INVITE the devices that were found, and start the clock of the caller's patience (§13.2.1)."""
    assert call.record is not None
    devices, attempt.found = attempt.found, []
    if not attempt.first:
        attempt.first = len(call.record.legs) + 1
        route = devices[0].goal.route
        call.start((route.no_answer if route else 0) or call.settings.no_answer, "no-answer", attempt.first)
    if call.phase == "setup":
        call.phase = "ringing"
    call.save()
    for device in devices:
        invite(call, attempt, device)


def invite(call: Call, attempt: Attempt, device: Device) -> None:
    """Open a half call to one device and ring it."""
    assert call.record is not None
    index = len(call.record.legs) + 1
    leg = Leg(index, device.flow)
    leg.side = attempt.side
    leg.number, leg.rights = device.goal.called, device.goal.member or device.goal.called
    leg.answering = device.goal.answering
    row = [index, device.uri, 0]
    call.record.legs.append(row)
    call.branches[index] = branch = Branch(attempt, device.goal, leg, row, call.gateway)
    leg.invite = request(call, attempt, leg, device)
    branch.key = call.send(leg, leg.invite, responded, branch)
    if device.goal.member:
        failover.invited(call, branch)


def request(call: Call, attempt: Attempt, leg: Leg, device: Device) -> Request:
    """The INVITE for a device: nothing of the caller's side in it but who calls whom and what was offered."""
    assert call.media is not None
    goal, domain = device.goal, device.goal.domain or call.settings.domain
    tag = call.ids.tag(call.id, leg.index)
    body = b""
    if attempt.offer is not None:
        endpoints = None  # another call of ours has ports for it
        if not is_inside(leg.flow):
            endpoints = call.media.endpoints(attempt.side, attempt.offer, family(leg.flow))
        body = leg.describe(attempt.offer, endpoints, call.origin(leg))
    return Request.new(
        "INVITE",
        device.uri,
        [
            *(("route", hop) for hop in device.path),
            ("max-forwards", str(attempt.hops)),
            ("from", f"{naming.who_calls(attempt, goal, domain)};tag={tag}"),
            ("to", f"<{naming.uri_of(goal.called, domain, goal.form)}>"),
            ("call-id", call.ids.call_id()),
            ("cseq", "1 INVITE"),
            ("contact", leg.contact(call.id)),
            ("allow", ALLOWED_IN_DIALOG),
            *(SUPPORTED_WITH_OFFER if body else SUPPORTED_WITHOUT),
            *call.settings.proposal,
            *attempt.headers,
            *naming.identity(attempt, goal, domain),
            *forwarding.history(attempt, goal, call.settings.domain),
            *(SDP_CONTENT if body else ()),
        ],
        body,
    )


def responded(call: Call, leg: Leg, branch: Branch, response: Response) -> None:
    """A response of one device."""
    if response.status < 200:
        branch.heard = True
        if response.status > 100 and reliable.confirm(call, leg, response):
            leg.early = response
            if not branch.cancelled and call.attempt is branch.attempt:
                branch.attempt.progressed(call, branch, response)
        return
    branch.key = None
    branch.row[2] = response.status
    if response.status < 300:
        answered(call, branch, response)
    else:
        failed(call, branch, response)


def answered(call: Call, branch: Branch, response: Response) -> None:
    """2xx: the winner, or one that lost the race and is sent home."""
    leg, attempt = branch.leg, branch.attempt
    if not leg.meet(response):
        failed(call, branch, Response.new(502))
        return
    leg.hear(response)
    if call.attempt is attempt and not branch.cancelled:
        if call.record is not None and attempt.side == "b":
            call.record.went_by = branch.goal.member
        limits.keep(call, branch.goal, attempt.side)
        attempt.won(call, branch, response)
    else:
        too_late(call, leg)
        release.settle(call)


def too_late(call: Call, leg: Leg) -> None:
    """This device has answered in vain: in the record it is one of those that were cancelled."""
    call.branches.pop(leg.index).row[2] = 487
    answer.send_home(call, leg, leg.cseq)


def failed(call: Call, branch: Branch, response: Response) -> None:
    """A final failure of one device, unless it only wants to be asked in another way."""
    if rings(branch, call.attempt) and session_timer.raised(branch.leg, response):
        longer = str(max(call.settings.session_expires, branch.leg.min_se))
        ask_again(call, branch, [("session-expires", longer), ("min-se", str(branch.leg.min_se))])
        return
    if failover.proves(call, branch, response):
        return
    del call.branches[branch.leg.index]
    if call.attempt is branch.attempt:
        if not failover.goes_on(call, branch, response) and not forwarding.follows(call, branch, response):
            fail(call, branch.attempt, response, "b")
    else:
        release.settle(call)


def ask_again(call: Call, branch: Branch, changes: Rows) -> None:
    """The same INVITE once more: with a longer session interval (RFC 4028 §7.3), with a proof (RFC 3261 §22)."""
    leg = branch.leg
    assert leg.invite is not None
    leg.cseq += 1
    invite = leg.invite.copy()
    invite.remove("via")  # of the transaction that has failed
    invite.set("cseq", f"{leg.cseq} INVITE")
    for name, value in changes:
        invite.set(name, value)
    leg.invite, leg.early, leg.dialog, leg.confirmed = invite, None, None, None
    branch.row[2] = 0
    branch.key = call.send(leg, invite, responded, branch)


def fail(call: Call, attempt: Attempt, response: Response, side: str = "") -> None:
    """One way less: 6xx ends the search, the last one decides what becomes of the attempt."""
    attempt.failures.append(response)
    if response.status >= 600:
        cancel_all(call, None)
    elif attempt.sought or attempt.found or any(rings(branch, attempt) for branch in call.branches.values()):
        return
    call.attempt = None
    attempt.lost(call, best(attempt.failures), side)


def rings(branch: Branch, attempt: Attempt | None) -> bool:
    """Is this a device that may still answer?"""
    return branch.attempt is attempt and not branch.cancelled


def best(failures: list[Response]) -> Response:
    """§16.7 step 6: a 6xx, else the lowest class; within 4xx those that tell the caller what to change.

    A redirection that led nowhere ranks with the failure it becomes.
    """
    return min(failures, key=lambda failure: PREFERENCE.get(failure.status, (failure.status // 100 * 10 + 5)))


PREFERENCE = (
    dict.fromkeys(range(600, 700), 0)
    | dict.fromkeys((401, 407, 415, 420, 484), 41)
    | dict.fromkeys(range(300, 400), 48)
    | {408: 49, 503: 58}
)


def cancel_all(call: Call, reason: str | None, spare: Leg | None = None) -> None:
    """CANCEL whatever still rings, but `spare`."""
    for branch in call.branches.values():
        if branch.leg is not spare:
            cancel(call, branch, reason)


def cancel(call: Call, branch: Branch, reason: str | None) -> None:
    """CANCEL one that rings."""
    if branch.key is not None and not branch.cancelled:
        branch.cancelled = True
        branch.row[2] = 487  # until it says otherwise itself
        call.out.append(CancelRequest(branch.gateway, branch.key, branch.leg.flow, reason))


def no_answer(call: Call, first: int) -> None:
    """Nobody picked up in time: CANCEL to all, 408 to the caller."""
    attempt = call.attempt
    if attempt is not None and attempt.first == first:
        call.attempt = None
        cancel_all(call, None)
        attempt.lost(call, Response.new(408, "No Answer"), "")


def out_of_patience(call: Call, first: int) -> None:
    """The system's timer, or that of an extension; a line or trunk that rings may have one of its own instead."""
    if not any(branch.goal.no_answer and rings(branch, call.attempt) for branch in call.branches.values()):
        no_answer(call, first)


TIMERS = {"no-answer": out_of_patience}
EVENTS = {Located: located}
