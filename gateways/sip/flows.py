"""Does a flow still lead to its peer, and what does when it does not?

A datagram has to come from the address that its peer knows, which may be another machine's: the gateway there sends it
then. A connection is one gateway's. What is gone is replaced by a flow of our own.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateways.sip.peers import Peers
from gateways.sip.sockets import SipSockets
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request
from rayswitch.sip.next_address import address_of

__all__ = ["Flows"]

REMEMBERED = 1000


class Flows:
    """Of gateway `id`, which has these `sockets`."""

    def __init__(self, id: str, sockets: SipSockets, peers: Peers | None) -> None:
        self.id = id
        self.sockets = sockets
        self.peers = peers
        self.shown: dict[tuple[str, int], Sequence[str]] = {}
        """Names that peers have proved on connections of other gateways, of messages that were handed to us."""

    def names(self, flow: Flow) -> Sequence[str]:
        """The names in the verified certificate of the peer at the other end of a TLS connection."""
        if flow.gateway in ("", self.id):
            return self.sockets.names(flow)
        return self.shown.get((flow.gateway, flow.connection), ())

    def lent(self, flow: Flow, names: Sequence[str]) -> None:
        """A message was handed to us that came over a connection of another gateway, whose peer has these names."""
        connection = (flow.gateway, flow.connection)
        self.shown.pop(connection, None)
        if names:
            if len(self.shown) >= REMEMBERED:
                del self.shown[next(iter(self.shown))]
            self.shown[connection] = names

    def usable(self, request: Request, flow: Flow) -> Flow | None:
        """`flow`, or a new connection to where the request wants to go when the old one is gone."""
        if self.reaches(flow):
            return flow
        remote = flow.remote if flow.transport == "UDP" else address_of(request, flow)
        return self.sockets.flow_to(flow.transport, remote) if remote else None

    def reaches(self, flow: Flow) -> bool:
        """Does the flow still lead from its gateway, be it another one, to its peer?"""
        if flow.gateway in ("", self.id):
            return self.sockets.connected(flow) or self.elsewhere(flow) != ""
        return self.peers is not None and self.peers.alive(flow.gateway)

    def elsewhere(self, flow: Flow) -> str:
        """The gateway on another machine whose address a datagram has to come from; "": none."""
        if flow.transport != "UDP" or self.peers is None or self.sockets.connected(flow):
            return ""
        return self.peers.at(flow.local)

    def reach(self, flow: Flow, new: bool = False) -> Flow:
        """The way to where `flow` leads: itself, or our own when that is gone, or will be; what is `new` does not begin
        by way of a gateway that is drained."""
        if self.reaches(flow) and not self.ends(flow):
            return self.lasting(flow) if new else flow
        return self.sockets.outline(flow.transport, flow.remote) or flow

    def ends(self, flow: Flow) -> bool:
        """Does a datagram come from the address of a gateway whose time is over?  A connection is kept while it is."""
        return self.peers is not None and self.peers.leaves(self.elsewhere(flow))

    def lasting(self, flow: Flow) -> Flow:
        """For what begins now: not by way of a gateway that takes nothing new, if there is another."""
        if self.peers is None or not self.peers.drained(self.elsewhere(flow)):
            return flow
        return self.sockets.outline(flow.transport, flow.remote) or flow
