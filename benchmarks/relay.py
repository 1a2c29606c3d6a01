"""The relay alone: CPU of a process that holds nothing but a MediaGateway, per relayed packet, and memory per call.

    python -m benchmarks.relay [--calls 100] [--seconds 10] [--burst]

Each call is two phones that send 172 octets (G.711, 20 ms) to each other at 50 packets a second. Their packets are
spread evenly over the 20 ms, as those of unrelated phones are; `--burst` sends all of them at once. The load is this
process, the gateway a process of its own; the figure is that one's user and system time, all threads together.
"""

import argparse
import asyncio
import multiprocessing
import resource
import select
import socket
import struct
import time
from multiprocessing.connection import Connection
from typing import Any

from gateways.media.gateway import MediaGateway

HOST = "127.0.0.1"
INTERVAL = 0.02
SLOTS = 20
HEADER = struct.Struct("!BBHII")
PAYLOAD = bytes(160)


def serve(pipe: Connection, calls: int) -> None:
    """The gateway process: sets the calls up, then answers every word with its CPU seconds and KB of memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(pipe, calls))


async def _serve(pipe: Connection, calls: int) -> None:
    gateway = MediaGateway("m0", {4: HOST}, range(10000, 10000 + 8 * calls), time.monotonic)
    await gateway.start()
    before = _rss()
    ports = gateway.lease(2 * calls, 4, "s0")
    for number, remotes in enumerate(pipe.recv()):
        a, b = ports[2 * number : 2 * number + 2]
        gateway.connect(f"call{number}", "s0", [[a, [HOST, remotes[0]], b, [HOST, remotes[1]], 1]])
    pipe.send([[ports[2 * n][0], ports[2 * n + 1][0]] for n in range(calls)])
    while await asyncio.to_thread(pipe.recv):
        pipe.send((time.process_time(), _rss() - before, gateway.status()))
    figures = [gateway.close_session(f"call{number}") for number in range(calls)]
    pipe.send(figures)
    await gateway.close()


def _rss() -> int:
    """Resident memory in KB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


class Load:
    """`calls` pairs of phones."""

    def __init__(self, calls: int) -> None:
        self.phones = [_phone() for _ in range(2 * calls)]
        self.epoll = select.epoll()
        for phone in self.phones:
            self.epoll.register(phone.fileno(), select.EPOLLIN)
        self.by_fd = {phone.fileno(): phone for phone in self.phones}
        self.sequence = self.sent = self.heard = 0

    def run(self, seconds: float, burst: bool) -> None:
        """Send and hear for so long."""
        slots = [self.phones] if burst else [self.phones[n::SLOTS] for n in range(SLOTS)]
        began, turn = time.monotonic(), 0
        while turn < seconds / INTERVAL * len(slots):
            self._send(slots[turn % len(slots)], turn // len(slots))
            turn += 1
            self._hear(began + turn * INTERVAL / len(slots))
        for _ in range(20):
            if self.heard < self.sent:
                self._hear(time.monotonic() + 0.1)

    def _send(self, phones: list[socket.socket], frame: int) -> None:
        frame += self.sequence
        packet = HEADER.pack(0x80, 0, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, 0x5EED) + PAYLOAD
        for phone in phones:
            phone.send(packet)
        self.sent += len(phones)

    def _hear(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            for fd, _ in self.epoll.poll(left, 1024):
                self.by_fd[fd].recv(2048)
                self.heard += 1


def _phone() -> socket.socket:
    phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind((HOST, 0))
    return phone


def measure(calls: int, seconds: float, burst: bool = False) -> dict[str, Any]:
    """µs of CPU per packet, KB per call, and what was lost."""
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    process = context.Process(target=serve, args=(end, calls), daemon=True)
    process.start()
    load = Load(calls)
    local = [phone.getsockname()[1] for phone in load.phones]
    pipe.send([local[2 * n : 2 * n + 2] for n in range(calls)])
    for number, ports in enumerate(pipe.recv()):
        for side, port in enumerate(ports):
            load.phones[2 * number + side].connect((HOST, port))
    load.run(0.5, burst)
    load.sequence = 25
    load.sent = load.heard = 0
    before = _ask(pipe)
    load.run(seconds, burst)
    after = _ask(pipe)
    pipe.send(False)
    figures = pipe.recv()
    process.join(5)
    return {
        "packets": load.heard,
        "cpu_us": (after[0] - before[0]) / max(load.heard, 1) * 1e6,
        "call_kb": after[1] / calls,
        "lost": load.sent - load.heard,
        "first call": figures[0],
    }


def _ask(pipe: Connection) -> Any:
    pipe.send(True)
    return pipe.recv()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="benchmarks.relay", description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--calls", type=int, default=100)
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--burst", action="store_true", help="all phones send at the same moment")
    chosen = options.parse_args()
    for key, value in measure(chosen.calls, chosen.seconds, chosen.burst).items():
        print(f"{key:12} {value}")


if __name__ == "__main__":
    main()
