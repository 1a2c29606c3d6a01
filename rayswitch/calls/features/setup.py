"""The caller's INVITE, and what it comes to: an attempt to reach whom he dialled, or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Attempt, Goal
from rayswitch.calls.carried import passed_on, session_of
from rayswitch.calls.events import Invited
from rayswitch.calls.features import answer, early, release, reliable, routing, session_timer
from rayswitch.calls.leg import Leg
from rayswitch.calls.media_plan import MediaPlan
from rayswitch.calls.next_hop import family
from rayswitch.calls.privacy import is_private
from rayswitch.calls.record import CallRecord
from rayswitch.calls.routing.route import OUTSIDE
from rayswitch.sdp.session import BadSession
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.message import BadMessage, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


def invited(call: Call, event: Invited) -> None:
    """The caller's INVITE: open its half call and ask where the dialled number leads."""
    call.gateway = event.server[0]
    call.record = CallRecord(event.caller, event.name, event.target, call.wall)
    call.record.came_by = event.rights if event.rights.startswith(OUTSIDE) else ""
    call.a = leg = Leg(0, event.flow)
    leg.number, leg.rights = event.caller, event.rights
    leg.invite, leg.server = event.request, event.server
    leg.hear(event.request)
    call.media = MediaPlan(family(event.flow))
    leg.promised = reliable.wanted(call, event.request)
    try:
        leg.dialog = Dialog.uas(event.request, call.ids.tag(call.id, 0))
        leg.sdp = session_of(event.request)
    except BadMessage as error:
        release.refuse(call, error.status, error.reason)
        return
    except BadSession as error:
        release.refuse(call, 400, f"Bad SDP: {error}")
        return
    brief = session_timer.too_brief(call, event.request)
    if brief:
        release.refuse(call, 422, headers=brief)
    elif leg.sdp is not None and not any(media.port for media in leg.sdp.media):
        release.refuse(call, 488, "No media offered")
    else:
        call.attempt = attempt_of(event, leg)
        routing.seek(call, call.attempt, Goal(event.target, event.rights))


def attempt_of(event: Invited, caller: Leg) -> Attempt:
    """The attempt that an INVITE asks for."""
    hops = (event.request.max_forwards or 70) - 1
    headers = passed_on(event.request)
    private = is_private(event.request)
    return Attempt(
        event.caller, event.name, caller.sdp, headers, hops, early.progress, answer.won, lost, private=private
    )


def lost(call: Call, worst: Response, side: str) -> None:
    """Nobody was reached; `side` is "" when it was not for a device to say."""
    status, reason = heard(worst) if side else (worst.status, worst.reason)
    release.refuse(call, status, reason, side=side, reason_from=worst)


def heard(response: Response) -> tuple[int, str]:
    """What the caller is told: a device's demand for a password of its own, or its absence, is not his to answer."""
    status = TOLD.get(response.status, response.status)
    return (status, response.reason) if status == response.status else (status, "")


TOLD = dict.fromkeys(range(300, 400), 480) | {401: 403, 407: 403, 503: 480}
"""A 3xx that led nowhere; 503 means that device, not this switch (§16.7 step 6)."""

EVENTS = {Invited: invited}
