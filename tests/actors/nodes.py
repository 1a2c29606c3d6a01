"""Hosts on several nodes of one machine: each node is a loopback address and a run directory of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from actors.address_book import Endpoints
from actors.certificates import Authority, new_request
from actors.credentials import Credentials
from actors.link import Links

LIFE = 3600.0


def run(main: Callable[[Path], Awaitable[None]], where: Path, seconds: float = 20) -> None:
    """Whatever reaches the loop's exception handler is a failure, too."""
    stray: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: stray.append(context))
        runner.run(asyncio.wait_for(main(where), seconds))
    assert stray == []


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def credentials(
    authority: Authority, host: str, epoch: int = 1, life: float = LIFE, trusted: list[str] | None = None
) -> Credentials:
    """What `authority` gives to a host; it trusts that authority alone unless others are named."""
    key, request = new_request()
    certificate = authority.sign(request, host, epoch, time.time(), life)
    return Credentials(certificate, key, trusted or [authority.pem])


class Cluster:
    """Hosts by id, all of whom know each other; a host's node is the number in its id: s1 is on 127.0.0.2."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.authority = Authority.new(time.time())
        self.hosts: dict[str, Links] = {}

    async def start(self, host: str, epoch: int = 1, own: Credentials | None = None) -> Links:
        """A host that listens on its node's address."""
        number = int(host.lstrip("abcdefghijklmnopqrstuvwxyz"))
        run_dir = self.where / f"n{number}"
        run_dir.mkdir(exist_ok=True)
        links = Links(host, epoch, run_dir, node=f"n{number}")
        links.peering.sockets.credentials = own or credentials(self.authority, host, epoch)
        await links.start()
        links.peering.sockets.listen_tcp(f"127.0.0.{number + 1}", [0])
        self.hosts[host] = links
        return links

    def introduce(self) -> None:
        """Everybody learns of everybody, as the membership would tell them."""
        for one in self.hosts.values():
            for name, other in self.hosts.items():
                one.book.update(name, other.peering.sockets.endpoints, 0)

    def way(self, host: str) -> tuple[str, int]:
        """Where a stranger would dial that host."""
        _, address, port = self.hosts[host].peering.sockets.endpoints
        return address, port

    def detour(self, host: str, peer: str, way: tuple[str, int]) -> None:
        """`host` dials that address when it wants `peer`."""
        self.hosts[host].book.update(peer, Endpoints("elsewhere", *way), 0)

    async def close(self) -> None:
        for links in self.hosts.values():
            await links.close()


@asynccontextmanager
async def cluster(where: Path, *hosts: str) -> AsyncIterator[Cluster]:
    made = Cluster(where)
    try:
        for host in hosts:
            await made.start(host)
        made.introduce()
        yield made
    finally:
        await made.close()
