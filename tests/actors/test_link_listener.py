"""The listener of the links lets go of everybody when it closes, however far he has come, and outlives a shortage."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
from pathlib import Path

import pytest

from tests.actors.nodes import cluster, run, until

GUESTS = 5


async def is_let_go(guest: socket.socket) -> bool:
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(guest, 100), 5) == b""
    return True


@pytest.mark.parametrize("turns", range(6))
def test_who_is_on_his_way_in_when_it_closes_is_let_go(tmp_path: Path, turns: int) -> None:
    """At any turn of the loop: in the queue, accepted, in the middle of TLS."""

    async def main(where: Path) -> None:
        guests = [socket.socket() for _ in range(GUESTS)]
        async with cluster(where, "s0") as nodes:
            for guest in guests:
                guest.connect(nodes.way("s0"))
                guest.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
        for guest in guests:
            assert await is_let_go(guest)
            guest.close()

    run(main, tmp_path)
    gc.collect()  # a socket that nobody closed is a warning, and a warning a failure


def test_a_shortage_of_descriptors_is_told_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0") as nodes:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as guest:
                free = os.dup(guest.fileno())
                os.close(free)
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
                try:
                    guest.connect(nodes.way("s0"))
                    await until(lambda: "nothing can be accepted" in caplog.text)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                await until(lambda: nodes.hosts["s0"].peering.sockets.counters()["half_open"] == 1)

    run(main, tmp_path)
