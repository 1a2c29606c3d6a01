"""SIP over TCP (RFC 3261 §18): connections are reused in both directions, framed, limited in number and in patience.

A connection has a number for life; a flow names it by that.  Outgoing ones are made on demand and queue what is to be
sent until they stand.  Whoever opens a connection and does not finish a message in time is cut off; an idle one is
closed after the configured time.  CRLF CRLF is answered CRLF (RFC 5626 §4.4.1).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from gateways.sip.udp import Receive, bound_socket
from gateways.wheel import Timer, Wheel
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.stream import FramingError, Ping, StreamFramer

log = logging.getLogger(__name__)

SEND_LIMIT = 1 << 20
"""Octets that may wait for a peer that does not read."""
CONNECT_SECONDS = 3.0
BACKLOG = 1024


@dataclass(slots=True)
class TcpLimits:
    """Connections in all, and seconds: idle, and for a message that was begun (or the first one)."""

    connections: int = 4096
    idle: float = 3900.0
    half_open: float = 10.0


class TcpConnection(asyncio.Protocol):
    """One connection; `flow` is how the rest of the switch names it."""

    def __init__(self, owner: TcpSockets, flow: Flow, incoming: bool) -> None:
        self.owner = owner
        self.flow = flow
        self.incoming = incoming
        self.framer = StreamFramer()
        self.transport: asyncio.Transport | None = None
        self.waiting: list[bytes] = []
        self.messages = 0
        self.active = 0.0
        self.timer: Timer | None = None
        self.failed = False
        self.settled = asyncio.Event()
        """Set once the connection stands or has failed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.incoming and not self.owner.accepted(self, self.transport):
            self.transport.abort()
            return
        self.settled.set()
        for data in self.waiting:
            self.transport.write(data)
        self.waiting.clear()
        self.watch()

    def watch(self) -> None:
        """Look every now and then whether one of the two limits was reached."""
        self.active = self.owner.wheel.loop.time()
        self.timer = self.owner.wheel.start(self.owner.limits.half_open, self.check)

    def patience(self) -> float:
        """Seconds of silence that are too long just now."""
        limits = self.owner.limits
        begun = self.framer.pending > 0 or (self.incoming and self.messages == 0)
        return limits.half_open if begun else limits.idle

    def check(self) -> None:
        """Close when silent for too long, else look again later."""
        silent = self.owner.wheel.loop.time() - self.active
        left = self.patience() - silent
        if left <= 0:
            self.owner.timed_out += 1
            self.close()
        else:
            self.timer = self.owner.wheel.start(min(left, self.owner.limits.half_open), self.check)

    def data_received(self, data: bytes) -> None:
        fresh = self.framer.pending == 0
        try:
            frames = self.framer.feed(data)
        except FramingError as error:
            log.debug("connection from %s closed: %s", self.flow.remote, error)
            self.owner.unframed += 1
            self.close()
            return
        if frames or fresh:
            self.active = self.owner.wheel.loop.time()
        for frame in frames:
            if isinstance(frame, Ping):
                self.send(b"\r\n")
                continue
            self.messages += 1
            self.owner.receive(frame, self.flow)

    def send(self, data: bytes) -> None:
        """Write, or queue while connecting; a peer that does not read is cut off."""
        if self.transport is None:
            self.waiting.append(data)
        elif self.transport.get_write_buffer_size() > SEND_LIMIT:
            self.transport.abort()
        else:
            self.transport.write(data)

    def close(self) -> None:
        """What is written still goes out."""
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.lost()

    def lost(self) -> None:
        """The connection is over, or never came about; said once."""
        if not self.failed:
            self.failed = True
            self.settled.set()
            self.owner.lost(self)


class TcpSockets:
    """The TCP side of a gateway: listeners, and connections by number."""

    def __init__(
        self,
        gateway_id: str,
        receive: Receive,
        failed: Callable[[Flow], None],
        wheel: Wheel,
        limits: TcpLimits,
    ) -> None:
        self.gateway_id = gateway_id
        self.receive = receive
        self.on_failed = failed
        self.wheel = wheel
        self.limits = limits
        self.connections: dict[int, TcpConnection] = {}
        self.by_remote: dict[Address, TcpConnection] = {}
        self.servers: list[asyncio.Server] = []
        self.numbers = itertools.count(1)
        self.refused = self.timed_out = self.unframed = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; the port that was bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = bound_socket(family, socket.SOCK_STREAM, host, port)
        loop = asyncio.get_running_loop()
        placeholder = Flow("TCP", ("", 0), ("", 0), self.gateway_id)
        server = await loop.create_server(
            lambda: TcpConnection(self, placeholder, incoming=True), sock=made, backlog=BACKLOG
        )
        self.servers.append(server)
        return int(made.getsockname()[1])

    def accepted(self, connection: TcpConnection, transport: asyncio.Transport) -> bool:
        """Take a connection in, unless there are too many."""
        if len(self.connections) >= self.limits.connections:
            self.refused += 1
            connection.failed = True
            return False
        local, remote = transport.get_extra_info("sockname")[:2], transport.get_extra_info("peername")
        if remote is None:
            connection.failed = True
            return False
        self.enter(connection, tuple(local), tuple(remote[:2]))
        return True

    def enter(self, connection: TcpConnection, local: Address, remote: Address) -> None:
        """Number a connection."""
        number = next(self.numbers)
        connection.flow = Flow("TCP", local, remote, self.gateway_id, number)
        self.connections[number] = connection
        self.by_remote[remote] = connection

    def flow_to(self, local: Address, remote: Address) -> Flow:
        """The connection to `remote`, opened now when there is none."""
        known = self.by_remote.get(remote)
        if known is not None:
            return known.flow
        connection = TcpConnection(self, Flow("TCP", local, remote), incoming=False)
        self.enter(connection, local, remote)
        task = asyncio.get_running_loop().create_task(self.connect(connection))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return connection.flow

    async def connect(self, connection: TcpConnection) -> None:
        """Open it; failure is told like a loss."""
        host, port = connection.flow.remote
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: connection, host, port)
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
        self.connections.pop(flow.connection, None)
        if self.by_remote.get(flow.remote) is connection:
            del self.by_remote[flow.remote]
        if flow.connection:
            self.on_failed(flow)

    async def close(self) -> None:
        """Stop accepting; what is written goes out; then everything is closed."""
        for server in self.servers:
            server.close()
        for connection in list(self.connections.values()):
            connection.close()
        for task in list(self.tasks):
            task.cancel()
