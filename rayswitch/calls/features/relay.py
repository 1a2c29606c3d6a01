"""Requests inside the dialog that change nothing: OPTIONS is answered here, INFO and MESSAGE with a body go across.

Without a body they only ask whether the dialog lives, and the answer is 200 (FEATURES §2, RFC 6086 §4.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.carried import ALLOWED_IN_DIALOG
from rayswitch.calls.features import release
from rayswitch.calls.leg import Leg
from rayswitch.sip.message import Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.sip.events import RequestReceived

CARRIED = ("content-type", "content-disposition", "info-package", "content-encoding", "content-language")


def options(call: Call, leg: Leg, event: RequestReceived) -> None:
    """The dialog lives, and this is what it takes (§11.2)."""
    del leg
    headers = [("allow", ALLOWED_IN_DIALOG), ("accept", "application/sdp")]
    call.answer(event, 200 if call.phase != "ending" else 481, headers=headers)


def forward(call: Call, leg: Leg, event: RequestReceived) -> None:
    """INFO and MESSAGE: across to the other side, whose answer comes back."""
    peer = call.peer_of(leg)
    if call.phase == "ending":
        call.answer(event, 481)
    elif not event.request.body:
        call.answer(event, 200)
    elif call.phase != "answered" or peer is None or peer.dialog is None:
        call.answer(event, 480)
    else:
        headers = [(name, value) for name in CARRIED for value in event.request.get_all(name)]
        request = peer.dialog.request(event.request.method, peer.contact(call.id), headers, event.request.body)
        call.send(peer, request, returned, event)


def returned(call: Call, peer: Leg, event: RequestReceived, response: Response) -> None:
    """The other side's final answer; 481 and 408 mean that it is gone (§12.2.1.2)."""
    del peer
    if response.status < 200:
        return
    if response.status != 408:  # which nobody may be told about a request like this (RFC 4320 §4.2)
        call.answer(event, {401: 403, 407: 403}.get(response.status, response.status))
    if response.status in (408, 481):
        release.end(call, "", response.status, "Peer gone")


METHODS = {"OPTIONS": options, "INFO": forward, "MESSAGE": forward}
