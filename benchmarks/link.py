"""What a link costs: the round trip of an ask, and the CPU of a one-way message.

Run: python -m benchmarks.link [rounds]. A child process is the other end; both use uvloop. The payload is that of a SIP
message on its way to a pool: a registered class with 500 bytes inside. CPU is that of both processes together.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from typing import Any

import uvloop

from actors.link import Links
from actors.wire import register

BURST = 200


class Event:
    __slots__ = ("data", "flow", "server")

    def __init__(self, server: int, data: bytes, flow: list[Any]) -> None:
        self.server = server
        self.data = data
        self.flow = flow


register(Event, 126)
EVENT = Event(7, bytes(500), ["UDP", "127.0.0.1", 5060, "127.0.0.1", 40000])


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def other(run_dir: str) -> None:
    links, count, done = Links("b", time.time_ns(), run_dir), 0, asyncio.Event()

    def note(peer: str, payload: Any) -> None:
        nonlocal count
        count += 1

    links.on("echo", lambda peer, payload: payload)
    links.on("note", note)
    links.on("figures", lambda peer, payload: [count, cpu_seconds()])
    links.on("end", lambda peer, payload: done.set())
    await links.start()
    await done.wait()
    await links.close()


async def measure(run_dir: str, rounds: int) -> dict[str, float]:
    links = Links("a", time.time_ns(), run_dir)
    await links.start()
    await links.ask("b", "echo", EVENT, 10)
    _, theirs = await links.ask("b", "figures", None)
    ours, times = cpu_seconds(), []
    for _ in range(rounds):
        begun = time.perf_counter()
        await links.ask("b", "echo", EVENT)
        times.append(time.perf_counter() - begun)
    _, after = await links.ask("b", "figures", None)
    ask_cpu = (cpu_seconds() - ours + after - theirs) / rounds
    ours, theirs = cpu_seconds(), after
    for _ in range(rounds * 10 // BURST):
        for _ in range(BURST):
            links.tell("b", "note", EVENT)
        await asyncio.sleep(0.001)
    count, after = await links.ask("b", "figures", None)
    tell_cpu = (cpu_seconds() - ours + after - theirs) / count
    links.tell("b", "end", None)
    await links.close()
    times.sort()
    return {
        "ask p50 µs": times[len(times) // 2] * 1e6,
        "ask p99 µs": times[len(times) * 99 // 100] * 1e6,
        "ask CPU µs": ask_cpu * 1e6,
        "one-way CPU µs": tell_cpu * 1e6,
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as run_dir:
        child = os.fork()
        if child == 0:
            uvloop.run(other(run_dir))
            os._exit(0)
        for name, figure in uvloop.run(measure(run_dir, rounds)).items():
            print(f"{name:16} {figure:8.1f}")
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
