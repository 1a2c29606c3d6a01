"""One socket of the relay: what it knows of its peer, and the latch (RFC 7362).

Before the peer has sent anything, packets for it go to the address it signalled. The first packet that comes in
decides where it really is (behind a NAT, elsewhere); from then on the socket is connected to that address: the kernel
lets nobody else in, spares us every look at an address, and a connected send is the cheapest one. Only a signalled
change opens the latch again, and then the source it had is not believed for a moment, because the old phone may still
be sending.

`receive`, `count` and `forward` are what the relay calls for every packet; it finds them in `wires`. The latch works
by exchanging them, so that the packets after it pay nothing for it. Once joined, a half is touched by the relay's
thread alone.
"""

from __future__ import annotations

import ctypes
import socket
import time
from collections.abc import Callable
from typing import Any

Address = tuple[str, int]
Octets = bytes | memoryview
Receive = Callable[[bytearray], int]
Count = Callable[[bytes | bytearray, int, float], None]
Forward = Callable[[Octets], object]
Wires = dict[int, tuple[Receive, Count, Forward]]
"""What is called for a packet, by the descriptor it comes in at."""

LARGEST = 2048
"""Octets; more than any RTP packet has that crossed an Ethernet."""
BACKLOG = 256
"""Packets that are thrown away or looked through in one go."""
GRACE = 0.5
"""Seconds after a signalled change in which the former source cannot latch."""
_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = bytes(16)
"""A sockaddr of family AF_UNSPEC: connecting to it dissolves the association (connect(2)). Python cannot say it."""


class Nothing(Exception):
    """`Half.receive` has nothing (more) to relay."""


class Half:
    """A bound socket; `partner` is the one whose peer gets what comes in here, `blocked` counts what nobody got."""

    __slots__ = (
        "blocked", "count", "fd", "former", "former_until", "forward", "partner", "receive", "signalled", "socket",
        "source", "wires",
    )  # fmt: skip

    def __init__(self, bound: socket.socket, count: Count) -> None:
        """`count(data, size, now)` is told of every packet that is relayed from here."""
        self.socket = bound
        self.fd = bound.fileno()
        self.partner: Half | None = None
        self.signalled: Address | None = None
        """What the peer's SDP says, None: nothing.  Whoever hears it writes it here, from any thread."""
        self.source: Any = None
        self.former: Any = None
        self.former_until = 0.0
        self.blocked = 0
        self.wires: Wires = {}
        self.receive: Receive = self.latch
        self.count = count
        self.forward: Forward = self.discard

    def join(self, partner: Half, wires: Wires) -> None:
        """What comes in here goes to the peer of `partner`, from now on; what came before that is thrown away."""
        self.partner = partner
        self.drain()
        self.wires = wires
        self.wire(forward=partner.deliverer())

    def wire(self, receive: Receive | None = None, forward: Forward | None = None) -> None:
        """Exchange what the relay calls for a packet that comes in here."""
        self.receive = receive or self.receive
        self.forward = forward or self.forward
        if self.partner is not None:
            self.wires[self.fd] = self.receive, self.count, self.forward

    def reopen(self) -> None:
        """The peer has signalled a change: find out anew where it is."""
        if self.source is not None:
            self.former, self.former_until = self.source, time.monotonic() + GRACE
            self.source = None
            _libc.connect(self.fd, _UNSPECIFIED, len(_UNSPECIFIED))
            self.drain()
            self.wire(receive=self.latch)
            self.tell_partner()

    def deliverer(self) -> Forward:
        """How a packet is sent to this half's peer."""
        return self.deliver if self.source is None else self.socket.send

    def tell_partner(self) -> None:
        """The way to our peer has changed."""
        if self.partner is not None and self.partner.partner is self:
            self.partner.wire(forward=self.deliverer())

    def latch(self, buffer: bytearray) -> int:
        """The first packet of a peer: from now on this is its address. It relays what is there, and raises Nothing."""
        data, source = self.socket.recvfrom(len(buffer))
        if source == self.former and source[:2] != self.signalled and time.monotonic() < self.former_until:
            self.blocked += 1
            raise Nothing
        self.socket.connect(source)
        self.source, self.former = source, None
        self.wire(receive=self.socket.recv_into)
        self.tell_partner()
        for packet in [data, *self.queued(source)]:
            self.count(packet, len(packet), time.monotonic())
            self.forward(packet)
        raise Nothing

    def queued(self, source: Any) -> list[bytes]:
        """What the peer sent meanwhile; what others sent before the kernel kept them out is dropped."""
        packets: list[bytes] = []
        for _ in range(BACKLOG):
            try:
                data, sender = self.socket.recvfrom(LARGEST)
            except OSError:
                break
            if sender == source:
                packets.append(data)
            else:
                self.blocked += 1
        return packets

    def deliver(self, data: Octets) -> None:
        """Send to the peer where it said it is."""
        if self.signalled is not None:
            self.socket.sendto(data, self.signalled)
        else:
            self.blocked += 1

    def discard(self, data: Octets) -> None:
        """There is no partner (any more)."""
        self.blocked += 1

    def drain(self) -> None:
        """Throw away what has come in so far."""
        for _ in range(BACKLOG):
            try:
                self.socket.recv(LARGEST)
            except OSError:
                return

    def close(self) -> None:
        """Give the socket back; a partner that stays has nobody to send to."""
        if self.partner is not None and self.partner.partner is self:
            self.partner.wire(forward=self.partner.discard)
            self.partner.partner = None
        self.partner = None
        self.wires.pop(self.fd, None)
        self.socket.close()


def bound_pair(family: int, address: str, port: int, counts: tuple[Count, Count]) -> tuple[Half, Half]:
    """RTP on `port`, RTCP on the next (RFC 3550 §11), and who counts their packets. OSError when one of
    them is taken; nothing stays open then.
    """
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    made: list[socket.socket] = []
    try:
        for number in (port, port + 1):
            made.append(socket.socket(kind, socket.SOCK_DGRAM))
            made[-1].setblocking(False)
            made[-1].bind((address, number))
    except OSError:
        for each in made:
            each.close()
        raise
    return Half(made[0], counts[0]), Half(made[1], counts[1])
