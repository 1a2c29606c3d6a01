"""Live SIP messages of a gateway for those who follow them: orders and entries both go by topic "trace".

Whoever tells us True gets every message from then on, until it tells False or its link goes down.  In a switch that is
the Switchboard, which hands the entries on to the command line.  While nobody follows, the gateway has no tap, and
tracing costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.link import Links
from gateways.sip.gateway import SipGateway
from rayswitch.sip.flow import Flow

TOPIC = "trace"


class TraceFeed:
    """The followers of `gateway`; `wall` gives unix seconds."""

    def __init__(self, gateway: SipGateway, links: Links, wall: Callable[[], float]) -> None:
        self.gateway = gateway
        self.links = links
        self.wall = wall
        self.followers: set[str] = set()
        links.on(TOPIC, self.ordered)
        links.on_down(self.left)

    def ordered(self, peer: str, wanted: bool) -> None:
        """`peer` wants to follow, or no longer."""
        if wanted:
            self.followers.add(peer)
            self.gateway.trace.add(self.seen)
        else:
            self.left(peer)

    def left(self, peer: str) -> None:
        """One follower less; with the last one the tap goes."""
        self.followers.discard(peer)
        if not self.followers:
            self.gateway.trace.discard(self.seen)

    def seen(self, now: float, direction: str, flow: Flow, text: str) -> None:
        """A message, its secrets already masked, to all followers."""
        del now  # monotonic: means nothing to others
        entry: dict[str, Any] = {
            "time": self.wall(),
            "direction": direction,
            "transport": flow.transport,
            "remote": list(flow.remote),
            "text": text,
        }
        for follower in self.followers:
            self.links.tell(follower, TOPIC, entry)
