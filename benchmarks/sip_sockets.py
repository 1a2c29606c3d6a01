"""What a SIP datagram costs at the socket: one of 600 octets in, two out, for each way to do it on a uvloop loop; and
what a whole request costs in the gateway: OPTIONS in, transaction, user, 200 out.

    python -m benchmarks.sip_sockets [datagrams]

A child process keeps `window` requests in flight; with 1 the loop wakes up for each datagram, with 32 it finds many.
Prints microseconds of CPU of the receiving process for each request, system time included; the best of three runs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import uvloop

from gateways.sip.gateway import SipGateway
from gateways.sip.sockets import SipSockets
from gateways.sip.udp import UdpListener
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import respond
from rayswitch.sip.transactions import TransactionLayer

DATA = b"x" * 600
OPTIONS = (
    "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;rport;branch=z9hG4bK%d\r\n"
    'Max-Forwards: 70\r\nFrom: "Alice" <sip:alice@127.0.0.1>;tag=a1\r\nTo: <sip:bob@127.0.0.1>\r\n'
    "Call-ID: call-%d\r\nCSeq: 1 OPTIONS\r\nContact: <sip:alice@127.0.0.1:5999>\r\nUser-Agent: benchmark\r\n"
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nSupported: 100rel, timer\r\nContent-Length: 0\r\n\r\n"
)
BURST = 64
Count = Callable[[], None]
Server = Callable[[asyncio.AbstractEventLoop, Count], tuple[int, Any]]


class Endpoint(asyncio.DatagramProtocol):
    """The loop's own datagram transport."""

    def __init__(self, count: Count) -> None:
        self.count = count
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: Any) -> None:
        assert self.transport is not None
        self.transport.sendto(data, source)
        self.transport.sendto(data, source)
        self.count()


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


def endpoint(loop: asyncio.AbstractEventLoop, count: Count) -> tuple[int, Any]:
    made = bound()
    task = loop.create_task(loop.create_datagram_endpoint(lambda: Endpoint(count), sock=made))
    return made.getsockname()[1], task


def recvfrom(burst: int) -> Server:
    """A raw socket, `burst` reads a wake-up."""

    def server(loop: asyncio.AbstractEventLoop, count: Count) -> tuple[int, Any]:
        made = bound()

        def read() -> None:
            for _ in range(burst):
                try:
                    data, source = made.recvfrom(65535)
                except BlockingIOError:
                    return
                made.sendto(data, source)
                made.sendto(data, source)
                count()

        loop.add_reader(made.fileno(), read)
        return made.getsockname()[1], made

    return server


def recvfrom_into(loop: asyncio.AbstractEventLoop, count: Count) -> tuple[int, Any]:
    """A raw socket, one buffer for all datagrams, copied out."""
    made, buffer = bound(), bytearray(65535)
    view = memoryview(buffer)

    def read() -> None:
        for _ in range(BURST):
            try:
                size, source = made.recvfrom_into(view)
            except BlockingIOError:
                return
            data = bytes(view[:size])
            made.sendto(data, source)
            made.sendto(data, source)
            count()

    loop.add_reader(made.fileno(), read)
    return made.getsockname()[1], made


def listener(loop: asyncio.AbstractEventLoop, count: Count) -> tuple[int, Any]:
    """What the gateway uses, flows included."""

    def receive(data: bytes, flow: Flow) -> None:
        made.send(flow.remote, data)
        made.send(flow.remote, data)
        count()

    made = UdpListener("127.0.0.1", 0, receive, lambda remote: "127.0.0.1", lambda *load: None)
    made.start(loop)
    return made.port, made


def gateway(loop: asyncio.AbstractEventLoop, count: Count) -> tuple[int, Any]:
    """The shell of the transaction layer, with a user that answers at once."""
    wheel, port = Wheel(loop), free_port()
    listen = [Listener("udp", "127.0.0.1", port)]

    def sockets(made: SipGateway) -> SipSockets:
        return SipSockets("s0", listen, made.arrived, made.flow_failed, wheel)

    made = SipGateway("s0", TransactionLayer(Identifiers("s0", os.urandom)), wheel, loop.time, sockets)

    def user(event: RequestReceived, now: float) -> None:
        made.respond(event.server, respond(event.request, 200, to_tag="t"))
        count()

    made.user = user
    return port, loop.create_task(made.start())


def free_port() -> int:
    with bound() as probe:
        return int(probe.getsockname()[1])


SERVERS: dict[str, Server] = {
    "datagram transport of the loop": endpoint,
    "raw socket, recvfrom, one a wake-up": recvfrom(1),
    "raw socket, recvfrom, drained": recvfrom(BURST),
    "raw socket, recvfrom_into, drained": recvfrom_into,
    "UdpListener (drained, with flows)": listener,
    "SipGateway (OPTIONS in, 200 out)": gateway,
}


def load(port: int, window: int, whole: bool) -> None:
    """The child: keep `window` requests in flight for ever; `whole`: SIP, with one answer to each."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", port))
    made.settimeout(0.2)
    numbers = itertools.count()
    while True:
        try:
            for _ in range(window):
                number = next(numbers)
                made.send((OPTIONS % (number, number)).encode() if whole else DATA)
            for _ in range(window if whole else 2 * window):
                made.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            continue


def measure(server: Server, window: int, datagrams: int) -> float:
    """Microseconds of CPU for one request."""
    loop = uvloop.new_event_loop()
    left, began = datagrams + datagrams // 10, 0.0

    def count() -> None:
        nonlocal left, began
        left -= 1
        if left == datagrams:
            began = time.process_time()
        elif left == 0:
            loop.stop()

    port, kept = server(loop, count)
    child = os.fork()
    if child == 0:
        load(port, window, server is gateway)
    try:
        loop.run_forever()
        return (time.process_time() - began) / datagrams * 1e6
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        del kept


def main() -> None:
    datagrams = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"{'µs of CPU':40}{'window 1':>10}{'window 32':>11}")
    for name, server in SERVERS.items():
        one, many = (min(measure(server, window, datagrams) for _ in range(3)) for window in (1, 32))
        print(f"{name:40}{one:10.1f}{many:11.1f}")


if __name__ == "__main__":
    main()
