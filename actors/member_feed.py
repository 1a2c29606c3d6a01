"""Which hosts there are, as a process knows it: the latest snapshot, and those who have to act upon a new one.

The Switchboard pushes snapshots (topic "members"); a newer one replaces ours, whoever brings it. First of all the links
follow it: hosts that are over are fenced off, the address book knows the others, new ones are dialled. Then the
watchers are called, in the order in which they came. While the Switchboard is away everything stays as it was.

A process begins with the snapshot that the store has, else with the hosts that the configuration names.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from actors.address_book import Endpoints
from actors.link import LinkError, Links
from actors.placement import SWITCHBOARD, hosts_of
from actors.recall import copy_of
from rayswitch.config import Config
from rayswitch.members import Members
from rayswitch.store import Store, StoreError

__all__ = ["MEMBERS", "MemberFeed", "stored_members"]

MEMBERS = "members"
"""Key of the snapshot among the settings of the store."""

Watcher = Callable[[Members], None]

log = logging.getLogger(__name__)


class MemberFeed:
    """The snapshot in the process of host `me`."""

    def __init__(self, me: str, links: Links, members: Members) -> None:
        self.me = me
        self.links = links
        self.members = members
        self.watchers: list[Watcher] = []
        links.on("members", lambda peer, plain: self.take(Members.of(plain)))
        links.on("members.known", lambda peer, payload: self.members.plain())

    def start(self) -> None:
        """Make the links that the snapshot asks for."""
        self._introduce()

    def watch(self, watcher: Watcher) -> None:
        """Call it now, and with every new snapshot."""
        self.watchers.append(watcher)
        watcher(self.members)

    def take(self, members: Members) -> None:
        """Act upon a snapshot, if it is newer than ours."""
        if members.version <= self.members.version:
            return
        self.members = members
        self._introduce()
        for watcher in list(self.watchers):
            try:
                watcher(members)
            except Exception:
                log.exception("%s: the members of version %d are not followed", self.me, members.version)

    async def fetch(self, peer: str) -> None:
        """That host has seen a newer one."""
        try:
            self.take(Members.of(await self.links.ask(peer, "members.known", None)))
        except LinkError as error:
            log.info("%s does not tell us the members: %s", peer, error)

    def _introduce(self) -> None:
        peering, book = self.links.peering, self.links.book
        for host, epoch in self.members.fences.items():
            if peering.floor(host) <= epoch:
                peering.fence(host, epoch)
        for peer in peering.peers():
            if peer.kept and peer.name != SWITCHBOARD and not self._is_living(peer.name):
                self.links.forget(peer.name)
        for member in self.members:
            if member.is_living and member.epoch:
                book.update(member.id, Endpoints(member.node, member.address, member.port), member.epoch)
        self.links.connect(self._wanted())

    def _is_living(self, host: str) -> bool:
        member = self.members.hosts.get(host)
        return member is not None and member.is_living

    def _wanted(self) -> list[str]:
        """Media gateways are dialled by whoever has calls; the Switchboard by all."""
        if self.me == SWITCHBOARD:
            return []
        if self.me[0] == "m":
            return [SWITCHBOARD]
        return [SWITCHBOARD, *(member.id for member in self.members if member.is_living)]


def stored_members(config: Config, me: str) -> Members:
    """What `me` knows before anybody has told it anything. Blocks."""
    for url in (config.store, copy_of(config, me)):
        if not url:
            continue
        try:
            with Store.open(url) as store:
                text = store.setting(MEMBERS)
        except StoreError as error:
            log.warning("%s: the members are not known from the store: %s", me, error)
            continue
        if text:
            return Members.of(json.loads(text))
        break
    return Members.expected(hosts_of(config))


async def first_members(config: Config, me: str) -> Members:
    """The same, in a thread. A media gateway has no use for the store, nor for members before it is greeted."""
    return Members() if me[0] == "m" else await asyncio.to_thread(stored_members, config, me)


def text_of(members: Members) -> str:
    """What the store keeps."""
    return json.dumps(members.plain(), separators=(",", ":"))


def about(links: Links, members: Members, listeners: list[str], pid: int) -> dict[str, Any]:
    """How a process greets the Switchboard."""
    return {
        "pid": pid,
        "epoch": links.epoch,
        "listeners": listeners,
        "endpoints": list(links.endpoints),
        "version": members.version,
    }
