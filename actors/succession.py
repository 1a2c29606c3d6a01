"""Calls whose host, or whose gateway, is no more, as the host that has them from now on sees it.

    members → whose calls are ours? → read them from the store → how do we reach their phones now? → take them up
            → which of our calls used a gateway that is given up? → they go on by another one

A host that leaves (the deadline of its drain) gives its calls away itself: snapshot, link, heir. What still comes for
one of them is passed on.

Between the snapshot that says that a call is ours and the moment when it is here, what comes for it waits
(`CallShell.coming`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from actors.call import KIND, CallShell
from actors.link import Links
from actors.tasks import Tasks
from rayswitch.calls.call import Call
from rayswitch.calls.features.relocation import LEAVES, LOST
from rayswitch.calls.inside import is_inside
from rayswitch.members import DEAD, LEAVING, Members
from rayswitch.store import StoreError

__all__ = ["Succession"]

RETRY_SECONDS = 0.5
MEDIA = {DEAD: LOST, LEAVING: LEAVES}
OVER = (DEAD, LEAVING)
GROUP = 50
"""Calls that are taken up in one turn."""

log = logging.getLogger(__name__)


class Succession:
    """For the calls of `shell`; `take(host)` reads those of a dead host from the store as ours, and blocks."""

    def __init__(self, shell: CallShell, links: Links, take: Callable[[str], list[tuple[str, Any]]]) -> None:
        self.shell = shell
        self.links = links
        self.take = take
        self.members = Members()
        self.serial = 0
        """Of the last of our looks at what has to move."""
        self.taken: set[str] = set()
        self.tasks = Tasks()
        links.on("call.take", self.given)

    def follow(self, members: Members) -> None:
        """Act upon what is new in a snapshot."""
        before, self.members = self.members, members
        self.shell.sip.follow(members)
        me = self.shell.me
        dead = {host for host in members.adopts if members.state(host) == DEAD and members.owner(host) == me}
        self.taken &= dead
        if me not in members.adopts:
            self.shell.given.clear()  # nothing of what we gave away is left
        for host in sorted(dead - self.taken):
            self.taken.add(host)
            self.shell.coming.add(host)
            self.tasks.spawn(self.adopt(host))
        over = {host for host in before.hosts if before.state(host) not in OVER and members.state(host) in OVER}
        if members.state(me) == LEAVING:
            if me in over or members.adopts.get(me) != before.adopts.get(me):
                self.tasks.spawn(self.leave(members.adopts.get(me, "")))
        elif any(host[0] in "sm" for host in over):
            self.tasks.spawn(self.relocation())

    # -- from a host that is dead --------------------------------------------------------------------------------------

    async def adopt(self, host: str) -> None:
        """All calls of its journal; a store that is away is asked again."""
        while True:
            try:
                rows = await asyncio.to_thread(self.take, host)
                break
            except StoreError as error:
                log.warning("the calls of %s are not known yet: %s", host, error)
                await asyncio.sleep(RETRY_SECONDS)
        fresh = [row for row in rows if not self.shell.host.has(KIND, row[0])]
        for first in range(0, len(fresh), GROUP):
            self.take_up(fresh[first : first + GROUP])
            await asyncio.sleep(0)
        self.shell.came(host)
        log.warning("%d calls of %s go on here", len(fresh), host)

    def take_up(self, rows: list[tuple[str, Any]]) -> None:
        """They go on, over ways that there are."""
        calls = []
        for id, snapshot in rows:
            try:
                calls.append(self.shell.restored(id, snapshot))
            except Exception:
                log.exception("call %s cannot be taken over and is dropped: %r", id, snapshot)
        changed = {call.id for call in self.reroute(calls)}
        for call in calls:
            media = self.media_of(call)
            self.shell.take_over(call)
            if media or call.id in changed:
                self.shell.relocate(call.id, media)

    def reroute(self, calls: list[Call]) -> list[Call]:
        """Find ways to the phones of these calls; those for which there are others than before."""
        return [call for call in calls if self.rerouted(call)]

    def rerouted(self, call: Call) -> bool:
        """Has one of its legs another way now?"""
        call.gateway = self.gateway_for(call.gateway)
        moved = False
        for leg in (call.a, call.b):
            if leg is None or is_inside(leg.flow):
                continue
            flow = self.shell.sip.reach(leg.flow, call.gateway)
            if flow != leg.flow:
                leg.flow = flow
                leg.unacknowledged = None  # the ACK goes, or went, to where nobody is any more
                moved = True
        return moved

    def gateway_for(self, gateway: str) -> str:
        """Who sends for a call instead of a gateway that is given up."""
        if self.shell.me[0] == "s":
            return self.shell.me
        return self.members.owner(gateway) or gateway

    def media_of(self, call: Call) -> str:
        """What has become of its media gateway: "" while it works."""
        gateway = call.media.gateway if call.media is not None else ""
        return MEDIA.get(self.members.state(gateway), "") if gateway else ""

    # -- our own calls -------------------------------------------------------------------------------------------------

    async def relocation(self) -> None:
        """Some gateway is given up, or leaves: look until nothing has to move; who rings moves when he is answered."""
        serial = self.serial = self.serial + 1
        while self.relocate() and serial == self.serial:
            await asyncio.sleep(RETRY_SECONDS)

    def relocate(self) -> bool:
        """Whose way, or whose media, are lost? Is there any whose media have to move?"""
        calls = [call for _, call in self.shell.host.entities(KIND) if call.phase != "ending"]
        answered = [call for call in calls if call.phase == "answered"]
        changed = {call.id for call in self.reroute(answered)}
        for call in calls:
            media = self.media_of(call)
            if media or call.id in changed:
                self.shell.relocate(call.id, media)
        return any(self.media_of(call) for call in calls)

    # -- when we leave -------------------------------------------------------------------------------------------------

    async def leave(self, heir: str) -> None:
        """Give our answered calls to the heir; the others end by themselves in a moment, and are looked at again."""
        me = self.shell.me
        while self.members.state(me) == LEAVING and heir and self.members.adopts.get(me) == heir:
            for id, call in list(self.shell.host.entities(KIND)):
                if call.phase == "answered" and call.exchange is None and self.links.alive(heir):
                    snapshot = call.snapshot()
                    self.shell.give_away(id, heir)
                    self.links.tell(heir, "call.take", [id, snapshot])
            await asyncio.sleep(RETRY_SECONDS)

    def given(self, peer: str, payload: list[Any]) -> None:
        """A host that leaves gives us a call."""
        del peer
        id, snapshot = payload
        self.take_up([(id, snapshot)])

    def close(self) -> None:
        """Nothing more is taken over."""
        self.tasks.cancel()
