"""One socket of the relay: what it knows of its peer, and the latch (RFC 7362).

Before the peer has sent anything, packets for it go to the address it signalled.  The first packet that comes in decides
where it really is (behind a NAT, elsewhere); from then on the socket is connected to that address: the kernel lets nobody
else in and spares us every look at an address.  Only a signalled change opens the latch again.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Any

from rayswitch.media.reception import Reception

Address = tuple[str, int]

LARGEST = 2048
BACKLOG = 256
_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = bytes(16)
"""A sockaddr of family AF_UNSPEC: connecting to it dissolves the association (connect(2))."""


class Half:
    """A bound socket; `partner` is the one whose peer gets what comes in here."""

    __slots__ = ("blocked", "fd", "latched", "partner", "reception", "recv", "send", "signalled", "socket")

    def __init__(self, bound: socket.socket, rtp: bool) -> None:
        self.socket = bound
        self.fd = bound.fileno()
        self.recv = bound.recv
        self.send = bound.send
        self.partner: Half | None = None
        self.signalled: Address | None = None
        self.latched = False
        self.blocked = 0
        self.reception = Reception() if rtp else None

    def signal(self, remote: Any, relatch: bool) -> None:
        """What the peer's SDP says now; `relatch`: forget where it was heard from."""
        self.signalled = (remote[0], remote[1]) if remote else None
        if relatch and self.latched:
            self.latched = False
            _libc.connect(self.fd, _UNSPECIFIED, len(_UNSPECIFIED))

    def latch(self) -> bytes:
        """The first RTP or RTCP packet (version 2) of a peer: from now on this is its address."""
        data, source = self.socket.recvfrom(LARGEST)
        if data and data[0] >> 6 == 2:
            self.socket.connect(source)
            self.latched = True
        return data

    def deliver(self, data: bytes) -> None:
        """Send to the peer, where it was heard from or where it said it is."""
        if self.latched:
            self.send(data)
        elif self.signalled is not None:
            self.socket.sendto(data, self.signalled)
        else:
            self.blocked += 1

    def drain(self) -> None:
        """Throw away what came before anybody was connected."""
        for _ in range(BACKLOG):
            try:
                self.socket.recv(LARGEST)
            except OSError:
                return

    def close(self) -> None:
        """Give the socket back."""
        self.socket.close()


def bound_pair(family: int, address: str, port: int) -> tuple[Half, Half]:
    """RTP on `port`, RTCP on the next (RFC 3550 §11). OSError when one of them is taken; nothing stays open then."""
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
    return Half(made[0], True), Half(made[1], False)
