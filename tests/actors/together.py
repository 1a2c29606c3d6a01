"""A whole switch in one process, without Ray: every host composed on one loop, real links, real sockets, a real store.

`kill` ends a host as a crash would, without farewell to anybody; `start` brings it back as a new epoch. Processes of
single entities are started on the same loop (`OnThisLoop` stands for Ray).
Phones are threads (`tests/interop/agent.py`); what they do blocks, so it is awaited with `asyncio.to_thread`.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from actors import vocabulary  # noqa: F401 (what crosses a link)
from actors.composition import Identity, Process, compose, own_process
from actors.link import Links
from actors.member_feed import MemberFeed, about, first_members
from actors.own_actors import Own
from actors.placement import SWITCHBOARD, hosts_of, is_own
from actors.reference import attach, attached
from actors.rundir import make_run_dir, run_dir
from actors.switchboard import Switchboard
from rayswitch.config import Config
from rayswitch.sip.digest import ha1
from rayswitch.store import CdrFilter, Extension, Extensions, Store, cdrs
from tests.interop.agent import Agent
from tests.interop.ports import free_port

DOMAIN = "together.test"
PASSWORD = "secret"
NUMBERS = ("100", "101", "102")
MEDIA = f"{(first := 12000 + os.getpid() % 50 * 400)}-{first + 399}"
"""Below the ports that the system gives to listeners, and not those of a test run beside this one."""
epochs = itertools.count(1)


def run(main: Callable[[Path], Awaitable[None]], where: Path, seconds: float = 30) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(where), seconds))


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class OnThisLoop:
    """What the Switchboard starts and ends through Ray, here without: from a thread of its, onto the loop."""

    def __init__(self, together: "Together") -> None:
        self.together = together
        self.loop = asyncio.get_running_loop()
        self.known: dict[str, Own] = {}

    def start(self, own: Own, node: str) -> None:
        self.known[own.name] = own
        asyncio.run_coroutine_threadsafe(self.together.start_single(own, own.again), self.loop).result()

    def end(self, name: str) -> None:
        own = self.known.pop(name, None)
        if own is not None and own.host in self.together.links:
            asyncio.run_coroutine_threadsafe(self.together.kill(own.host), self.loop).result()

    def names(self) -> list[str]:
        return list(self.known)


class Together:
    """The hosts that run, by id; `phones` are closed at the end."""

    def __init__(self, config: Config) -> None:
        self.config = config
        single = any(kind.is_single for kind in config.actors.kinds.values())
        self.actors = OnThisLoop(self) if single else None
        self.links: dict[str, Links] = {}
        self.feeds: dict[str, MemberFeed] = {}
        self.processes: dict[str, Process | Switchboard] = {}
        self.phones = ExitStack()
        self.ran: set[str] = set()
        """Hosts that have been started before."""

    async def start(self, *hosts: str) -> None:
        for host in hosts:
            links = self.links[host] = await self.linked(host)
            links.hold()
            feed = self.feeds[host] = MemberFeed(host, links, await first_members(self.config, host))
            process = self.processes[host] = await self.composed(host, links, feed)
            links.release()
            self.greet(links, process, feed)
        for host in hosts:
            self.feeds[host].start()

    async def linked(self, host: str) -> Links:
        """The links of a new process of `host`."""
        links = Links(host, next(epochs), run_dir(self.config))
        await links.start()
        return links

    async def composed(self, host: str, links: Links, feed: MemberFeed) -> Process | Switchboard:
        if host != SWITCHBOARD:
            return await compose(host, self.config, links, feed)
        switchboard = Switchboard(self.config, links, feed, None, self.actors)
        await switchboard.start(hosts_of(self.config) if host not in self.ran else None)
        return switchboard

    async def start_single(self, own: Own, again: bool = False) -> None:
        """The process of one entity, for the first time or after `kill`."""
        links = Links(own.host, next(epochs), run_dir(self.config), listens=False)
        await links.start()
        self.links[own.host] = links
        feed = self.feeds[own.host] = MemberFeed(own.host, links, await first_members(self.config, own.host))
        here = attached()
        identity = Identity(own.kind, own.key, own.home, again)
        begun = asyncio.create_task(own_process(own.host, self.config, links, feed, identity))
        await asyncio.sleep(0)
        attach(here)  # as many hosts as there are share this process
        self.processes[own.host] = process = await begun
        self.greet(links, process, feed)
        links.connect([SWITCHBOARD, *hosts_of(self.config)])

    def single(self, kind: str, state: str = "busy") -> list[Own]:
        """Processes of single entities, as the Switchboard knows them."""
        board = self.processes[SWITCHBOARD]
        assert isinstance(board, Switchboard) and board.own is not None
        return [own for own in board.own.living.values() if (own.kind, own.state) == (kind, state)]

    def greet(self, links: Links, process: Process | Switchboard, feed: MemberFeed) -> None:
        self.ran.add(links.me)
        greeting = lambda: about(links, feed.members, process.listeners, 1)  # noqa: E731
        links.on_up(lambda peer, epoch, new: links.tell(peer, "member", greeting()) if peer == SWITCHBOARD else None)

    async def kill(self, host: str) -> None:
        links, process = self.links.pop(host, None), self.processes.pop(host, None)
        if links is not None:
            await links.close()
        if process is not None:
            await process.close()

    def connected(self) -> bool:
        fixed = [host for host in self.links if not is_own(host)]
        pairs = [(one, other) for one in fixed for other in fixed if one[0] != "m" or other[0] != "m"]
        return all(self.links[one].alive(other) for one, other in pairs)

    def phone(self) -> Agent:
        listener = self.config.sip.listen[0]
        return self.phones.enter_context(Agent(f"{listener.host}:{listener.port}", DOMAIN))

    def store(self) -> Store:
        return Store.open(self.config.store)

    def records(self) -> list[dict[str, Any]]:
        """The call detail records in the store, whole calls only, the newest first."""
        with self.store() as store:
            return list(cdrs(store, CdrFilter()))

    def status(self, host: str) -> dict[str, Any]:
        return self.processes[host].status()


def settings(where: Path, **more: Any) -> dict[str, Any]:
    """One of each; `more` are further sections."""
    return {
        "domain": DOMAIN,
        "data": str(where),
        "store": f"sqlite:///{where}/switch.db",
        "media": {"address": "127.0.0.1", "ports": MEDIA},
    } | more


def listening(gateways: int = 1) -> dict[str, Any]:
    """Sections `sip` with one UDP listener on a free port."""
    return {"listen": [f"udp://127.0.0.1:{free_port()}"], "gateways": gateways}


def extension(number: str) -> Extension:
    md5, sha256 = (ha1(number, DOMAIN, PASSWORD, algorithm) for algorithm in ("MD5", "SHA-256"))
    return Extension(number, DOMAIN, f"Phone {number}", md5, sha256, {})


@asynccontextmanager
async def switch(where: Path, kind: type[Together] = Together, **more: Any) -> AsyncIterator[Together]:
    """A switch with three extensions, all hosts up and linked."""
    config = Config.from_dict(settings(where, **({"sip": listening()} | more)))
    make_run_dir(config)
    with Store.open(config.store) as store:
        Extensions(store, DOMAIN).put(map(extension, NUMBERS))
    together = kind(config)
    try:
        await together.start(SWITCHBOARD, *hosts_of(config))
        await until(together.connected)
        yield together
    finally:
        together.phones.close()
        for host in list(together.links):
            await together.kill(host)
