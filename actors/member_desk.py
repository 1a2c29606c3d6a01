"""The Switchboard's side of the membership: it feeds the machine, and does what that wants done.

    greetings, links that break, a tick every 0.25 s, what Ray and the journal say → Membership → store, hosts, Ray

A snapshot is kept in the store and pushed then, so that whoever starts knows at least what the others were told; a
store that does not answer within KEEP_SECONDS is not waited for. Several changes within one turn are one push.

The store belongs to one Switchboard at a time (`rayswitch/store/tenure.py`). One that finds another in its place ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from actors.alarms import Alarms
from actors.ending import end_process
from actors.link import LinkError, Links
from actors.member_feed import MEMBERS, MemberFeed, text_of
from actors.placement import POOLS
from actors.ray_hosts import Hosts, Offer
from actors.tasks import Tasks
from rayswitch.calls.call import media_gateway
from rayswitch.config import Config
from rayswitch.members import Members, Membership, Terms
from rayswitch.members import events as ev
from rayswitch.members.effects import End, Enquire, Publish, Recall, Start
from rayswitch.members.membership import TICK
from rayswitch.sip.identifiers import owner_of
from rayswitch.store import Store, StoreError
from rayswitch.store.tenure import Held, Tenure

__all__ = ["KINDS", "MemberDesk"]

KEEP_SECONDS = 0.5
TENURE_SECONDS, RENEW_SECONDS = 10.0, 3.0
OFFER_SECONDS = 2.0
LOOK_SECONDS = 5.0
"""Between two looks at what the journal carries, while there is something that may be free."""
KINDS = "mcrs"

log = logging.getLogger(__name__)


class MemberDesk:
    """In the Switchboard's process, on `node`; `ray`: who starts and ends processes, None when nobody can."""

    def __init__(
        self,
        config: Config,
        links: Links,
        feed: MemberFeed,
        alarms: Alarms,
        holder: str,
        ray: Hosts | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.links = links
        self.feed = feed
        self.alarms = alarms
        self.ray = ray
        self.wall = wall
        self.tenure = Tenure(holder, links.epoch, TENURE_SECONDS)
        self.machine = Membership(terms_of(config, links.book.node), feed.members)
        self.begun = False
        self.asking = False
        self.to_end: set[str] = set()
        self.pids: dict[str, int] = {}
        self.keeping: asyncio.Task[None] | None = None
        self.renewing: asyncio.Task[None] | None = None
        self.tasks = Tasks()
        links.on("members.settled", lambda peer, shares: self.handle(ev.Settled(peer, shares)))
        links.on_down(lambda peer: self.handle(ev.LinkDown(peer)))

    @property
    def members(self) -> Members:
        """The latest snapshot."""
        return self.machine.members

    async def start(self, expected: Iterable[str] | None) -> None:
        """Take the store; `expected` are the hosts of a switch that starts. Raises Held."""
        try:
            await asyncio.to_thread(self._begin)
        except Held:
            raise
        except StoreError as error:
            log.warning("the store does not say whether there is another Switchboard: %s", error)
        self.begun = True
        if expected is not None:
            self.perform(self.machine.begin(expected, self.wall()))
        self._publish()  # what was heard since the links were there
        self.tasks.spawn(self._beat())
        self.tasks.spawn(self._stay())
        self.tasks.spawn(self._watch_journal())
        self.tasks.spawn(self._watch_nodes())

    async def close(self) -> None:
        """Another may begin."""
        self.tasks.cancel()
        try:
            await asyncio.to_thread(self._end)
        except StoreError as error:
            log.warning("the next Switchboard has to wait for the end of our time: %s", error)

    def greeted(self, peer: str, about: dict[str, Any]) -> None:
        """A process says who it is."""
        if peer[0] not in KINDS:
            return
        node, address, port = about.get("endpoints", ["", "", 0])
        listeners = tuple(about["listeners"])
        version = about.get("version", 0)
        self.pids[peer] = about.get("pid", 0)
        self.handle(ev.Greeted(peer, about["epoch"], node, address, port, listeners, version))
        if version < self.members.version:
            self.links.tell(peer, "members", self.members.plain())

    def handle(self, event: Any) -> None:
        """One event, and what comes of it."""
        self.perform(self.machine.handle(event, self.wall()))

    def perform(self, effects: list[Any]) -> None:
        """Do what the machine wants."""
        for effect in effects:
            PERFORM[type(effect)](self, effect)

    # -- the snapshot --------------------------------------------------------------------------------------------------

    def _publish(self, effect: Publish | None = None) -> None:
        if self.begun and self.keeping is None:
            self.keeping = self.tasks.spawn(self._keep_and_push())

    async def _keep_and_push(self) -> None:
        await asyncio.sleep(0)  # what else this turn brings
        try:
            while self.feed.members.version < self.members.version:
                members = self.members
                await self._keep(members)
                self.feed.take(members)
                plain = members.plain()
                for member in members:
                    if self.links.alive(member.id):
                        self.links.tell(member.id, "members", plain)
        finally:
            self.keeping = None

    async def _keep(self, members: Members) -> None:
        """One attempt at a time: a store that hangs has one thread of ours."""
        if self.renewing is None or self.renewing.done():
            self.renewing = self.tasks.spawn(asyncio.to_thread(self._renew, text_of(members)))
        try:
            await asyncio.wait_for(asyncio.shield(self.renewing), KEEP_SECONDS)
        except Held as held:
            self._over(held)
        except (StoreError, TimeoutError) as error:
            log.warning("members %d are not in the store: %s", members.version, error or "no answer")

    def _begin(self) -> None:
        with Store.open(self.config.store) as store:
            self.tenure.begin(store, self.wall())

    def _renew(self, text: str) -> None:
        with Store.open(self.config.store) as store:
            self.tenure.renew(store, self.wall(), {MEMBERS: text})

    def _end(self) -> None:
        with Store.open(self.config.store) as store:
            self.tenure.end(store)

    def _over(self, held: Held) -> None:
        log.critical("another Switchboard has taken our place: %s", held)
        self.links.peering.be_fenced(self.links.epoch + 1)

    async def _stay(self) -> None:
        """Say that we are still here, with the snapshot as it is; so a store that was away gets it, too."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._keep(self.members)

    # -- time, Ray, the journal ----------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.handle(ev.Tick())
            self._alarm()
            if self.to_end and not self.asking:
                self.ask_ray(self._end_all)

    def _alarm(self) -> None:
        for host, seconds in self.machine.silent.items():
            if seconds >= self.config.members.node_silent:
                self.alarms.up(f"member.{host}", f"{host} is silent", "If it does not come back, look into its log")
        for key in [key for key in self.alarms.standing if key.startswith("member.")]:
            if key.removeprefix("member.") not in self.machine.silent:
                self.alarms.down(key, f"{key.removeprefix('member.')} is back, or others have taken over")

    def _enquire(self, effect: Enquire) -> None:
        def ask(ray: Hosts) -> Callable[[], None]:
            standing = ev.Standing(ray.nodes(), frozenset(ray.gone(effect.hosts)))
            return lambda: self.handle(standing)

        if not self.asking:
            self.ask_ray(ask)

    def _end_all(self, ray: Hosts) -> Callable[[], None]:
        done = set()
        for host in list(self.to_end):
            ray.end(host)
            done.add(host)
        return lambda: self.to_end.difference_update(done)

    def ask_ray(self, question: Callable[[Hosts], Callable[[], None]]) -> None:
        """Ask in a thread, one question at a time, and do then what it returned; a Ray that is away is asked again."""
        if self.ray is not None:
            self.asking = True
            self.tasks.spawn(self._asked(self.ray, question))

    async def _asked(self, ray: Hosts, question: Callable[[Hosts], Callable[[], None]]) -> None:
        try:
            done = await asyncio.to_thread(question, ray)
        except Exception as error:  # whatever Ray raises while its head is away
            log.warning("Ray does not answer: %s", error)
        else:
            done()
        finally:
            self.asking = False

    def _recall(self, effect: Recall) -> None:
        async def ask() -> None:
            try:
                plain = await self.links.ask(effect.host, "members.known", None)
            except LinkError as error:
                log.warning("%s does not tell us the members: %s", effect.host, error)
            else:
                self.handle(ev.Known(Members.of(plain)))

        self.tasks.spawn(ask())

    def _start_host(self, effect: Start) -> None:
        async def start(ray: Hosts) -> None:
            try:
                await asyncio.to_thread(ray.start, effect.host, effect.node, effect.seat)
            except Exception:
                log.exception("%s cannot be started on node %s", effect.host, effect.node)

        if self.ray is not None:
            log.warning("starting %s on node %s", effect.host, effect.node)
            self.tasks.spawn(start(self.ray))

    def _end_host(self, effect: End) -> None:
        """By Ray, and at once by a neighbour: a process that hangs keeps its sockets until it is killed, and what the
        kernel still gives to these is lost."""
        log.warning("%s is over", effect.host)
        self.to_end.add(effect.host)
        pid, member = self.pids.pop(effect.host, 0), self.members.hosts.get(effect.host)
        if pid and member is not None and member.node == self.links.book.node:
            end_process(pid)
        elif pid and member is not None:
            near = (one.id for one in self.members if one.node == member.node and self.links.alive(one.id))
            for neighbour in list(near)[:1]:
                self.links.tell(neighbour, "end", pid)

    async def _watch_nodes(self) -> None:
        """Machines that have joined: what they offer is used, unless they have other code."""
        while True:
            await asyncio.sleep(OFFER_SECONDS)
            if self.ray is None or not self.links.endpoints.port:
                continue
            try:
                offers = await asyncio.to_thread(self.ray.offers)
            except Exception as error:  # whatever Ray raises while its head is away
                log.info("Ray does not say what its nodes offer: %s", error)
            else:
                self._use(offers)

    def _use(self, offers: list[Offer]) -> None:
        """A host for each unit that has none; not before all have said where they are."""
        if not all(member.address for member in self.members if member.is_living):
            return
        for node, address, units, refusal in offers:
            if refusal:
                self.alarms.up(f"node.{address}", f"{refusal}: it is not used", "Install the same version on it")
                continue
            self.alarms.down(f"node.{address}", f"node {address} has our version")
            for letter, count in units.items():
                for _ in range(count - len(self.machine.seats(letter, address))):
                    self.handle(ev.Added(letter, node, address))

    async def _watch_journal(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.members.adopts:
                try:
                    pairs = await asyncio.to_thread(self._read_carried)
                except StoreError as error:
                    log.info("the journal does not say which ids are in use: %s", error)
                else:
                    self.handle(ev.Carried(pairs))

    def _read_carried(self) -> frozenset[tuple[str, str]]:
        """Calls by the host in their id and the one that has them; with the media gateways that carry them."""
        with Store.open(self.config.store) as store:
            pairs = {(owner_of(call) or host, host) for call, host in store.owners()}
            if any(host[0] == "m" for host in self.members.adopts):
                pairs |= {(gateway, gateway) for *_, plain in store.calls() if (gateway := media_gateway(plain))}
        return frozenset(pairs)


def terms_of(config: Config, node: str) -> Terms:
    """What the configuration says of patience."""
    in_pool = config.actors.registration.placement == "pool"
    wanted = config.members
    homes = POOLS["registration"] if in_pool else "s"
    return Terms(node, homes, wanted.node_silent, wanted.host_silent, float(config.links.certificate_life))


PERFORM: dict[type, Callable[[MemberDesk, Any], None]] = {
    Publish: MemberDesk._publish,
    Enquire: MemberDesk._enquire,
    Recall: MemberDesk._recall,
    Start: MemberDesk._start_host,
    End: MemberDesk._end_host,
}
