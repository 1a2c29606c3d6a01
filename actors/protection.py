"""The guard of a SIP gateway in its process: bans go to the kernel, to the other gateways, and to the store.

A gateway that finds an address guilty tells the others over its links, at once and without the Switchboard, and appends
the ban to the journal; a gateway that starts reads what the store knows.  An operator's change goes into the store, and
the Switchboard has the gateways read it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from actors.directory_feed import Row
from actors.link import Links
from actors.peers import LinkPeers
from actors.recall import Recall
from gateways.sip.gateway import SipGateway
from gateways.sip.kernel_filter import MOST
from gateways.wheel import Timer
from rayswitch.calls.authentication import Authenticator
from rayswitch.config import Config
from rayswitch.config.settings import Protection as Protected
from rayswitch.protection import Ban, Buckets, Failures, Guard, Networks, Overload
from rayswitch.records import AddressRule
from rayswitch.store import StoreError, writes

log = logging.getLogger(__name__)

LATEST = sum(MOST.values())
"""Bans that the kernel is told; those beyond are stopped by the guard."""


class Protection:
    """Guards `gateway`; `peers` are the other SIP gateways."""

    def __init__(
        self,
        config: Config,
        gateway: SipGateway,
        authenticator: Authenticator,
        peers: LinkPeers,
        links: Links,
        recall: Recall,
        wall: Callable[[], float],
    ) -> None:
        self.recall = recall
        self.gateway = gateway
        self.peers = peers
        self.links = links
        self.journal = recall.journal
        self.wall = wall
        self.guard = guard_of(config)
        self.config = config.protection
        self.rules: dict[tuple[str, ...], AddressRule] = {}
        self.waking: Timer | None = None
        self.blocked: frozenset[str] = frozenset()
        gateway.admits = self.guard.admits
        gateway.overload = Overload(config.protection.overload_low, config.protection.overload_high)
        authenticator.blame = self.failed
        links.on("blame", lambda peer, payload: self.blame(*payload))
        links.on("ban", lambda peer, payload: self.take(Ban(*payload)))
        links.on("bans", self.reload)
        links.on_up(lambda peer, epoch, new: self.share(peer) if peer in peers.others else None)

    async def start(self) -> None:
        """What was banned before; once the sockets are bound."""
        try:
            self.replace(await asyncio.to_thread(self.read))
        except StoreError as error:
            log.warning("the bans of the store are not known: %s", error)

    def listed(self, rows: Sequence[Row]) -> None:
        """The operator's lists of addresses have changed, among other records."""
        mine = [(key, rule) for kind, key, rule in rows if kind is AddressRule]
        for key, rule in mine:
            self.rules[key] = rule
            if rule is None:
                del self.rules[key]
        if mine:
            self.guard.lists(*lists_of(self.config, self.rules.values()))

    # -- bans ----------------------------------------------------------------------------------------------------------

    def failed(self, host: str, user: str) -> None:
        """A wrong password or an unknown user, of somebody who is really there; every gateway counts it."""
        for other in self.peers.others:
            self.links.tell(other, "blame", [host, user])
        ban = self.blame(host, user)
        if ban is not None:
            for other in self.peers.others:  # one that was started a moment ago has not counted them all
                self.links.tell(other, "ban", list(ban))

    def blame(self, host: str, user: str) -> Ban | None:
        """Count a failure, wherever it was seen; the ban, if that was one too many.

        Whoever counts so far writes it down: two gateways that each saw some of the failures may both learn of the
        last one from the other.
        """
        ban = self.guard.failed(host, f"authentication failed, last as {user[:40]!r}", self.wall())
        if ban is not None:
            log.warning("%s is banned until %.0f: %s", host, ban.until, ban.reason)
            self.journal.append(writes.put_ban(*ban))
            self.enforce()
        return ban

    def take(self, ban: Ban) -> None:
        """Another gateway has banned somebody."""
        if ban.until > self.wall() and self.guard.ban(ban):
            self.enforce()

    def share(self, other: str) -> None:
        """A gateway is there (again): it may have missed some."""
        for ban in self.guard.bans.by_address.values():
            self.links.tell(other, "ban", list(ban))

    async def reload(self, peer: str, payload: Any) -> int:
        """The operator has changed what the store knows; how many are banned now."""
        del peer, payload
        await self.journal.flush()
        self.replace(await asyncio.to_thread(self.read))
        return len(self.guard.bans.by_address)

    def read(self) -> list[Ban]:
        """The bans of the store; in a thread."""
        with self.recall.known() as store:
            return [Ban(*row) for row in store.bans(self.wall())]

    def replace(self, bans: list[Ban]) -> None:
        """These, and no others."""
        self.guard.bans.by_address.clear()
        for ban in bans:
            self.guard.ban(ban)
        self.enforce()

    def enforce(self) -> None:
        """Tell the kernel, and wake up when the next ban ends."""
        bans = self.guard.bans
        for address in bans.expire(self.wall()):
            log.info("the ban of %s is over", address)
            self.journal.append(writes.drop_ban(address))
        newest = frozenset(bans.newest(LATEST))
        if newest != self.blocked:
            self.blocked = newest
            try:
                self.gateway.sockets.block(newest)
            except OSError as error:
                log.warning("the kernel takes no filter, banned packets are dropped here: %s", error)
        self.wake()

    def wake(self) -> None:
        """When the first of them is over."""
        if self.waking is not None:
            self.waking.cancel()
            self.waking = None
        ends = [ban.until for ban in self.guard.bans.by_address.values()]
        if ends:
            self.waking = self.gateway.wheel.start(max(0.0, min(ends) - self.wall()), self.enforce)


def guard_of(config: Config) -> Guard:
    """The guard that the configuration asks for."""
    wanted = config.protection
    guard = Guard(
        Failures(wanted.failures, wanted.window),
        wanted.ban,
        Buckets(wanted.source_rate, wanted.source_burst),
        Buckets(wanted.total_rate, wanted.total_rate),
    )
    guard.lists(*lists_of(wanted, ()))
    return guard


def lists_of(config: Protected, rules: Iterable[AddressRule]) -> tuple[Networks, Networks]:
    """Who is always let through, and who never: what the configuration says, and the records."""
    said = list(rules)
    accept, reject = ([rule.network for rule in said if rule.action == action] for action in ("accept", "reject"))
    return Networks((*config.accept, *accept)), Networks((*config.reject, *reject))
