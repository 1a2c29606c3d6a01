"""An answered call goes on from elsewhere: by another media gateway, from another SIP gateway, or both.

What carried it is no more, or has to go. Whoever has the call now leases ports anew where the old ones are lost, has
them connected, and tells both sides by re-INVITE (RFC 3261 §12.2.1, 14.1): our end of the dialog is at a new address
(Contact), and the media go there. One side after the other, each as soon as nothing else is under way.

A side that has left says 481, and the call is over. One that is reached by nobody at the moment (a phone whose TCP
connection went down with its gateway) answers nothing; that alone ends no call: it may have its media still, and its
session timer decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.events import Relocated
from rayswitch.calls.features import branches, exchange, ports, release

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.leg import Leg
    from rayswitch.calls.media_plan import MediaPlan
    from rayswitch.sip.message import Response

AGAIN = 0.3, 0.6
"""Seconds until the next attempt, when something else is under way, at least and at most."""
NO_SUCH_DIALOG, PENDING = 481, (491, 500)
LOST, LEAVES = "lost", "leaves"
"""What has become of its media gateway."""


def relocated(call: Call, event: Relocated) -> None:
    """Tell both sides; a call that was still being set up has lost the ports that it offered."""
    if call.moving:
        return  # it is on its way; whoever looks after it sees when it has to move again
    if call.phase == "answered":
        call.moving = ["a", "b"]
        call.save()
        if event.media:
            replace(call, event.media)
        else:
            tell(call)
    elif event.media == LOST and call.phase != "ending":
        branches.cancel_all(call, None)
        release.refuse(call, 503, "Media gateway lost", [("retry-after", "2")])


def replace(call: Call, why: str) -> None:
    """Ports for the same streams somewhere else."""
    media = call.media
    if call.phase != "answered" or media is None:
        return
    if not call.ports_free:
        call.start(call.pause(*AGAIN), "ports elsewhere", why)
        return
    fresh = call.media = media.afresh()
    call.former = media if why == LEAVES else None
    ports.reserve(
        call,
        ports.Wish(
            len(fresh.streams),
            {fresh.families["b"]},
            "b",
            wanted=lambda: call.media is fresh and call.phase == "answered",
            granted=lambda: connected(call),
            refused=lambda: starved(call, media, why),
        ),
    )


def connected(call: Call) -> None:
    """The relay is there before anybody is told of it; the former one works until both sides know."""
    ports.connect(call)
    call.save()
    tell(call)


def starved(call: Call, media: MediaPlan, why: str) -> None:
    """Nobody has ports for it: a moment later somebody may."""
    call.media, call.former = media, None
    call.start(call.pause(*AGAIN), "ports elsewhere", why)


def tell(call: Call, data: Any = None) -> None:
    """The next side; when both know, nobody sends to the former ports any more."""
    del data
    if call.phase != "answered" or not call.moving:
        release.give_back(call, call.former)
        call.former = None
        return
    if call.exchange is not None or any(leg is None or leg.unacknowledged for leg in (call.a, call.b)):
        call.start(call.pause(*AGAIN), "tell where")
        return
    side = call.moving.pop(0)
    leg = next(leg for leg in (call.a, call.b) if leg is not None and leg.side == side)
    exchange.retell(call, leg, told)


def spared(call: Call) -> None:
    """It needs no ports any more, be they asked for or not: the sides are told all the same."""
    if call.moving:
        call.start(call.pause(*AGAIN), "tell where")


def told(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """It knows, or has left, or had something to say itself."""
    del data
    if response.status < 200 or call.phase != "answered":
        return
    if response.status == NO_SUCH_DIALOG:
        release.end(call, leg.side, 200, "Hung up while the call moved", spare=leg)
        return
    if response.status in PENDING:
        call.moving.append(leg.side)
        if call.moving == [leg.side]:  # the other side knows: nothing is left but to wait
            call.start(call.pause(*AGAIN), "tell where")
            return
    call.save()
    tell(call)


EVENTS = {Relocated: relocated}
TIMERS = {"ports elsewhere": replace, "tell where": tell}
