"""Requests that are too large for a datagram (RFC 3261 §18.1.1): TCP, unless the peer does not take it.

A peer that refused is remembered for a while, so that its calls are not delayed by a connection attempt each.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from gateways.sip.sockets import SipSockets
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import Request

LIMIT = 1300
"""Octets: 1500 of an Ethernet frame less 200 (§18.1.1), for a path whose MTU is not known."""
VIA_LENGTH = 90
CONNECT_SECONDS = 0.5
REMEMBERED = 10_000
FORGET_SECONDS = 3600.0


class Oversize:
    """Decides for one gateway which requests change from UDP to TCP."""

    def __init__(self, sockets: SipSockets) -> None:
        self.sockets = sockets
        self.refused: OrderedDict[Address, float] = OrderedDict()
        """When each peer did not take TCP, oldest first."""

    def applies(self, request: Request, flow: Flow) -> bool:
        """Is this too large, and the peer not known to refuse TCP?"""
        if flow.transport != "UDP" or len(request.body) + 60 * len(request.rows) < LIMIT // 2:
            return False
        return octets(request) > LIMIT and not self.knows(flow.remote)

    def knows(self, remote: Address) -> bool:
        """Has this peer refused not long ago?"""
        when = self.refused.get(remote)
        if when is None:
            return False
        if self.sockets.tcp.wheel.loop.time() - when < FORGET_SECONDS:
            return True
        del self.refused[remote]
        return False

    async def flow_for(self, flow: Flow) -> Flow:
        """A connection to the same address, or `flow` itself when there is none to be had."""
        large = self.sockets.flow_to("TCP", flow.remote)
        if large is None or not await self.stands(large):
            self.refused[flow.remote] = self.sockets.tcp.wheel.loop.time()
            if len(self.refused) > REMEMBERED:
                self.refused.popitem(last=False)
            return flow
        return large

    async def stands(self, flow: Flow) -> bool:
        """Wait until the connection is made or refused."""
        connection = self.sockets.tcp.connections.get(flow.connection)
        if connection is None:
            return False
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await connection.stands()
        except TimeoutError:
            return False


def octets(request: Request) -> int:
    """The length on the wire, our Via included."""
    rows = sum(map(len, request.rows)) + 2 * len(request.rows)
    return len(request.method) + len(request.uri) + rows + len(request.body) + VIA_LENGTH
