"""The relay alone: CPU of a process that holds nothing but a MediaGateway, per relayed packet, and memory per call.

    python -m benchmarks.relay [--calls 100] [--seconds 10] [--burst] [--polling]

Each call is two phones that send 172 octets (G.711, 20 ms) to each other at 50 packets a second. Their packets are
spread evenly over the 20 ms, as those of unrelated phones are; `--burst` sends all of them at once. The phones sleep
until something comes in, so that the relay's `send` wakes a process up for each packet; with `--polling` they read when
it is their turn to send, as if they were on other machines.

Beside the gateway a bare loop does the least that Python can do (epoll, recv_into, connected send; no latch, no
figures, no orders). Both take turns of two seconds, so that they meet the same machine. The load is this process, each
subject one of its own; a figure is that one's user and system time, all threads together, and the median of the turns.
"""

import argparse
import asyncio
import multiprocessing
import resource
import select
import socket
import statistics
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gateways.media.gateway import MediaGateway

HOST = "127.0.0.1"
INTERVAL = 0.02
SLOTS = 20
TURN = 2.0
HEADER = struct.Struct("!BBHII")
PAYLOAD = bytes(160)


def gateway_process(pipe: Connection, calls: int) -> None:
    """Sets the calls up, answers every word with its CPU seconds, and at last says what it has counted."""
    _allow_sockets()
    asyncio.run(_gateway_process(pipe, calls))


async def _gateway_process(pipe: Connection, calls: int) -> None:
    gateway = MediaGateway("m0", {4: HOST}, range(10000, 10000 + 8 * calls), time.monotonic)
    await gateway.start()
    pipe.send("ready")
    remotes = pipe.recv()
    ports = gateway.lease(2 * calls, 4, "s0")
    for number, (near, far) in enumerate(remotes):
        a, b = ports[2 * number : 2 * number + 2]
        gateway.connect(f"call{number}", "s0", [[a, [HOST, near], b, [HOST, far], 1]])
    pipe.send([[ports[2 * n][0], ports[2 * n + 1][0]] for n in range(calls)])
    while await asyncio.to_thread(pipe.recv):
        pipe.send(time.process_time())
    sides = [side for n in range(calls) for stream in gateway.close_session(f"call{n}") for side in stream]
    pipe.send({key: sum(side[key] for side in sides) for key in ("packets", "bytes", "lost")})
    await gateway.close()


def bare_process(pipe: Connection, calls: int) -> None:
    """The same calls by a loop that knows of nothing but sockets."""
    _allow_sockets()
    pipe.send("ready")
    epoll = select.epoll()
    epoll.register(pipe.fileno(), select.EPOLLIN)
    ports, wires, sockets = [], {}, []
    for remotes in pipe.recv():
        near, far = pair = [_bound() for _ in remotes]
        ports.append([each.getsockname()[1] for each in pair])
        for mine, its, remote in ((near, far, remotes[0]), (far, near, remotes[1])):
            mine.connect((HOST, remote))
            wires[mine.fileno()] = mine.recv_into, its.send
            epoll.register(mine.fileno(), select.EPOLLIN)
        sockets += pair
    pipe.send(ports)
    _bare_loop(epoll, wires, pipe)
    pipe.send({})


def _bare_loop(
    epoll: select.epoll, wires: dict[int, tuple[Callable[..., int], Callable[..., int]]], pipe: Connection
) -> None:
    buffer = bytearray(2048)
    views = [memoryview(buffer)[:size] for size in range(len(buffer) + 1)]
    control = pipe.fileno()
    while True:
        for fd, _ in epoll.poll(-1, 1024):
            if fd != control:
                receive, send = wires[fd]
                send(views[receive(buffer)])
            elif pipe.recv():
                pipe.send(time.process_time())
            else:
                return


def _allow_sockets() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bound() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.bind((HOST, 0))
    return bound


