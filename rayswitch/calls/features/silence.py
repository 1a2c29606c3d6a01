"""The emergency stop (FEATURES §2): a call in which nobody has said anything for minutes, and which is not on hold.

Who counts packets tells it, and goes on telling: a call that comes off hold has that time again, because its new
description is a sign of life there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.events import MediaSilent
from rayswitch.calls.features import release
from rayswitch.sdp.anchor import UNSPECIFIED
from rayswitch.sdp.session import Session

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

REASON = 'Q.850;cause=41;text="No media"'


def silent(call: Call, event: MediaSilent) -> None:
    """BYE to both, unless one of them wants it quiet."""
    if call.phase != "answered" or any(leg is not None and is_held(leg.sdp) for leg in (call.a, call.b)):
        return
    release.end(call, "", 408, f"No media for {event.seconds:g} s", REASON)


def is_held(session: Session | None) -> bool:
    """Is no stream of it open in both directions?"""
    return session is not None and not any(
        media.port and session.direction_of(media) == "sendrecv" and session.address_of(media) not in UNSPECIFIED
        for media in session.media
    )


EVENTS = {MediaSilent: silent}
