"""From the dialled number to ringing devices: locate, lease media ports, INVITE.

Nothing rings before the media ports are there: without them the caller gets 503 at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.carried import session_of
from rayswitch.calls.effects import Locate
from rayswitch.calls.features import branches, release
from rayswitch.calls.leg import Leg
from rayswitch.calls.media_plan import MediaPlan
from rayswitch.calls.next_hop import family
from rayswitch.calls.record import CallRecord
from rayswitch.sdp.session import BadSession
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.events import Invited, Located, MediaRefused


def invited(call: Call, event: Invited) -> None:
    """The caller's INVITE: open its half call and ask where the called one is."""
    call.gateway = event.server[0]
    call.record = CallRecord(event.caller, event.name, event.target, call.wall)
    call.a = leg = Leg(0, event.flow)
    leg.invite, leg.server = event.request, event.server
    leg.hear(event.request)
    call.media = MediaPlan(family(event.flow))
    try:
        leg.dialog = Dialog.uas(event.request, call.ids.tag(call.id, 0))
        leg.sdp = session_of(event.request)
    except BadMessage as error:
        release.refuse(call, error.status, error.reason)
        return
    except BadSession as error:
        release.refuse(call, 400, f"Bad SDP: {error}")
        return
    if leg.sdp is not None and not any(media.port for media in leg.sdp.media):
        release.refuse(call, 488, "No media offered")
    elif not event.aor:
        release.refuse(call, 404, "No such number")
    else:
        call.out.append(Locate(event.aor))


def located(call: Call, event: Located) -> None:
    """The devices of the called one; none is 480 (RFC 3261 §21.4.18)."""
    if call.phase != "setup":
        return
    if not event.contacts:
        release.refuse(call, 480, "Not registered")
        return
    call.to_ring = [[uri, Flow.of(flow), path] for uri, flow, path in event.contacts]
    assert call.a is not None
    count = len(call.a.sdp.media) if call.a.sdp else 1
    call.reserve(count, {family(flow) for _, flow, _ in call.to_ring}, lambda: ring(call))


def no_media(call: Call, event: MediaRefused) -> None:
    """503 before anything rings; in a running call only the offer that asked for more fails."""
    del event
    assert call.media is not None
    then, call.then, call.media.asked = call.then, None, []
    if then is None:
        return
    if call.phase in release.UNANSWERED:
        release.refuse(call, 503, "No media port free", [("retry-after", "5")])
    elif call.exchange is not None:
        call.exchange.fail(call, 503, "No media port free")


def ring(call: Call) -> None:
    """INVITE every device, and start the clock of §13.2.1's caller patience."""
    call.phase = "ringing"
    call.save()
    for uri, flow, path in call.to_ring:
        branches.invite(call, uri, flow, path)
    call.to_ring = []
    call.start(call.settings.no_answer, "no-answer")
