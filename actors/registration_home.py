"""The home of registrations of which each is to have an actor of its own (placement `actor`).

A new registration lives here first, so its REGISTER is answered like any other, while its actor starts. When that is
there ("own.ready.registration"), what is registered is written under its name, and when that is on disk, with all that
came before, the registration moves out ("own.take"): from now on this home passes on what comes for it, and writes for
it (``own_records.py``).

When nothing is registered any more the actor says so ("own.idle"). It stays for the phone's return, for as many as the
configuration keeps warm; the others are ended ("own.end") once nothing for them is on the way.

Who finds no actor stays here, or is refused. After a restart of this process the store says who has moved out, and the
Switchboard which of these are still there ("own.known"); the rest live here again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from actors.link import LinkError, Links
from actors.own_records import OwnRecords
from actors.placement import SWITCHBOARD, is_own
from actors.registration import KIND, Location, RegistrationShell
from actors.tasks import Tasks
from rayswitch.calls.events import RegisterReceived
from rayswitch.store import put_binding

__all__ = ["RegistrationHome"]

ASK_SECONDS, RETRY_SECONDS = 3.0, 0.2
COMING_SECONDS = 60.0
FULL_SECONDS = 2.0
BUSY: list[Any] = [503, "No process for this registration", [["retry-after", "5"]], []]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Away:
    """A registration that has moved to `host`; so many messages for it are `pending`."""

    host: str
    pending: int = 0


class RegistrationHome:
    """Stands where a `RegistrationShell` stands. `stays`: who finds no actor lives here; else it is refused."""

    def __init__(
        self,
        shell: RegistrationShell,
        location: Location,
        links: Links,
        own: OwnRecords,
        clock: Callable[[], float],
        warm: int,
        stays: bool,
    ) -> None:
        self.shell = shell
        self.location = location
        self.links = links
        self.own = own
        self.clock = clock
        self.warm = warm
        self.stays = stays
        self.away: dict[str, Away] = {}
        self.idle: dict[str, None] = {}
        """Those that have moved out and ended there, the oldest first."""
        self.coming: dict[str, float] = {}
        """Whose actor is asked for, or starts; until when we believe in it."""
        self.unsure: dict[str, tuple[Any, str]] = {}
        """Who had moved out when an earlier process was this home: (row, host)."""
        self.held: deque[tuple[str, Any]] = deque()
        """What came for them since."""
        self.held_offers: list[tuple[str, list[Any]]] = []
        self.full = 0.0
        self.tasks = Tasks()
        links.on("own.ready.registration", self.ready)
        links.on("own.idle", self.ended)

    # -- messages ------------------------------------------------------------------------------------------------------

    def tell(self, aor: str, event: Any) -> None:
        """To the registration, wherever it lives."""
        away = self.away.get(aor)
        if away is not None:
            self.tasks.spawn(self.pass_on(aor, away, event))
        elif aor in self.unsure:
            self.held.append((aor, event))
        elif self.stays or self.shell.has(aor) or not _opens(event):
            self.shell.tell(aor, event)
            self.consider(aor)
        else:
            self.tasks.spawn(self.admit(aor, event))

    async def pass_on(self, aor: str, away: Away, event: Any) -> None:
        """Over the link to its actor, and the answer back."""
        done, event.token = event.token, None
        if isinstance(event, RegisterReceived):
            self.idle.pop(aor, None)
        if not self.links.alive(away.host) and await self.fetched_back(aor, away):
            event.token = done
            self.shell.tell(aor, event)
            self.consider(aor)
            return
        away.pending += 1
        try:
            await self.location.ask(away.host, aor, event, done or _nobody)
        finally:
            away.pending -= 1
            self.trim()

    async def fetched_back(self, aor: str, away: Away) -> bool:
        """Its actor is down. If there is none any more, the registration lives here again, as it was written last."""
        try:
            known = await self.links.ask(SWITCHBOARD, "own.known", KIND, ASK_SECONDS)
        except LinkError:
            return False
        if aor in known:
            return False
        snapshot = await self.own.recalled(away.host, [KIND, aor])
        if self.away.get(aor) is away:
            log.warning("the actor of %s is gone: it lives here again", aor)
            del self.away[aor]
            self.idle.pop(aor, None)
            if snapshot is not None:
                self.shell.asleep[aor] = snapshot
                self.shell.wake(aor)
        return aor not in self.away

    def close(self) -> None:
        """Wait for nothing any more."""
        self.tasks.cancel()
        self.shell.close()

    # -- moving out ----------------------------------------------------------------------------------------------------

    def consider(self, aor: str) -> None:
        """Ask for an actor, unless there is nothing to move or one is coming."""
        now = self.clock()
        if self.shell.host.has(KIND, aor) and now > self.full and now > self.coming.get(aor, 0.0):
            self.tasks.spawn(self.wish(aor))

    async def admit(self, aor: str, event: RegisterReceived) -> None:
        """A REGISTER that nobody but an actor of its own may serve: 503 unless there can be one."""
        if self.clock() < self.full or not await self.wish(aor):
            event.token(BUSY)
        else:
            self.shell.tell(aor, event)

    async def wish(self, aor: str) -> bool:
        """Ask for an actor; False when there can be none now."""
        self.coming[aor] = self.clock() + COMING_SECONDS
        try:
            await self.links.ask(SWITCHBOARD, "own.start", [KIND, aor], ASK_SECONDS)
        except LinkError as error:
            log.info("no actor for %s: %s", aor, error)
            self.coming.pop(aor, None)
            self.full = self.clock() + FULL_SECONDS
            self.end_oldest()
            return False
        return True

    def ready(self, peer: str, payload: list[Any]) -> None:
        """An actor runs. `has`: it knows its registration (the actor was only restarted)."""
        aor, has = payload
        away = self.away.get(aor)
        if aor in self.unsure:
            self.held_offers.append((peer, payload))
        elif away is not None and away.host == peer:
            if not has:
                self.tasks.spawn(self.remind(aor, peer))
        elif has:
            self.shell.drop(aor)
            self.away[aor] = Away(peer)
        elif self.shell.has(aor):
            self.shell.wake(aor)
            self.hand_over(aor, peer)
        else:
            self.links.tell(peer, "own.end", aor)

    async def remind(self, aor: str, peer: str) -> None:
        """An actor that should have a registration has none: its home, or it, died on the way."""
        snapshot = await self.own.recalled(peer, [KIND, aor])
        if snapshot is not None:
            self.links.tell(peer, "own.take", [aor, snapshot])
        else:
            self.ended(peer, aor)

    def hand_over(self, aor: str, peer: str) -> None:
        """Write what is registered under the actor's name; when that is on disk, so is all that came before."""
        found = self.shell.host.peek(KIND, aor)
        if found is None:
            self.coming.pop(aor, None)
            if aor not in self.away or self.away[aor].host != peer:  # it may have offered twice
                self.links.tell(peer, "own.end", aor)
            return
        registration, messages = found
        snapshot = registration.snapshot()
        expires = max((binding.expires for binding in registration.bindings), default=0.0)
        write = put_binding(aor, snapshot, expires, peer, self.shell.wall())
        self.shell.journal.durable(write, lambda: self.moved(aor, peer, snapshot, messages))

    def moved(self, aor: str, peer: str, snapshot: Any, messages: int) -> None:
        """It is on disk; if nothing has happened meanwhile the registration is the actor's now."""
        found = self.shell.host.peek(KIND, aor)
        if found is None or found[1] != messages:
            self.hand_over(aor, peer)
            return
        self.coming.pop(aor, None)
        self.shell.host.retire(KIND, aor)
        self.away[aor] = Away(peer)
        self.own.keep(KIND, aor, snapshot)
        self.links.tell(peer, "own.take", [aor, snapshot])

    # -- the end -------------------------------------------------------------------------------------------------------

    def ended(self, peer: str, aor: str) -> None:
        """Nothing is registered there any more."""
        away = self.away.get(aor)
        if away is not None and away.host == peer:
            self.idle.pop(aor, None)
            self.idle[aor] = None
            self.trim()

    def trim(self) -> None:
        """End the oldest of the idle ones that are too many."""
        for aor in list(self.idle)[: max(0, len(self.idle) - self.warm)]:
            self.end(aor)

    def end_oldest(self) -> None:
        """Make room for somebody who is registered."""
        for aor in list(self.idle)[:1]:
            self.end(aor)

    def end(self, aor: str) -> None:
        """End an idle one, unless something for it is on the way."""
        if self.away[aor].pending == 0:
            del self.idle[aor]
            self.links.tell(self.away.pop(aor).host, "own.end", aor)

    # -- after a restart -----------------------------------------------------------------------------------------------

    def take_in(self, rows: Iterable[tuple[str, Any, float, str]]) -> None:
        """The rows of the store: (address-of-record, snapshot, expires, who wrote it)."""
        here = []
        for aor, snapshot, expires, host in rows:
            if is_own(host):
                self.unsure[aor] = (aor, snapshot, expires), host
            else:
                here.append((aor, snapshot, expires))
        self.shell.take_in(here)
        if self.unsure:
            self.tasks.spawn(self.find_out())

    async def find_out(self) -> None:
        """Who has an actor still? Whoever has none lives here again, and moves out anew."""
        while True:
            try:
                known = set(await self.links.ask(SWITCHBOARD, "own.known", KIND, ASK_SECONDS))
                break
            except LinkError as error:
                log.warning("who has moved out is not known yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
        unsure, self.unsure = self.unsure, {}
        self.away.update({aor: Away(host) for aor, (_, host) in unsure.items() if aor in known})
        self.shell.take_in(row for aor, (row, _) in unsure.items() if aor not in known)
        offers, self.held_offers = self.held_offers, []
        for peer, payload in offers:
            self.ready(peer, payload)
        held, self.held = self.held, deque()
        for aor, event in held:
            self.tell(aor, event)
        for aor in unsure:
            if self.shell.wake(aor):
                self.consider(aor)


def _opens(event: Any) -> bool:
    """May this event begin a registration?"""
    return isinstance(event, RegisterReceived) and event.wanted not in (None, "*")


def _nobody(answer: Any) -> None:
    """Nobody asked."""
