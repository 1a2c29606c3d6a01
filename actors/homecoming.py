"""Registrations change their homes when hosts join, leave or die: a home gives away what is not its own any more, and
takes in what has become its own.

`Share` (``rayswitch/members/shares.py``) says when; here is done what it wants:

    members → Share → drop what is another's, flush the journal → tell the others ("share") → read the store → open

Requests for a registration that is ours and not here yet wait meanwhile, WAIT_SECONDS at most. Whoever asks us for one
that is another's has an older snapshot than we, or a newer one; he is told so, and asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from actors.link import Links
from actors.placement import SWITCHBOARD, Placement, rendezvous
from actors.registration import RegistrationShell
from actors.tasks import Tasks
from rayswitch.members import Members, Share
from rayswitch.members.shares import Mark, Marked, Open, PeerUp, Placed, Read, ReadStore, Release, Released
from rayswitch.store import StoreError

__all__ = ["Homecoming"]

Row = tuple[str, Any, float]

WAIT_SECONDS = 4.0
"""A phone repeats its REGISTER for longer than that."""
RETRY_SECONDS = 0.5
GROUP = 500
"""Addresses-of-record that are looked at in one turn: some milliseconds."""

log = logging.getLogger(__name__)


class Homecoming:
    """For the registrations of `shell`. `read(again)` has the rows of our share from the store, and blocks: `again`
    when that share is not what it was; `flush()` says whether all that we have answered is there by now."""

    def __init__(
        self,
        shell: RegistrationShell,
        placement: Placement,
        links: Links,
        read: Callable[[bool], Iterable[Row]],
        flush: Callable[[], Awaitable[bool]],
    ) -> None:
        self.shell = shell
        self.placement = placement
        self.links = links
        self.read = read
        self.flush = flush
        self.share = Share(shell.host.id, rendezvous)
        self.again = False
        self.opened = asyncio.Event()
        self.waiting: list[tuple[str, Any]] = []
        self.tasks = Tasks()
        links.on("share", lambda peer, shares: self.handle(Marked(peer, shares)))
        links.on_up(lambda peer, epoch, is_new: self.handle(PeerUp(peer)))

    def follow(self, members: Members) -> None:
        """A snapshot; the placement has followed it already."""
        others = {host for host in members.ids(self.placement.letter) if host != self.shell.host.id}
        if self.share.placed is None and members.settled != members.shares:
            self.again = True  # the copy of an earlier share is not to be relied on
        placed = Placed(members.shares, members.settled, tuple(self.placement.hosts), frozenset(others))
        self.handle(placed)

    async def begun(self) -> None:
        """What was ours before is here; a store that is slow is waited for in a while."""
        if self.share.reading:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.opened.wait(), WAIT_SECONDS)

    def handle(self, event: Any) -> None:
        """One event, and what comes of it."""
        for effect in self.share.handle(event):
            PERFORM[type(effect)](self, effect)

    # -- messages ------------------------------------------------------------------------------------------------------

    def tell(self, aor: str, event: Any) -> None:
        """To a registration that is ours; when it is not here yet, in a moment."""
        if self.share.waits(aor):
            self.waiting.append((aor, event))
            asyncio.get_running_loop().call_later(WAIT_SECONDS, self.give_up, aor, event)
        else:
            self.shell.tell(aor, event)

    def give_up(self, aor: str, event: Any) -> None:
        """It takes too long."""
        if (aor, event) in self.waiting:
            self.waiting.remove((aor, event))
            event.token(None)

    # -- what the machine wants ----------------------------------------------------------------------------------------

    def release(self, effect: Release) -> None:
        self.tasks.spawn(self.released(effect.shares))

    async def released(self, shares: int) -> None:
        """What is another's goes, and what waits to be read anew; the store has the latest of it."""
        me = self.shell.host.id
        count = 0
        for number, aor in enumerate(self.shell.known()):
            if number % GROUP == GROUP - 1:
                await asyncio.sleep(0)
            if self.placement.home(aor) != me or self.share.waits(aor):
                self.shell.drop(aor)
                count += 1
        while not await self.flush():
            log.warning("%s waits for the store before it gives registrations away", me)
        log.info("%s has given %d registrations away (change %d of the homes)", me, count, shares)
        self.handle(Released(shares))

    def mark(self, effect: Mark) -> None:
        for host in effect.hosts:
            self.links.tell(host, "share", effect.shares)

    def read_store(self, effect: ReadStore) -> None:
        self.tasks.spawn(self.taken_in(effect.shares))

    async def taken_in(self, shares: int) -> None:
        """What is ours and not here."""
        while True:
            try:
                rows = list(await asyncio.to_thread(self.read, self.again))
                break
            except StoreError as error:
                log.warning("the registrations that are ours now are not known yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
        fresh = [row for row in rows if not self.shell.has(row[0])]
        self.again = True
        self.shell.take_in(fresh)
        log.info("%s has taken in %d registrations (change %d of the homes)", self.shell.host.id, len(fresh), shares)
        self.handle(Read(shares))

    def open(self, effect: Open) -> None:
        """Nobody has to wait any more."""
        self.opened.set()
        self.links.tell(SWITCHBOARD, "members.settled", effect.shares)
        waiting, self.waiting = self.waiting, []
        for aor, event in waiting:
            self.tell(aor, event)

    def close(self) -> None:
        """Nothing more moves."""
        self.tasks.cancel()
        self.shell.close()


PERFORM: dict[type, Callable[[Homecoming, Any], None]] = {
    Release: Homecoming.release,
    Mark: Homecoming.mark,
    ReadStore: Homecoming.read_store,
    Open: Homecoming.open,
}
