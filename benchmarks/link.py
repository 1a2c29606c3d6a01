"""What a link costs: the round trip of an ask, and the CPU of a one-way message, by the way it goes.

Run: python -m benchmarks.link [--rounds N] [--repeats N]. Ways: the Unix socket of one node; TCP as it is, which the
switch never uses; TCP under TLS; as root also TLS over a veth pair into a network namespace; and TLS with half a
millisecond added in each direction by a relay in a process of its own, which is not counted. A child process is the
other end; both use uvloop. The payload is that of a SIP message on its way to a pool: a registered class
with 500 bytes inside. CPU is that of both ends together: "loaded", 200 messages in one turn of the loop, a SIP
gateway at its limit; "light", 5. The ways take turns, and the median of the repeats is printed.
"""

import argparse
import asyncio
import os
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from actors.address_book import Endpoints
from actors.certificates import Authority, new_request
from actors.credentials import Credentials
from actors.link import Links
from actors.wire import register
from benchmarks.link_ways import PlainSockets, delayed, enter, namespace

BURSTS = {"light": 5, "loaded": 200}
LOCAL = "127.0.0.1"


class Event:
    __slots__ = ("data", "flow", "server")

    def __init__(self, server: int, data: bytes, flow: list[Any]) -> None:
        self.server = server
        self.data = data
        self.flow = flow


register(Event, 126)
EVENT = Event(7, bytes(500), ["UDP", "127.0.0.1", 5060, "127.0.0.1", 40000])
AUTHORITY = Authority.new(time.time())


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def links_of(host: str, run_dir: str, way: str) -> Links:
    """Each end is a node of its own, unless the way is Unix."""
    links = Links(host, time.time_ns(), run_dir, node="" if way == "unix" else host)
    if way == "tcp":
        links.peering.sockets.__class__ = PlainSockets
    key, request = new_request()
    certificate = AUTHORITY.sign(request, host, links.epoch, time.time(), 3600)
    links.peering.sockets.credentials = Credentials(certificate, key, [AUTHORITY.pem])
    return links


async def other(run_dir: str, way: str, address: str) -> None:
    """The far end; it writes its port into the run directory."""
    links, count, done = links_of("b", run_dir, way), 0, asyncio.Event()

    def note(peer: str, payload: Any) -> None:
        nonlocal count
        count += 1

    links.on("echo", lambda peer, payload: payload)
    links.on("note", note)
    links.on("figures", lambda peer, payload: [count, cpu_seconds()])
    links.on("end", lambda peer, payload: done.set())
    await links.start()
    if way != "unix":
        links.peering.sockets.listen_tcp(address, [0])
    Path(run_dir, "port").write_text(str(links.endpoints.port))
    await done.wait()
    await links.close()


async def measure(run_dir: str, way: str, address: str, port: int, rounds: int) -> dict[str, float]:
    links = links_of("a", run_dir, way)
    links.book.update("b", Endpoints("b", address, port), 0)
    await links.start()
    await links.ask("b", "echo", EVENT, 10)
    figures = await asks(links, rounds)
    for name, burst in BURSTS.items():
        figures[f"one-way, {name}"] = await tells(links, rounds * 10 // (1 if burst > 100 else 10), burst)
    links.tell("b", "end", None)
    await links.close()
    return figures


async def asks(links: Links, rounds: int) -> dict[str, float]:
    _, theirs = await links.ask("b", "figures", None)
    ours, times = cpu_seconds(), []
    for _ in range(rounds):
        begun = time.perf_counter()
        await links.ask("b", "echo", EVENT)
        times.append(time.perf_counter() - begun)
    _, after = await links.ask("b", "figures", None)
    times.sort()
    cpu = (cpu_seconds() - ours + after - theirs) / rounds
    return {
        "ask p50": times[len(times) // 2] * 1e6,
        "ask p99": times[len(times) * 99 // 100] * 1e6,
        "ask CPU": cpu * 1e6,
    }


async def tells(links: Links, messages: int, burst: int) -> float:
    """CPU of a message in microseconds."""
    begun, theirs = await links.ask("b", "figures", None)
    ours = cpu_seconds()
    for _ in range(messages // burst):
        for _ in range(burst):
            links.tell("b", "note", EVENT)
        await asyncio.sleep(0.001)
    count, after = await links.ask("b", "figures", None, 30)
    cpu: float = (cpu_seconds() - ours + after - theirs) / (count - begun)
    return cpu * 1e6


def run(way: str, rounds: int) -> dict[str, float]:
    """One way, once."""
    with tempfile.TemporaryDirectory() as run_dir, far_end(way) as (inside, address):

        def far() -> Coroutine[Any, Any, None]:
            if inside:
                enter(inside)
            return other(run_dir, way, address)

        with child(far):
            port = awaited_port(Path(run_dir, "port"))
            with delayed(address, port) if way == "tls +1 ms" else unchanged(address, port) as (near, number):
                return uvloop.run(measure(run_dir, way, near, number, rounds))


@contextmanager
def far_end(way: str) -> Iterator[tuple[str, str]]:
    """Network namespace and address of the other end."""
    if way != "tls, veth":
        yield "", LOCAL
        return
    with namespace() as (name, address):
        yield name, address


@contextmanager
def unchanged(address: str, port: int) -> Iterator[tuple[str, int]]:
    yield address, port


@contextmanager
def child(work: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """`work` in a forked process; what it does not end itself is ended with the block."""
    pid = os.fork()
    if pid == 0:
        try:
            uvloop.run(work())
        finally:
            os._exit(0)
    try:
        yield
    finally:
        time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def awaited_port(file: Path) -> int:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if file.exists() and (text := file.read_text()):
            return int(text)
        time.sleep(0.01)
    raise TimeoutError("the other end does not start")


def ways() -> list[str]:
    """Those that can be measured here."""
    may = os.geteuid() == 0 and subprocess.run(["ip", "netns", "list"], capture_output=True).returncode == 0
    return ["unix", "tcp", "tls", *(["tls, veth"] if may else []), "tls +1 ms"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    wanted = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways()}
    for _ in range(wanted.repeats):
        for way, results in found.items():
            results.append(run(way, wanted.rounds if "+" not in way else wanted.rounds // 10))
    names = list(next(iter(found.values()))[0])
    print(f"{'µs':12}" + "".join(f"{name:>18}" for name in names))
    for way, results in found.items():
        medians = (statistics.median(result[name] for result in results) for name in names)
        print(f"{way:12}" + "".join(f"{figure:18.1f}" for figure in medians))


if __name__ == "__main__":
    main()
