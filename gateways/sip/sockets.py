"""All sockets of a SIP gateway behind one `send(flow, data)`, and the choice of the socket for a new flow.

On a wildcard listener the address a peer sees is the one the kernel would route to it from; it is looked up once for
each remote host with a socket that is connected and never used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from gateways.sip.certificates import Certificates
from gateways.sip.kernel_filter import attach
from gateways.sip.tcp import TcpLimits, TcpSockets
from gateways.sip.udp import Load, Receive, UdpListener
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import BadMessage

WILDCARDS = ("0.0.0.0", "::")
REMEMBERED_WAYS = 1000


class SipSockets:
    """Listeners of one gateway; `failed(flow)` tells of a flow over which nothing goes any more, `malformed` of a
    stream that cannot be followed."""

    def __init__(
        self,
        gateway_id: str,
        listen: Sequence[Listener],
        receive: Receive,
        failed: Callable[[Flow], None],
        wheel: Wheel,
        limits: TcpLimits | None = None,
        malformed: Callable[[BadMessage, Flow], None] = lambda error, flow: None,
        load: Load = lambda messages, seconds, waiting: None,
        certificates: Certificates | None = None,
    ) -> None:
        self.gateway_id = gateway_id
        self.listen = listen
        self.receive = receive
        self.failed = failed
        self.load = load
        limits = limits or TcpLimits()
        self.tcp = TcpSockets(gateway_id, receive, failed, malformed, wheel, limits)
        self.streams = {"TCP": self.tcp}
        """Connections by transport."""
        if certificates is not None:
            self.streams["TLS"] = TcpSockets(gateway_id, receive, failed, malformed, wheel, limits, certificates)
        self.udp: dict[Address, UdpListener] = {}
        """By the address they are bound to."""
        self.ways: dict[Address, UdpListener] = {}
        """By the local address of a flow, concrete where the listener is not; filled as flows are used."""
        self.foreign: set[Address] = set()
        """Local addresses of flows that are another machine's."""
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
        host = listener.host
        if listener.transport != "udp":
            return await self.streams[listener.transport.upper()].listen(host, listener.port)
        local_for = routed if host in WILDCARDS else lambda remote: host
        made = UdpListener(host, listener.port, self.receive, local_for, self.load)
        self.udp[(host, made.port)] = made
        made.start(loop)
        return made.port

    async def close(self) -> None:
        """Give everything back."""
        loop = asyncio.get_running_loop()
        for listener in self.udp.values():
            listener.close(loop)
        self.udp.clear()
        self.ways.clear()
        for streams in self.streams.values():
            await streams.close()

    def block(self, hosts: Collection[str]) -> None:
        """Have the kernel drop what comes from these hosts, and close what connections they have."""
        for listener in self.udp.values():
            attach(listener.socket, hosts)
        for streams in self.streams.values():
            for made in streams.sockets:
                attach(made, hosts)
            streams.abort(hosts)

    def send(self, flow: Flow, data: bytes) -> None:
        """Send, or tell that it cannot be."""
        if flow.transport == "UDP":
            listener = self.ways.get(flow.local) or self.way(flow)
            sent = listener is not None and listener.send(flow.remote, data)
        else:
            streams = self.streams.get(flow.transport)
            sent = streams is not None and streams.send(flow, data)
        if not sent:
            self.failed(flow)

    def way(self, flow: Flow) -> UdpListener | None:
        """The listener behind the local address of a flow; one as good, when a restart came with other listeners."""
        host, port = flow.local
        bound = self.udp.get(flow.local) or self.udp.get(("::" if ":" in host else "0.0.0.0", port))
        if bound is None:
            return self.udp_for(flow.remote[0])
        if len(self.ways) >= REMEMBERED_WAYS:
            self.ways.clear()
        self.ways[flow.local] = bound
        return bound

    def has(self, flow: Flow) -> bool:
        """Is the local address of a datagram this machine's, with a listener at it? Looked up once for each."""
        if flow.local in self.foreign:
            return False
        host, port = flow.local
        anywhere = self.udp.get(("::" if ":" in host else "0.0.0.0", port))
        if flow.local in self.udp or (anywhere is not None and is_here(host)):
            return self.way(flow) is not None
        if len(self.foreign) >= REMEMBERED_WAYS:
            self.foreign.clear()
        self.foreign.add(flow.local)
        return False

    def udp_for(self, host: str) -> UdpListener | None:
        """The UDP listener for what goes to `host`."""
        listener = self.listener_for("udp", host)
        return self.udp.get((listener.host, listener.port)) if listener else None

    def flow_to(self, transport: str, remote: Address) -> Flow | None:
        """A flow to an address. None when it is none (names are not looked up here), when no listener of that
        transport and family exists, or when there are too many connections already."""
        if not is_address(remote):
            return None
        if transport == "UDP":
            made = self.udp_for(remote[0])
            return made.flows.get(remote) or made.flow_to(remote) if made else None
        listener, streams = self.listener_for(transport.lower(), remote[0]), self.streams.get(transport)
        if listener is None or streams is None:
            return None
        if listener.host in WILDCARDS:
            return streams.flow_to((routed(remote[0]), listener.port), remote)
        return streams.flow_to((listener.host, listener.port), remote, source=listener.host)

    def outline(self, transport: str, remote: Address) -> Flow | None:
        """The flow to an address as it will be, once something is sent; None when no listener of ours reaches it."""
        listener = self.listener_for(transport.lower(), remote[0])
        if listener is None:
            return None
        host = routed(remote[0]) if listener.host in WILDCARDS else listener.host
        return Flow(transport, (host, listener.port), remote)

    def listener_for(self, transport: str, host: str) -> Listener | None:
        """The listener of a transport for what goes to `host`: bound to the address that the kernel would send from,
        else to all, else the first of that family."""
        family = family_of(host)
        fit = [made for made in self.bound if made.transport == transport and made.family == family]
        if len(fit) > 1:
            source = routed(host)
            fit.sort(key=lambda made: (made.host != source, made.host not in WILDCARDS))
        return fit[0] if fit else None

    def connected(self, flow: Flow) -> bool:
        """Can something be sent over this flow without opening it anew? A datagram: is its address one of ours?"""
        if flow.transport == "UDP":
            return flow.local in self.ways or self.has(flow)
        streams = self.streams.get(flow.transport)
        return streams is not None and flow.connection in streams.connections

    @property
    def verifies(self) -> bool:
        """Are those who connect asked for a certificate?"""
        tls = self.streams.get("TLS")
        return tls is not None and tls.certificates is not None and tls.certificates.tls.clients != "no"

    def names(self, flow: Flow) -> Sequence[str]:
        """The names that the peer of a connection has proved by its certificate."""
        streams = self.streams.get(flow.transport)
        connection = streams.connections.get(flow.connection) if streams is not None else None
        return connection.names if connection is not None else ()

    def counters(self) -> dict[str, int]:
        """Since the start: kernel drops, sends that failed, connections and what was done to them."""
        return {
            "kernel_drops": sum(made.drops() for made in self.udp.values()),
            "receive_buffer": min((made.buffer for made in self.udp.values()), default=0),
            "unsent": sum(made.unsent for made in self.udp.values()),
            **{name: figure for streams in self.streams.values() for name, figure in streams.counters().items()},
        }


def family_of(host: str) -> int:
    """4 or 6."""
    return 6 if ":" in host else 4


def is_address(remote: Address) -> bool:
    """A numeric address and a port that can be sent to."""
    host, port = remote
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return 0 < port < 0x10000


def routed(remote: str) -> str:
    """The local address that the kernel would send to `remote` from; loopback while there is no route."""
    try:
        return route(remote)
    except OSError:
        return "::1" if ":" in remote else "127.0.0.1"


def is_here(host: str) -> bool:
    """Is this an address of this machine?"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
        return True


@lru_cache(maxsize=4096)
def route(remote: str) -> str:
    """Ask the kernel, once for each host; OSError, which is not remembered, when it has no route."""
    with socket.socket(socket.AF_INET6 if ":" in remote else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((remote, 9))
        return str(probe.getsockname()[0])
