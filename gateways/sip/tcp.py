"""SIP over TCP and TLS (RFC 3261 §18): listeners, and connections by number, reused in both directions, bounded.

A connection has a number for life; a flow names it by that.  Outgoing ones are made on demand and queue what is to be
sent until they stand.  `tcp_connection.py` has what happens on one of them.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from gateways.sip.certificates import Certificates, domains_of
from gateways.sip.tcp_connection import TcpConnection
from gateways.sip.udp import Receive, bound_socket
from gateways.wheel import Wheel
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import BadMessage

CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 1.0
BACKLOG = 1024
FIRST = {"TCP": 1, "TLS": 1 << 32}
"""Numbers of connections: a number is one connection, whatever is spoken on it."""
NOWHERE = Flow("TCP", ("", 0), ("", 0))
"""Of a connection that was not let in yet."""


@dataclass(slots=True)
class TcpLimits:
    """Connections in all and from one source host; seconds: idle, and for a message that was begun (or the first)."""

    connections: int = 4096
    idle: float = 3900.0
    half_open: float = 10.0
    per_source: int = 1024


class TcpSockets:
    """The TCP side of a gateway.

    `receive(data, flow)` gets what comes, `failed(flow)` is told of connections that are over, `malformed(error, flow)`
    of a stream that cannot be followed, before it is closed.
    """

    def __init__(
        self,
        gateway_id: str,
        receive: Receive,
        failed: Callable[[Flow], None],
        malformed: Callable[[BadMessage, Flow], None],
        wheel: Wheel,
        limits: TcpLimits,
        certificates: Certificates | None = None,
    ) -> None:
        """With `certificates` it is TLS that is spoken."""
        self.transport = "TLS" if certificates else "TCP"
        self.certificates = certificates
        self.numbers = itertools.count(FIRST[self.transport])
        self.gateway_id = gateway_id
        self.receive = receive
        self.failed = failed
        self.malformed = malformed
        self.wheel = wheel
        self.limits = limits
        self.connections: dict[int, TcpConnection] = {}
        self.by_remote: dict[Address, TcpConnection] = {}
        self.sources: Counter[str] = Counter()
        """Connections by source host, of those that came in."""
        self.flushing: set[TcpConnection] = set()
        self.servers: list[asyncio.Server] = []
        self.sockets: list[socket.socket] = []
        """Those that listen."""
        self.refused = self.timed_out = self.unframed = self.choked = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; the port that was bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = bound_socket(family, socket.SOCK_STREAM, host, port)
        loop = asyncio.get_running_loop()
        secure: dict[str, Any] = {}
        if self.certificates is not None:
            secure = {"ssl": self.certificates.server, "ssl_handshake_timeout": self.limits.half_open}
        server = await loop.create_server(
            lambda: TcpConnection(self, NOWHERE, incoming=True), sock=made, backlog=BACKLOG, **secure
        )
        self.servers.append(server)
        self.sockets.append(made)
        return int(made.getsockname()[1])

    def accepted(self, connection: TcpConnection, transport: asyncio.Transport) -> bool:
        """Take a connection in, unless there are too many, or it is gone again."""
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if self.closing or not local or not remote or self.full() or self.crowded(remote[0]):
            self.refused += 1
            connection.over = True
            return False
        self.sources[remote[0]] += 1
        if self.certificates is not None:
            connection.names = domains_of(transport.get_extra_info("peercert"))
        self.enter(connection, local[:2], remote[:2])
        return True

    def abort(self, hosts: Collection[str]) -> None:
        """End what connections these hosts have."""
        for connection in [one for one in self.connections.values() if one.flow.remote[0] in hosts]:
            if connection.transport is not None:
                connection.transport.abort()

    def full(self) -> bool:
        """No connection more, in or out."""
        return len(self.connections) >= self.limits.connections

    def crowded(self, host: str) -> bool:
        """No connection more from this host."""
        return self.sources[host] >= self.limits.per_source

    def enter(self, connection: TcpConnection, local: Address, remote: Address) -> None:
        """Number a connection."""
        number = next(self.numbers)
        connection.flow = Flow(self.transport, local, remote, self.gateway_id, number)
        self.connections[number] = connection
        self.by_remote[remote] = connection

    def flow_to(self, local: Address, remote: Address, source: str | None = None) -> Flow | None:
        """The connection to `remote`, opened now when there is none; None when there are too many.

        `local` is shown in our Via, because we listen there; `source` is the host to connect from, if it matters.
        """
        known = self.by_remote.get(remote)
        if known is not None:
            return known.flow
        if self.closing or self.full():
            self.refused += 1
            return None
        connection = TcpConnection(self, NOWHERE, incoming=False)
        self.enter(connection, local, remote)
        task = asyncio.get_running_loop().create_task(self.connect(connection, source))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return connection.flow

    async def connect(self, connection: TcpConnection, source: str | None) -> None:
        """Open it; failure is told like a loss."""
        host, port = connection.flow.remote
        local = (source, 0) if source else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(
                    lambda: connection,
                    host,
                    port,
                    local_addr=local,
                    ssl=self.certificates.client if self.certificates else None,
                    server_hostname="" if self.certificates else None,
                )
        except (OSError, TimeoutError):
            connection.lost()

    def send(self, flow: Flow, data: bytes) -> bool:
        """False when that connection is gone."""
        connection = self.connections.get(flow.connection)
        if connection is None:
            return False
        connection.send(data)
        return True

    def lost(self, connection: TcpConnection) -> None:
        """Forget a connection and tell who waits on it."""
        flow = connection.flow
        if self.connections.pop(flow.connection, None) is None:
            return
        if self.by_remote.get(flow.remote) is connection:
            del self.by_remote[flow.remote]
        if connection.incoming:
            self.sources[flow.remote[0]] -= 1
            if self.sources[flow.remote[0]] <= 0:
                del self.sources[flow.remote[0]]
        if not self.closing:
            self.failed(flow)

    async def close(self) -> None:
        """Stop accepting; what is written goes out, for a moment; then everything is closed."""
        self.closing = True
        for server in self.servers:
            server.close()
        for task in list(self.tasks):
            task.cancel()
        for connection in list(self.connections.values()):
            connection.close()
        loop = self.wheel.loop
        until = loop.time() + CLOSE_SECONDS
        while self.flushing and loop.time() < until:
            await asyncio.sleep(0.005)
        for connection in list(self.flushing):
            connection.abort()

    def counters(self) -> dict[str, int]:
        """Connections now; since the start: not let in, out of patience, not to be followed, not reading."""
        name = self.transport.lower()
        return {
            f"{name}_connections": len(self.connections),
            f"{name}_refused": self.refused,
            f"{name}_timed_out": self.timed_out,
            f"{name}_unframed": self.unframed,
            f"{name}_choked": self.choked,
        }