class Load:
    """`calls` pairs of phones."""

    def __init__(self, calls: int, burst: bool, polling: bool) -> None:
        self.phones = [_bound() for _ in range(2 * calls)]
        self.slots = [self.phones] if burst else [self.phones[n::SLOTS] for n in range(SLOTS)]
        self.polling = polling
        self.epoll = select.epoll()
        self.by_fd = {phone.fileno(): phone for phone in self.phones}
        if not polling:
            for fd in self.by_fd:
                self.epoll.register(fd, select.EPOLLIN)
        self.frame = self.sent = self.heard = 0

    def run(self, seconds: float) -> None:
        """Send and hear for so long, and wait for what is still on its way."""
        began, turn = time.monotonic(), 0
        while turn < seconds / INTERVAL * len(self.slots):
            phones = self.slots[turn % len(self.slots)]
            if self.polling:
                self._read(phones)
            self._send(phones, self.frame + turn // len(self.slots))
            turn += 1
            self._hear(began + turn * INTERVAL / len(self.slots))
        self.frame += turn // len(self.slots)
        for _ in range(20):
            if self.heard < self.sent:
                self._hear(time.monotonic() + 0.05)
                self._read(self.phones)

    def _send(self, phones: list[socket.socket], frame: int) -> None:
        packet = HEADER.pack(0x80, 0, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, 0x5EED) + PAYLOAD
        for phone in phones:
            phone.send(packet)
        self.sent += len(phones)

    def _hear(self, until: float) -> None:
        """What comes in until then."""
        while (left := until - time.monotonic()) > 0:
            if self.polling:
                time.sleep(left)
                return
            for fd, _ in self.epoll.poll(left, 1024):
                self.by_fd[fd].recv(2048)
                self.heard += 1

    def _read(self, phones: list[socket.socket]) -> None:
        """What has come in so far."""
        for phone in phones:
            try:
                while phone.recv(2048):
                    self.heard += 1
            except BlockingIOError:
                pass


class Subject:
    """A process that relays, and the phones that use it."""

    def __init__(self, target: Callable[[Connection, int], None], calls: int, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=target, args=(end, calls), daemon=True)
        self.process.start()
        self.load = load
        self.cpu_us: list[float] = []
        self.pipe.recv()
        before = self.memory()
        local = [phone.getsockname()[1] for phone in load.phones]
        self.pipe.send([local[2 * n : 2 * n + 2] for n in range(calls)])
        for number, ports in enumerate(self.pipe.recv()):
            for side, port in enumerate(ports):
                load.phones[2 * number + side].connect((HOST, port))
        load.run(0.5)  # the gateway finds out where the phones are; what came before the calls were connected is lost
        load.sent = load.heard = 0
        self.call_kb = (self.memory() - before) / calls / 1e3

    def memory(self) -> int:
        """PSS of what it has allocated, in bytes: its share of the libraries changes with whoever else starts or ends
        Python meanwhile. What the kernel keeps for sockets is not among it.
        """
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss_Anon:")) * 1024

    def turn(self, seconds: float) -> None:
        """Relay for so long; one more figure."""
        heard, cpu = self.load.heard, self.ask(True)
        self.load.run(seconds)
        self.cpu_us.append((self.ask(True) - cpu) / max(self.load.heard - heard, 1) * 1e6)

    def ask(self, word: bool) -> Any:
        """Its CPU seconds; to False what it has counted, at the end."""
        self.pipe.send(word)
        return self.pipe.recv()

    def close(self) -> Any:
        """End the process; what it has counted."""
        counted = self.ask(False)
        self.process.join(5)
        return counted


def measure(calls: int, seconds: float, burst: bool = False, polling: bool = False) -> dict[str, Any]:
    """Microseconds of CPU per packet beside the bare loop, KB per call, what was lost, and what the gateway counted."""
    targets = (gateway_process, bare_process)
    relay, bare = subjects = [Subject(target, calls, Load(calls, burst, polling)) for target in targets]
    for _ in range(max(1, round(seconds / TURN))):
        for subject in subjects:
            subject.turn(min(TURN, seconds))
    ours, floor = statistics.median(relay.cpu_us), statistics.median(bare.cpu_us)
    counted, _ = [subject.close() for subject in subjects]
    return {
        "cpu_us": round(ours, 2),
        "bare_us": round(floor, 2),
        "ratio": round(ours / floor, 2),
        "call_kb": round(relay.call_kb, 1),
        "sent": relay.load.sent,
        "lost": relay.load.sent - relay.load.heard,
        "counted": counted,
        "turns": [[round(figure, 1) for figure in subject.cpu_us] for subject in subjects],
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="benchmarks.relay", description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--calls", type=int, default=100)
    options.add_argument("--seconds", type=float, default=10.0, help="for each subject")
    options.add_argument("--burst", action="store_true", help="all phones send at the same moment")
    options.add_argument("--polling", action="store_true", help="no phone is woken up by what it is sent")
    chosen = options.parse_args()
    for key, value in measure(chosen.calls, chosen.seconds, chosen.burst, chosen.polling).items():
        print(f"{key:12} {value}")


if __name__ == "__main__":
    main()
