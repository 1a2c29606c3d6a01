"""UDP listeners: a plain socket read from the loop, as many datagrams a wake-up as there are, within bounds.

A raw socket with `add_reader` costs less for SIP's pattern (one in, one or two out) than a datagram transport, and it
can ask the kernel what it dropped.  Every listener sets SO_REUSEPORT, so that the gateways of a switch share one port.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from time import perf_counter

from rayswitch.sip.flow import Address, Flow

RECEIVE_BUFFER = 4 << 20
"""Octets asked for: at 10,000 messages a second this rides out 0.4 s."""
BURST = 64
"""Datagrams read before other work gets its turn."""
LARGEST = 65535
REMEMBERED_FLOWS = 20_000
SO_MEMINFO = 55
"""Linux: nine counters of a socket, the last one of them its drops (linux/sock_diag.h); no table has to be read."""
MEMINFO = struct.Struct("9I")

FOOTPRINT = 2048
"""Octets of a receive buffer that one SIP message takes, with what the kernel keeps around it."""

Receive = Callable[[bytes, Flow], None]
Load = Callable[[int, float, float], None]
"""(messages handled, seconds they took, messages that wait)."""


class UdpListener:
    """One bound socket; `local_for(remote)` is the address to show to a peer."""

    def __init__(self, host: str, port: int, receive: Receive, local_for: Callable[[str], str], load: Load) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self.receive = receive
        self.load = load
        self.local_for = local_for
        self.flows: dict[Address, Flow] = {}
        self.unsent = 0
        self.socket = bound_socket(family, socket.SOCK_DGRAM, host, port)
        self.port = int(self.socket.getsockname()[1])
        self.buffer = larger_buffer(self.socket)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on."""
        loop.add_reader(self.socket.fileno(), self.read)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading and give the port back."""
        loop.remove_reader(self.socket.fileno())
        self.socket.close()

    def read(self) -> None:
        """Whatever has come, BURST at most; `load` is told how many, how long they took, and how many still wait."""
        began = perf_counter()
        count = self.drain()
        self.load(count, perf_counter() - began, self.waiting() if count == BURST else 0.0)

    def drain(self) -> int:
        """Read and handle; how many came."""
        receive_from, flows = self.socket.recvfrom, self.flows
        for count in range(BURST):
            try:
                data, source = receive_from(LARGEST)
            except (BlockingIOError, InterruptedError):
                return count
            except OSError:
                continue  # an ICMP error of an earlier datagram: its sender's timers deal with it
            remote = source[:2]
            self.receive(data, flows.get(remote) or self.flow_to(remote))
        return BURST

    def flow_to(self, remote: Address) -> Flow:
        """The flow to a remote address; kept, because phones come again."""
        flow = Flow("UDP", (self.local_for(remote[0]), self.port), remote)
        if len(self.flows) >= REMEMBERED_FLOWS:
            self.flows.clear()
        self.flows[remote] = flow
        return flow

    def send(self, remote: Address, data: bytes) -> bool:
        """False when the kernel has no way there; a full buffer counts as lost on the wire."""
        try:
            self.socket.sendto(data, remote)
        except (BlockingIOError, InterruptedError):
            self.unsent += 1
        except OSError:
            self.unsent += 1
            return False
        return True

    def drops(self) -> int:
        """Datagrams that the kernel dropped at this socket since it was opened: no room, or a banned source."""
        return self.memory()[8]

    def waiting(self) -> float:
        """Datagrams that wait in the socket, about."""
        return self.memory()[0] / FOOTPRINT

    def memory(self) -> tuple[int, ...]:
        """What the kernel says of this socket."""
        return MEMINFO.unpack(self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))


def bound_socket(family: int, kind: int, host: str, port: int) -> socket.socket:
    """A non-blocking socket that shares its port; IPv6 without IPv4. OSError names the address.

    SO_REUSEADDR is for TCP alone, where it means TIME_WAIT; with UDP it would let a stranger take the port over.
    """
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
    return made


def larger_buffer(made: socket.socket) -> int:
    """Ask for RECEIVE_BUFFER octets, beyond the system's limit where that is allowed; what was got."""
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    for option in (force, socket.SO_RCVBUF):
        try:
            made.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            break
        except OSError:
            continue
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
