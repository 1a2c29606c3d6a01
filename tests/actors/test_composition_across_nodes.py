"""A switch each of whose hosts is on a node of its own: everything that crosses a link crosses TLS."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from actors.certificates import Authority
from actors.link import Links
from actors.rundir import run_dir
from rayswitch.config import Config
from tests.actors.nodes import credentials
from tests.actors.test_composition import POOL, registered, talk
from tests.actors.together import Together, epochs, listening, run, switch, until


class Apart(Together):
    """The nodes are addresses of the loopback network."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.authority = Authority.new(time.time())

    async def linked(self, host: str) -> Links:
        epoch = next(epochs)
        links = Links(host, epoch, run_dir(self.config), node=host)
        links.peering.sockets.credentials = credentials(self.authority, host, epoch)
        await links.start()
        links.peering.sockets.listen_tcp(f"127.0.0.{len(self.links) + 2}", [0])
        for name, other in self.links.items():
            links.book.update(name, other.endpoints, other.epoch)
            other.book.update(host, links.endpoints, links.epoch)
        return links

    def ends(self) -> list[dict[str, Any]]:
        return [end for links in self.links.values() for end in links.status()["peers"].values()]


@pytest.mark.parametrize("actors", [{}, POOL], ids=["gateway", "pool"])
def test_calls_between_nodes_make_no_links(tmp_path: Path, actors: dict[str, Any]) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Apart, sip=listening(2), actors=actors) as together:
            assert isinstance(together, Apart)
            callee, caller = await registered(together, "101"), together.phone()
            before = together.ends()
            for turn in range(6):
                a, b = await talk(caller, callee)
                assert (await asyncio.to_thread((a if turn % 2 else b).bye)).status == 200
            await until(lambda: len(together.records()) == 6)
            assert {end["over"] for end in together.ends() if end["up"]} == {"tls"}
            assert [end["connects"] for end in together.ends()] == [end["connects"] for end in before]
            assert sum(end["frames_out"] for end in together.ends()) > sum(end["frames_out"] for end in before) + 6

    run(main, tmp_path)


def test_a_host_that_is_fenced_takes_its_calls_with_it_and_comes_back_with_them(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, Apart, sip=listening(1), actors=POOL) as together:
            callee, caller = await registered(together, "101"), together.phone()
            a, b = await talk(caller, callee)
            old, ended = together.links["c0"], asyncio.Event()
            old.on_fenced(lambda floor: ended.set())
            await until(lambda: together.status("c0")["calls"] == 1)
            for links in together.links.values():
                if links is not old:
                    links.peering.fence("c0", old.epoch)
            await ended.wait()
            await together.kill("c0")
            await together.start("c0")
            await until(lambda: together.status("c0")["calls"] == 1)
            await until(together.connected)
            assert (await asyncio.to_thread(a.bye)).status == 200
            assert await asyncio.to_thread(b.ended.wait, 5)

    run(main, tmp_path)
