"""The Ray actors of single entities (placement `actor`): the Switchboard starts them, knows them and ends them.

Ray cannot rename an actor, and a process is one actor in its life. So the name ``<kind>/<key>`` comes first:

* The key of a call is ours to draw. The ids of the next calls are drawn ahead, and their actors started: the warm pool,
  so many for each SIP gateway. A gateway takes one for an INVITE and the call gets that id (``warm_calls.py``): one
  message and no Ray call. What was taken is replaced in the background.
* The key of a registration comes from the phone. Its home serves it at once, asks for an actor ("own.start") and lets
  it move out when that is there (``registration_home.py``).

Each has a host of its own, a0, a1, …; a number is never given again. It tells "own" ``[kind, key, home, state]``:

    starting → idle → busy → over, and then it is ended

Nothing here is on the way of a call. When the Switchboard comes back it asks Ray once which actors there are, hears
the rest from them, and starts again those that the journal has calls of and Ray no actor.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from actors.link import LinkError, Links
from actors.memory import fitting
from actors.placement import OWN, is_own
from actors.tasks import Tasks
from rayswitch.config import Config
from rayswitch.store import Store

__all__ = ["Actors", "Own", "OwnActors"]

STARTS = 2
"""So many start at a time: each takes half a second of a core."""
START_SECONDS = 60.0
SETTLE_SECONDS = 5.0
LOST_SECONDS = 30.0
ASK_SECONDS = 2.0
BALANCE_SECONDS = 1.0
RETRY_SECONDS = 10.0
BLOCK, NUMBERS = 1000, 10_000_000  # of hosts; an identifier has room for seven digits

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Own:
    """The process of one entity; `home` is the host that started it and speaks for it."""

    host: str
    kind: str
    key: str
    home: str
    again: bool = False
    """It has lived before, and is to go on."""
    state: str = "starting"
    since: float = 0.0

    @property
    def name(self) -> str:
        """Of its Ray actor."""
        return f"{self.kind}/{self.key}"


class Actors(Protocol):
    """Ray, as far as it is needed here; all of it waits."""

    def start(self, own: Own, node: str) -> None:
        """Begin an actor with its name, on `node` if that can be."""

    def end(self, name: str) -> None:
        """End one for good."""

    def names(self) -> list[str]:
        """Of all that there are."""


class OwnActors:
    """Those of a whole switch. `node_of` tells on which node a host is, `ended` hears of hosts that are no more."""

    def __init__(
        self,
        config: Config,
        links: Links,
        actors: Actors,
        node_of: Callable[[str], str],
        ended: Callable[[str], None],
    ) -> None:
        self.config = config
        self.links = links
        self.actors = actors
        self.node_of = node_of
        self.ended = ended
        self.living: dict[str, Own] = {}
        """By host."""
        self.placements = {kind: p for kind, p in config.actors.kinds.items() if p.is_single}
        shares = len(self.placements)
        self.most = {kind: p.most or fitting(p.ceiling, shares) for kind, p in self.placements.items()}
        self._found: asyncio.Future[set[str]] = asyncio.get_running_loop().create_future()
        self._gate = asyncio.Semaphore(STARTS)
        self._numbers: deque[int] = deque()
        self._closing = False
        self._tasks = Tasks()
        links.on("own", self._told)
        links.on("own.start", self._asked)
        links.on("own.known", self._known)
        self._tasks.spawn(self._run())

    def hosts(self) -> list[str]:
        """Those that run."""
        return [host for host, own in self.living.items() if own.state != "starting"]

    async def drain(self) -> None:
        """Let all of them end their calls; none is started any more."""
        self._closing = True
        await self._all("drain", None)

    async def close(self) -> None:
        """Let all of them give back what they hold."""
        self._closing = True
        await self._all("close", None)
        self._tasks.cancel()

    async def _all(self, topic: str, payload: Any) -> None:
        asks = [self.links.ask(host, topic, payload, ASK_SECONDS) for host in self.hosts() if self.links.alive(host)]
        await asyncio.gather(*asks, return_exceptions=True)

    # What they are and do.

    def _told(self, peer: str, payload: list[Any]) -> None:
        kind, key, home, state = payload
        own = self.living.get(peer)
        if own is None:
            own = self.living[peer] = Own(peer, kind, key, home)
        if own.state != state:
            own.state, own.since = state, time.monotonic()
        if state == "over" and not self._closing:
            self._end(own)
        self._balance()

    async def _asked(self, peer: str, payload: list[str]) -> str:
        """A home wants an actor; the id of its host, or LinkError: there is no room."""
        kind, key = payload
        await asyncio.shield(self._found)
        for own in self.living.values():
            if (own.kind, own.key) == (kind, key):
                own.home = peer
                return own.host
        if self._room(kind) < 1:
            raise LinkError(f"{self.most.get(kind, 0)} {kind} actors are the most")
        own = Own(f"{OWN}{await self._number()}", kind, key, peer)
        self._begin(own)
        return own.host

    async def _known(self, peer: str, kind: str) -> list[str]:
        """The keys of that kind that have an actor, running or about to."""
        del peer
        names = await asyncio.shield(self._found) | {own.name for own in self.living.values()}
        return [name.removeprefix(f"{kind}/") for name in names if name.startswith(f"{kind}/")]

    # Starting and ending.

    def _room(self, kind: str) -> int:
        return (
            self.most.get(kind, 0) - sum(own.kind == kind for own in self.living.values()) if not self._closing else 0
        )

    def _balance(self) -> None:
        """As many warm ones for each SIP gateway as the configuration says."""
        setting = self.placements.get("call")
        if setting is None or not self._numbers or self._closing:
            return
        for gateway in [f"s{number}" for number in range(self.config.sip.gateways)]:
            waiting = sum(own.home == gateway and own.state in ("starting", "idle") for own in self.living.values())
            wanted = min(setting.warm - waiting, self._room("call"), len(self._numbers))
            for _ in range(wanted if self.links.alive(gateway) else 0):
                host = f"{OWN}{self._numbers.popleft()}"
                self._begin(Own(host, "call", f"{host}.{secrets.token_hex(6)}", gateway))

    def _begin(self, own: Own) -> None:
        own.since = time.monotonic()
        self.living[own.host] = own
        self._tasks.spawn(self._start(own))

    async def _start(self, own: Own) -> None:
        """Hold a place at the gate until it runs."""
        async with self._gate:
            try:
                await asyncio.to_thread(self.actors.start, own, self.node_of(own.home))
            except Exception:
                log.exception("%s cannot be started", own.name)
                await asyncio.sleep(RETRY_SECONDS)
                self.living.pop(own.host, None)
                return
            end = time.monotonic() + START_SECONDS
            while own.state == "starting" and time.monotonic() < end:
                await asyncio.sleep(0.02)
        if own.state == "starting":
            log.error("%s has not started in %d s and is ended", own.name, START_SECONDS)
            self._end(own)

    def _end(self, own: Own) -> None:
        if self._found.done():
            self._found.result().discard(own.name)
        if self.living.pop(own.host, None) is not None:
            self.ended(own.host)
            self._tasks.spawn(self._ending(own.name))

    async def _ending(self, name: str) -> None:
        try:
            await asyncio.to_thread(self.actors.end, name)
        except Exception as error:
            log.warning("%s cannot be ended: %s", name, error)

    # From the beginning on.

    async def _run(self) -> None:
        while not await self._recovered():
            await asyncio.sleep(BALANCE_SECONDS)
        while True:
            if len(self._numbers) < BLOCK:
                await self._more_numbers()
            self._drop_lost()
            self._balance()
            await asyncio.sleep(BALANCE_SECONDS)

    async def _recovered(self) -> bool:
        """Ray and the journal say what there was before us; then everybody has a moment to say it, too."""
        try:
            names = set(await asyncio.to_thread(self.actors.names))
            calls = await asyncio.to_thread(self._journal)
        except Exception as error:
            log.warning("the actors that there are cannot be found out: %s", error)
            return False
        for number, (key, host) in enumerate(calls):
            if f"call/{key}" not in names:
                self._begin(Own(host, "call", key, f"s{number % self.config.sip.gateways}", again=True))
        self._found.set_result(names)
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end and not names <= {own.name for own in self.living.values()}:
            await asyncio.sleep(0.05)
        return True

    def _journal(self) -> list[tuple[str, str]]:
        """(id, host) of all calls that live in processes of their own."""
        if "call" not in self.placements:
            return []
        with Store.open(self.config.store) as store:
            return [(id, host) for id, host, _, _ in store.calls() if is_own(host)]

    async def _number(self) -> int:
        while not self._numbers:
            await self._more_numbers()
        return self._numbers.popleft()

    async def _more_numbers(self) -> None:
        """A block that nobody had before: in identifiers that are still around, a number means its process."""

        def block() -> int:
            with Store.open(self.config.store) as store, store.transaction():
                return store.count_up("own actors")

        try:
            first = await asyncio.to_thread(block) * BLOCK % NUMBERS
            self._numbers.extend(range(first, first + BLOCK))
        except Exception as error:
            log.warning("no numbers for actors: %s", error)
            await asyncio.sleep(BALANCE_SECONDS)

    def _drop_lost(self) -> None:
        """A warm one that does not come back is replaced."""
        limit = time.monotonic() - LOST_SECONDS
        for own in list(self.living.values()):
            if self.links.alive(own.host):
                own.since = time.monotonic()
            elif own.state == "idle" and own.since < limit:
                self._end(own)
