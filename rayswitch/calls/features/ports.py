"""Media ports for a call: one wish at a time is open, others wait for their turn.

A wish that is answered at once (all ports are there already) costs nothing. Ports that come when what they were for
is no longer wanted go back at once, ports that stay unused go back with the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rayswitch.calls.events import MediaGatewayRestarted, MediaRefused, MediaReserved
from rayswitch.calls.media_plan import Bypass, MediaPlan

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


class Wish(NamedTuple):
    """Ports for so many streams, towards `families` on `side`: then `granted()` or `refused()`, if still `wanted()`."""

    streams: int
    families: set[int]
    side: str
    wanted: Callable[[], bool]
    granted: Callable[[], None]
    refused: Callable[[], None]


def choose(call: Call, bypass: bool, families: set[int]) -> None:
    """Media past the switch, or through it: phones of one family alone can send to each other. What has ports already
    stays as it is."""
    media = call.media
    assert media is not None
    bypass = bypass and families == {media.families["a"]}
    if isinstance(media, Bypass) != bypass and not media.streams and not media.asked:
        call.media = (Bypass if bypass else MediaPlan)(media.families["a"])


def connect(call: Call) -> None:
    """Switch the relay through, if there is one."""
    effect = call.media.connect() if call.media is not None else None
    if effect is not None:
        call.out.append(effect)


def reserve(call: Call, wish: Wish) -> None:
    """Go on with `wish.granted` once its ports are there."""
    assert call.media is not None
    if not call.ports_free:
        call.wishes.append(wish)
        return
    effect = call.media.reserve(wish.streams, wish.families, wish.side)
    if effect is None:
        wish.granted()
        return
    call.wish = wish
    call.out.append(effect)


def reserved(call: Call, event: MediaReserved) -> None:
    """The ports are there."""
    assert call.media is not None
    wish, call.wish = call.wish, None
    if wish is not None and wish.wanted():
        call.media.fill(event.gateway, event.ports)
        wish.granted()
    else:
        call.out.append(call.media.decline(event.gateway, event.ports))
    go_on(call)


def refused(call: Call, event: MediaRefused) -> None:
    """No media gateway has them."""
    del event
    assert call.media is not None
    wish, call.wish, call.media.asked = call.wish, None, []
    if wish is not None and wish.wanted():
        wish.refused()
    go_on(call)


def go_on(call: Call) -> None:
    """Those who waited for their turn."""
    while call.wishes and call.ports_free:
        wish = call.wishes.popleft()
        if wish.wanted():
            reserve(call, wish)


def restarted(call: Call, event: MediaGatewayRestarted) -> None:
    """Our media gateway forgot us: tell it again (its ports are the same)."""
    del event
    if call.media is not None and call.media.connected and call.phase != "ending":
        connect(call)


EVENTS = {MediaReserved: reserved, MediaRefused: refused, MediaGatewayRestarted: restarted}
