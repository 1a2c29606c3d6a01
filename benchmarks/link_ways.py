"""Ways that a link goes in the benchmark and nowhere else: bare TCP, a veth pair, a relay that takes its time."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import uvloop

from actors.address_book import Endpoints
from actors.connection import Connection
from actors.link_sockets import LinkSockets

__all__ = ["PlainSockets", "delayed", "enter", "namespace"]

DELAY = 0.0005  # seconds, each way
CLONE_NEWNET = 0x40000000


class PlainSockets(LinkSockets):
    """TCP without TLS: anybody could be at the other end."""

    def listen_tcp(self, address: str, ports: Iterable[int]) -> Endpoints:
        listening = socket.create_server((address, next(iter(ports))))
        task = asyncio.get_running_loop().create_server(self._made, sock=listening)
        self.plain = asyncio.get_running_loop().create_task(task)
        self.endpoints = Endpoints(self.book.node, address, listening.getsockname()[1])
        return self.endpoints

    async def dial(self, host: str, connection: Callable[[], Connection]) -> Connection:
        way = self.book.way(host)
        assert not isinstance(way, str)
        return (await asyncio.get_running_loop().create_connection(connection, *way))[1]


@contextmanager
def namespace() -> Iterator[tuple[str, str]]:
    """A network namespace behind a veth pair: its name, and the address inside."""
    name = f"rsw{os.getpid()}"
    ours, theirs = f"{name}a", f"{name}b"
    commands = (
        f"ip netns add {name}",
        f"ip link add {ours} type veth peer name {theirs} netns {name}",
        f"ip addr add 10.213.77.1/30 dev {ours}",
        f"ip link set {ours} up",
        f"ip -n {name} addr add 10.213.77.2/30 dev {theirs}",
        f"ip -n {name} link set {theirs} up",
    )
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield name, "10.213.77.2"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def enter(name: str) -> None:
    """Move this process into a network namespace (setns(2))."""
    with open(f"/run/netns/{name}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")


@contextmanager
def delayed(address: str, port: int) -> Iterator[tuple[str, int]]:
    """A relay to that address that hands everything on DELAY later; in a process of its own."""
    listening = socket.create_server((address, 0))
    pid = os.fork()
    if pid == 0:
        try:
            uvloop.run(_relaying(listening, (address, port)))
        finally:
            os._exit(0)
    listening_at = listening.getsockname()
    listening.close()
    try:
        yield listening_at
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


async def _relaying(listening: socket.socket, target: tuple[str, int]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, onward = await asyncio.open_connection(*target)
        await asyncio.gather(_pass_on(reader, onward), _pass_on(back, writer))

    server = await asyncio.start_server(serve, sock=listening)
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Timers of the loop are of a millisecond: the last part of the wait is spent turning."""
    queue: deque[tuple[float, bytes]] = deque()
    come = asyncio.Event()

    async def read() -> None:
        while piece := await reader.read(65536):
            queue.append((time.perf_counter() + DELAY, piece))
            come.set()

    reading = asyncio.create_task(read())
    with suppress(OSError):
        while not reading.done() or queue:
            if not queue:
                come.clear()
                await come.wait()
            due, piece = queue.popleft()
            while time.perf_counter() < due:
                await asyncio.sleep(0)
            writer.write(piece)
