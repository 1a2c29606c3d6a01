"""A node behind a real network that goes away and comes back: veth pair, network namespace, two processes."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.certificates import Authority, new_request
from actors.link import Links
from tests.actors.nodes import credentials, run, until

NAME = f"rsl{os.getpid() % 100_000}"
OURS, THEIRS = "10.213.78.1", "10.213.78.2"


@contextmanager
def veth() -> Iterator[None]:
    commands = (
        f"ip netns add {NAME}",
        f"ip link add {NAME}a type veth peer name {NAME}b netns {NAME}",
        f"ip addr add {OURS}/30 dev {NAME}a",
        f"ip link set {NAME}a up",
        f"ip -n {NAME} addr add {THEIRS}/30 dev {NAME}b",
        f"ip -n {NAME} link set {NAME}b up",
    )
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=False)


def cable(state: str) -> None:
    subprocess.run(["ip", "-n", NAME, "link", "set", f"{NAME}b", state], check=True)


class Lonely:
    """The process in the namespace; `lines` is what it said."""

    def __init__(self, where: Path, authority: Authority, switchboard: tuple[str, int], epoch: int) -> None:
        key, request = new_request()
        certificate = authority.sign(request, "s1", epoch, time.time(), 3600)
        self.order = {
            "epoch": epoch,
            "run_dir": str(where),
            "credentials": [certificate, key, [authority.pem]],
            "switchboard": switchboard,
        }
        self.lines: list[str] = []
        self.process: Any = None

    async def start(self) -> None:
        command = ["ip", "netns", "exec", NAME, sys.executable, "-m", "tests.cluster.lonely_host"]
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        self.process.stdin.write(json.dumps(self.order).encode())
        self.process.stdin.close()
        self.reading = asyncio.create_task(self.read())

    async def read(self) -> None:
        while line := await self.process.stdout.readline():
            self.lines.append(line.decode().strip())

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reading


def test_a_node_that_was_cut_off_hears_that_it_is_over_when_it_is_back(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        authority = Authority.new(time.time())
        sw = Links("sw", 1, where, node="n0")
        sw.peering.sockets.credentials = credentials(authority, "sw")
        numbers: list[int] = []
        sw.on("number", lambda peer, number: numbers.append(number))
        await sw.start()
        port = sw.peering.sockets.listen_tcp(OURS, [0]).port
        first = Lonely(where, authority, (OURS, port), 17)
        second = Lonely(where, authority, (OURS, port), 18)
        await first.start()
        await until(lambda: numbers and sw.alive("s1"))

        cable("down")
        begun = time.monotonic()
        await until(lambda: not sw.alive("s1"))
        assert 0.3 < time.monotonic() - begun < 1.5
        await until(lambda: first.lines == ["up sw", "down sw"])
        cable("up")  # nobody has declared it dead: it goes on, as the same process
        begun = time.monotonic()
        await until(lambda: sw.alive("s1"))
        print(f"back {time.monotonic() - begun:.2f} s after the network")
        assert sw.peers()["s1"] == 17

        cable("down")
        await until(lambda: not sw.alive("s1"))
        sw.peering.fence("s1", 17)
        last = len(numbers)
        await asyncio.sleep(0.3)
        cable("up")
        assert await asyncio.wait_for(first.process.wait(), 5) == 3
        await first.end()
        assert first.lines[-1] == "fenced 18"
        assert len(numbers) == last
        await second.start()
        await until(lambda: len(numbers) > last and sw.peers()["s1"] == 18)
        await second.end()
        await sw.close()

    with veth():
        run(main, tmp_path, 40)
