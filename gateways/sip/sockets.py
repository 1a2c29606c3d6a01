"""All sockets of a SIP gateway behind one `send(flow, data)`, and the choice of the socket for a new flow.

On a wildcard listener the address a peer sees is the one the kernel would route to it from; it is looked up once for
each remote host with a socket that is connected and never used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache

from gateways.sip.tcp import TcpLimits, TcpSockets
from gateways.sip.udp import Receive, UdpListener
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.flow import Address, Flow

WILDCARDS = ("0.0.0.0", "::")


class SipSockets:
    """Listeners of one gateway; `failed(flow)` tells of a flow over which nothing goes any more."""

    def __init__(
        self,
        gateway_id: str,
        listen: Sequence[Listener],
        receive: Receive,
        failed: Callable[[Flow], None],
        wheel: Wheel,
        limits: TcpLimits | None = None,
    ) -> None:
        self.gateway_id = gateway_id
        self.listen = listen
        self.receive = receive
        self.failed = failed
        self.tcp = TcpSockets(gateway_id, receive, failed, wheel, limits or TcpLimits())
        self.udp: dict[tuple[int, int], UdpListener] = {}
        """By (family, port)."""
        self.bound: list[Listener] = []

    async def start(self) -> None:
        """Bind everything; OSError names what cannot be bound, and nothing stays open then."""
        loop = asyncio.get_running_loop()
        try:
            for listener in self.listen:
                port = await self.open(listener, loop)
                self.bound.append(listener._replace(port=port))
        except OSError:
            await self.close()
            raise

    async def open(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> int:
        """One listener; the port it got."""
        if listener.transport == "tcp":
            return await self.tcp.listen(listener.host, listener.port)
        local_for = routed if listener.host in WILDCARDS else lambda remote, host=listener.host: host
        made = UdpListener(listener.host, listener.port, self.receive, local_for)
        self.udp[(family_of(listener.host), made.port)] = made
        made.start(loop)
        return int(made.port)

    async def close(self) -> None:
        """Give everything back."""
        loop = asyncio.get_running_loop()
        for listener in self.udp.values():
            listener.close(loop)
        self.udp.clear()
        await self.tcp.close()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send, or tell that it cannot be."""
        if flow.transport == "UDP":
            listener = self.udp.get((family_of(flow.remote[0]), flow.local[1])) or self.udp_for(flow.remote[0])
            sent = listener is not None and listener.send(flow.remote, data)
        else:
            sent = self.tcp.send(flow, data)
        if not sent:
            self.failed(flow)

    def udp_for(self, host: str) -> UdpListener | None:
        """A UDP listener that can reach `host`."""
        family = family_of(host)
        return next((made for (its, _), made in self.udp.items() if its == family), None)

    def flow_to(self, transport: str, remote: Address) -> Flow | None:
        """A flow to an address; None when no listener of that transport and family exists."""
        if transport == "UDP":
            made = self.udp_for(remote[0])
            return made.flows.get(remote) or made.flow_to(remote) if made else None
        listener = self.listener_of("tcp", remote[0])
        if listener is None:
            return None
        host = routed(remote[0]) if listener.host in WILDCARDS else listener.host
        return self.tcp.flow_to((host, listener.port), remote)

    def listener_of(self, transport: str, host: str) -> Listener | None:
        """The first listener of a transport in the family of `host`."""
        family = family_of(host)
        for listener in self.bound:
            if listener.transport == transport and family_of(listener.host) == family:
                return listener
        return None

    def connected(self, flow: Flow) -> bool:
        """Can something be sent over this flow without opening it anew?"""
        return flow.transport == "UDP" or flow.connection in self.tcp.connections

    def counters(self) -> dict[str, int]:
        """Since the start: kernel drops, sends that failed, connections and what was done to them."""
        return {
            "kernel_drops": sum(made.drops() for made in self.udp.values()),
            "receive_buffer": min((made.buffer for made in self.udp.values()), default=0),
            "unsent": sum(made.unsent for made in self.udp.values()),
            "tcp_connections": len(self.tcp.connections),
            "tcp_refused": self.tcp.refused,
            "tcp_timed_out": self.tcp.timed_out,
            "tcp_unframed": self.tcp.unframed,
        }


def family_of(host: str) -> int:
    """4 or 6."""
    return 6 if ":" in host else 4


@lru_cache(maxsize=4096)
def routed(remote: str) -> str:
    """The local address that the kernel would send to `remote` from."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return "::1" if ":" in remote else "127.0.0.1"
        return str(probe.getsockname()[0])
