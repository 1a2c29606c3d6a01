"""Where the calls of a host get their media ports: leases taken ahead, so that an answer needs no round trip.

For each media gateway and address family a stock of leased ports is kept; when it runs low more are asked for, 32 at
a time, and twice as many whenever calls found it empty: the gateway gives fewer when it has few itself. Each stock
has at most one question under way, and calls that found too little wait for its answer together. A call is served
from one gateway, in turn among those that are up; it is refused when none of them has the ports. A media gateway that
comes back as a new process knows nothing of leases: its stock is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.link import LinkError, Links
from actors.tasks import Tasks
from rayswitch.members import AWAY, DEAD, UP, Members

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH, LARGEST_BATCH = 32, 512
"""Ports that are taken ahead; half of them left is low."""

Port = list[Any]
Stock = tuple[str, int]
"""Gateway and address family."""
Done = Callable[[str, "list[Port] | None"], None]


class MediaDesk:
    """Leases for the calls of one host; `gateways` are the ids of the media gateways."""

    def __init__(
        self,
        links: Links,
        gateways: Sequence[str],
        figures: Callable[[str, list[Any]], None] = lambda session, streams: None,
        ahead: int = BATCH,
    ) -> None:
        """`figures(session, streams)` is told what a session that was released has counted; so many ports are taken
        `ahead` (0: a process that has one call)."""
        self.links = links
        self.ahead = ahead
        links.on("figures", lambda peer, payload: figures(*payload))
        self.order = deque(gateways)
        self.near: set[str] = set()
        """Those on our node: tried first."""
        self.stock: dict[Stock, list[Port]] = {}
        self.batch: dict[Stock, int] = {}
        """How many are taken ahead, where it is more than `ahead`."""
        self.missed: set[Stock] = set()
        """Which of them calls found too small since the last answer."""
        self.asked: dict[Stock, asyncio.Task[int | None]] = {}
        """The question under way."""
        self.tasks = Tasks()

    def follow(self, members: Members) -> None:
        """These are the media gateways from now on."""
        gateways = members.ids("m", UP, AWAY)
        if gateways:
            self.order = deque(gateways)
            self.near = {host for host in gateways if members.hosts[host].node == self.links.book.node}
        for gateway in {gateway for gateway, _ in self.stock if members.state(gateway) == DEAD}:
            self.forget(gateway)

    def reserve(self, gateway: str, families: list[int], done: Done) -> None:
        """`done(gateway, ports)` with one [port, address] for each family, at once when in stock; None: refused."""
        candidates = self.candidates(gateway)
        for candidate in candidates:
            ports = self.take(candidate, families)
            self.look_ahead(candidate, families)
            if ports is not None:
                done(candidate, ports)
                return
        self.tasks.spawn(self.ask_and_serve(candidates, families, done))

    def candidates(self, gateway: str) -> list[str]:
        """That one, or all that are up: those on our node first, the next in turn at the head."""
        if gateway:
            return [gateway]
        self.order.rotate(-1)
        alive = [candidate for candidate in self.order if self.links.alive(candidate)]
        return sorted(alive, key=lambda candidate: candidate not in self.near) if self.near else alive

    def take(self, gateway: str, families: list[int]) -> list[Port] | None:
        """All ports from stock or none."""
        if any(self.lacks(gateway, family, families.count(family)) for family in set(families)):
            return None
        return [self.stock[(gateway, family)].pop() for family in families]

    def lacks(self, gateway: str, family: int, count: int) -> bool:
        """Are there fewer than `count` in stock?"""
        return len(self.stock.get((gateway, family), ())) < count

    def look_ahead(self, gateway: str, families: list[int]) -> None:
        """Ask for what runs low, so that the next call of this gateway's turn is served at once."""
        for family in set(families):
            if self.lacks(gateway, family, self.batch.get((gateway, family), self.ahead) // 2):
                self.refill((gateway, family), 0)

    async def ask_and_serve(self, candidates: list[str], families: list[int], done: Done) -> None:
        """The stock was too small: ask the gateways, one after the other."""
        for candidate in candidates:
            while (ports := self.take(candidate, families)) is None:
                if not await self.supplied(candidate, families):
                    break
            if ports is not None:
                done(candidate, ports)
                return
        done("", None)

    async def supplied(self, gateway: str, families: list[int]) -> bool:
        """Has the gateway given anything of what is missing?  Others may have taken it already."""
        for family in set(families):
            count = families.count(family)
            if self.lacks(gateway, family, count) and not await self.more((gateway, family), count):
                return False
        return True

    async def more(self, stock: Stock, count: int) -> bool:
        """Wait for the question under way and look again, or ask for `count` at least; False when nothing came."""
        self.missed.add(stock)
        under_way = self.asked.get(stock)
        if under_way is not None:
            return await asyncio.shield(under_way) is not None
        return bool(await asyncio.shield(self.refill(stock, count)))

    def refill(self, stock: Stock, count: int) -> asyncio.Task[int | None]:
        """The question under way, or a new one, for what calls need now and for the stock."""
        task = self.asked.get(stock)
        if task is None:
            task = self.asked[stock] = self.tasks.spawn(self.ask(stock, count))
        return task

    async def ask(self, stock: Stock, count: int) -> int | None:
        """Lease `count` and what can be spared besides; how many came, None when the gateway did not answer."""
        gateway, family = stock
        try:
            ports: list[Port] = await self.links.ask(
                gateway, "media", ["lease", count, self.batch.get(stock, self.ahead), family]
            )
        except LinkError as error:
            log.warning("no leases from media gateway %s: %s", gateway, error)
            return None
        finally:
            del self.asked[stock]
        self.stock.setdefault(stock, []).extend(ports)
        if stock in self.missed:
            self.missed.remove(stock)
            self.batch[stock] = min(2 * self.batch.get(stock, self.ahead), LARGEST_BATCH)
        return len(ports)

    def connect(self, gateway: str, session: str, streams: list[Any]) -> None:
        """Describe a session to its gateway."""
        self.links.tell(gateway, "media", ["connect", session, streams])

    def release(self, gateway: str, session: str, unused: list[int]) -> None:
        """End a session; its figures come back by `figures`, unless the gateway does not answer."""
        self.give_back(gateway, unused)
        self.links.tell(gateway, "media", ["close", session])

    def give_back(self, gateway: str, unused: list[int]) -> None:
        """Ports that were leased and never connected."""
        if unused:
            self.links.tell(gateway, "media", ["give_back", unused])

    def forget(self, gateway: str) -> None:
        """The gateway is a new process: what it had leased is void."""
        for stock in [stock for stock in self.stock if stock[0] == gateway]:
            del self.stock[stock]

    def close(self) -> None:
        """Give back what is in stock, and wait for nothing more."""
        self.tasks.cancel()
        for (gateway, _), ports in self.stock.items():
            self.give_back(gateway, [port[0] for port in ports])
        self.stock.clear()
