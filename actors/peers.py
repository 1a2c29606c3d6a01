"""The other SIP gateways, as a gateway sees them: over links, raw bytes and flows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actors.link import LinkError, Links
from rayswitch.sip.flow import Flow

ASK_SECONDS = 1.0
"""For a CANCEL: a live gateway answers in a millisecond."""


class LinkPeers:
    """Implements `gateways.sip.gateway.Peers` for gateway `me` among `gateways`."""

    def __init__(self, me: str, gateways: Sequence[str], links: Links) -> None:
        self.others = [gateway for gateway in gateways if gateway != me]
        self.links = links

    def serve(
        self,
        forwarded: Callable[[bytes, Flow], None],
        send: Callable[[Flow, bytes], None],
        cancel: Callable[[bytes, Flow], bool],
    ) -> None:
        """Do for the others what they ask: take a datagram as our own, send on a connection of ours, CANCEL."""
        self.links.on("sip.forward", lambda peer, payload: forwarded(payload[0], Flow.of(payload[1])))
        self.links.on("sip.send", lambda peer, payload: send(Flow.of(payload[0]), payload[1]))
        self.links.on("sip.cancel", lambda peer, payload: cancel(payload[0], Flow.of(payload[1])))

    def alive(self, owner: str) -> bool:
        """Is this a gateway other than us, and up?"""
        return owner in self.others and self.links.alive(owner)

    def forward(self, owner: str, data: bytes, flow: Flow) -> None:
        """A message that is the business of `owner`."""
        self.links.tell(owner, "sip.forward", [data, list(flow)])

    def send(self, owner: str, flow: Flow, data: bytes) -> None:
        """Out of a connection that `owner` holds."""
        self.links.tell(owner, "sip.send", [list(flow), data])

    async def cancel(self, data: bytes, flow: Flow) -> bool:
        """Does any other gateway have the INVITE of this CANCEL? It has cancelled it then."""
        asks = [
            self.links.ask(other, "sip.cancel", [data, list(flow)], timeout=ASK_SECONDS)
            for other in self.others
            if self.links.alive(other)
        ]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, LinkError):
                raise answer
        return any(answer is True for answer in answers)
