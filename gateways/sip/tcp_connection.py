"""One TCP connection of the SIP gateway: framing, queue, patience, end.

Whoever opens a connection owes a first message, and whoever begins a message the rest of it, within `half_open`
seconds; octets that come one by one and keep-alives do not prolong that.  After a fault in the framing the messages
before it are still served, the fault is answered, and the connection is closed: nobody knows where its next message
would begin.

A connection that ends leaves the table of its owner at once; what was written before still goes out, for a while.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from gateways.wheel import Timer
from rayswitch.sip.flow import Flow
from rayswitch.sip.stream import PONG, FramingError, Ping, StreamFramer

if TYPE_CHECKING:
    from gateways.sip.tcp import TcpSockets

SEND_LIMIT = 1 << 20
"""Octets that may wait for a peer that does not read, or for a connection to be made."""
FLUSH_SECONDS = 2.0


class TcpConnection(asyncio.Protocol):
    """`flow` is how the rest of the switch names it; `over` is final."""

    def __init__(self, owner: TcpSockets, flow: Flow, incoming: bool) -> None:
        self.owner = owner
        self.flow = flow
        self.incoming = incoming
        self.names: tuple[str, ...] = ()
        """What the peer is called in its certificate, if that was verified."""
        self.framer = StreamFramer()
        self.transport: asyncio.Transport | None = None
        self.waiting: list[bytes] = []
        self.settled = None if incoming else asyncio.Event()
        """Set once an outgoing connection stands or has failed."""
        self.messages = 0
        self.active = 0.0
        self.timer: Timer | None = None
        self.over = False

    # -- begin ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.over or (self.incoming and not self.owner.accepted(self, self.transport)):
            self.transport.abort()
            return
        if self.settled is not None:
            self.settled.set()
        for data in self.waiting:
            self.transport.write(data)
        self.waiting.clear()
        self.active = self.owner.wheel.loop.time()
        self.timer = self.owner.wheel.start(self.owner.limits.half_open, self.check)

    async def stands(self) -> bool:
        """Wait until the connection is made; False when it could not be."""
        if self.settled is not None:
            await self.settled.wait()
        return not self.over

    # -- in ------------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        fresh = self.framer.pending == 0
        try:
            frames = self.framer.feed(data)
        except FramingError as error:
            self.broken(error)
            return
        if (frames or fresh) and not self.unproven():
            self.active = self.owner.wheel.loop.time()
        self.take(frames)

    def take(self, frames: list[bytes | Ping]) -> None:
        """Messages to the gateway, keep-alives answered (RFC 5626 §4.4.1)."""
        for frame in frames:
            if isinstance(frame, Ping):
                self.send(PONG)
                continue
            if self.unproven():
                self.active = self.owner.wheel.loop.time()
            self.messages += 1
            self.owner.receive(frame, self.flow)

    def broken(self, error: FramingError) -> None:
        """The stream cannot be followed any more (§18.3)."""
        self.owner.unframed += 1
        self.take(error.found)
        self.owner.malformed(error, self.flow)
        self.close()

    # -- patience ------------------------------------------------------------------------------------------------------

    def unproven(self) -> bool:
        """The peer has connected and not said anything of use yet."""
        return self.incoming and not self.messages

    def check(self) -> None:
        """Close when silent for too long, else look again later."""
        limits = self.owner.limits
        patience = limits.half_open if self.unproven() or self.framer.pending else limits.idle
        left = patience - (self.owner.wheel.loop.time() - self.active)
        if left <= 0:
            self.owner.timed_out += 1
            self.close()
        else:
            self.timer = self.owner.wheel.start(min(left, limits.half_open), self.check)

    # -- out -----------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write, or queue while connecting; a peer that does not read is cut off."""
        if self.over:
            return  # it ended while its messages were served
        if self.transport is None:
            self.waiting.append(data)
            if sum(map(len, self.waiting)) > SEND_LIMIT:
                self.choke()
        elif self.transport.get_write_buffer_size() > SEND_LIMIT:
            self.choke()
        else:
            self.transport.write(data)

    def choke(self) -> None:
        """The queue is full."""
        self.owner.choked += 1
        self.abort()

    # -- end -----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """What is written still goes out, if the peer takes it soon."""
        if self.transport is not None and not self.over:
            self.owner.flushing.add(self)
            self.owner.wheel.start(FLUSH_SECONDS, self.transport.abort)
            self.transport.close()
        self.lost()

    def abort(self) -> None:
        """At once."""
        if self.transport is not None:
            self.transport.abort()
        self.lost()

    def connection_lost(self, exc: Exception | None) -> None:
        self.owner.flushing.discard(self)
        self.lost()

    def lost(self) -> None:
        """The connection is over, or never came about; said once."""
        if self.over:
            return
        self.over = True
        self.waiting.clear()
        if self.timer is not None:
            self.timer.cancel()
        if self.settled is not None:
            self.settled.set()
        self.owner.lost(self)
