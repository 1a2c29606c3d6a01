"""Where the calls of a host get their media ports: leases taken ahead, so that an answer needs no round trip.

For each media gateway and address family a stock of leased ports is kept; when it runs low more are asked for, 32 at a
time.  A call is served from one gateway, in turn among those that are up and have stock; when none has, the desk asks
before it says no.  A media gateway that comes back as a new process knows nothing of leases: its stock is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from actors.link import LinkError, Links

log = logging.getLogger(__name__)

LOW = 16
BATCH = 32

Port = list[Any]
Done = Callable[[str, "list[Port] | None"], None]


class MediaDesk:
    """Leases for the calls of one host; `gateways` are the ids of the media gateways."""

    def __init__(
        self,
        links: Links,
        gateways: Sequence[str],
        figures: Callable[[str, list[Any]], None] = lambda session, streams: None,
    ) -> None:
        """`figures(session, streams)` is told what a session that was released has counted."""
        self.links = links
        links.on("figures", lambda peer, payload: figures(*payload))
        self.order = deque(gateways)
        self.stock: dict[tuple[str, int], list[Port]] = {}
        self.asking: set[tuple[str, int]] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    def reserve(self, gateway: str, families: list[int], done: Done) -> None:
        """`done(gateway, ports)` with one [port, address] for each family, at once when in stock; None: refused."""
        for candidate in self.candidates(gateway):
            ports = self.take(candidate, families)
            if ports is not None:
                done(candidate, ports)
                return
        self.spawn(self.ask_and_serve(gateway, families, done))

    def candidates(self, gateway: str) -> list[str]:
        """That one, or all that are up, the next in turn first."""
        if gateway:
            return [gateway]
        self.order.rotate(-1)
        return [candidate for candidate in self.order if self.links.alive(candidate)]

    def take(self, gateway: str, families: list[int]) -> list[Port] | None:
        """All ports from stock or none."""
        for family in set(families):
            if len(self.stock.get((gateway, family), ())) < families.count(family):
                return None
        ports = [self.stock[(gateway, family)].pop() for family in families]
        for family in set(families):
            if len(self.stock[(gateway, family)]) < LOW:
                self.spawn(self.refill(gateway, family, BATCH))
        return ports

    async def ask_and_serve(self, gateway: str, families: list[int], done: Done) -> None:
        """The stock was too small: ask the gateways for just this, one after the other."""
        for candidate in self.candidates(gateway):
            for family in set(families):
                await self.refill(candidate, family, BATCH + families.count(family), wait=True)
            ports = self.take(candidate, families)
            if ports is not None:
                done(candidate, ports)
                return
        done("", None)

    async def refill(self, gateway: str, family: int, count: int, wait: bool = False) -> None:
        """Lease more; one request at a time for each stock, unless a call waits for it."""
        key = (gateway, family)
        if key in self.asking and not wait:
            return
        self.asking.add(key)
        try:
            ports = await self.links.ask(gateway, "media", ["lease", count, family])
            self.stock.setdefault(key, []).extend(ports)
        except LinkError as error:
            log.warning("no leases from media gateway %s: %s", gateway, error)
        finally:
            self.asking.discard(key)

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
        for key in [key for key in self.stock if key[0] == gateway]:
            del self.stock[key]

    def return_all(self) -> None:
        """At shutdown."""
        for (gateway, _), ports in self.stock.items():
            self.give_back(gateway, [port[0] for port in ports])
        self.stock.clear()

    def spawn(self, work: Any) -> None:
        """A task that is held until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
