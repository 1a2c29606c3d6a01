"""The parts of a process that has a journal and a memory of its own: all but those of single entities."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.alarms import Alarms
from actors.call import CallShell
from actors.composition.parts import Parts
from actors.homecoming import Homecoming
from actors.journal import Journal
from actors.link import Links
from actors.member_feed import MemberFeed
from actors.own_records import OwnRecords
from actors.recall import Recall, copy_of, journal_of
from actors.registration import RegistrationShell
from actors.registration_home import RegistrationHome
from actors.routing import Routing
from actors.sip_port import SipPort
from rayswitch.config import Config
from rayswitch.sip.flow import Flow

MEGABYTE = 1 << 20


class StoredParts(Parts):
    """Parts that take up from the store what lives here, and write for those that live alone."""

    def __init__(self, me: str, config: Config, links: Links, feed: MemberFeed) -> None:
        alarms = Alarms()
        self.journal = Journal(
            config.store,
            journal_of(config, me),
            alarms,
            copy=copy_of(config, me),
            limit=config.limits.journal * MEGABYTE,
        )
        super().__init__(me, config, links, feed, alarms, self.journal)
        self.recall = Recall(config, me, self.journal)
        self.homecoming: Homecoming | None = None
        self.own = OwnRecords(
            links, self.journal, lambda kind, key, host: self.recall.entity(kind, key, host, self.wall())
        )

    def refresh(self) -> None:
        """Have a copy for the day on which the database is away, where one is needed. Blocks."""
        self.recall.refresh(self.is_home)

    def is_home(self, aor: str) -> bool:
        """Does this address-of-record live here?"""
        return self.location.placement.home(aor) == self.me

    async def serve_registrations(self, ping: Callable[[str, Flow], None]) -> RegistrationShell:
        """Make this process a home of registrations, and take in those of the store that live here."""
        shell = self.registration_shell(ping)
        self.occupancy.serve()
        if self.location.placement.single:
            now = self.wall()  # all of this before anybody can ask for one
            rows = await asyncio.to_thread(self.recall.bindings, self.is_home, now)
            written = await asyncio.to_thread(self.recall.homes, now)
            self.home_of_single(shell).take_in((*row, written.get(row[0], "")) for row in rows)
        else:
            self.homecoming = Homecoming(shell, self.location.placement, self.links, self.share, self.journal.flush)
            self.location.serve(self.homecoming)
        return shell

    def share(self, again: bool) -> list[tuple[str, Any, float]]:
        """The registrations that live here, from the store; `again`: it was another share before. Blocks."""
        if not again:
            return self.recall.bindings(self.is_home, self.wall())
        self.refresh()
        return self.recall.newest_bindings(self.is_home, self.wall())

    async def follow(self) -> None:
        """With the registrations: they move when everybody knows where to."""
        await super().follow()
        if self.homecoming is not None:
            self.feed.watch(self.homecoming.follow)
            await self.homecoming.begun()

    def heritage(self, host: str) -> list[tuple[str, Any]]:
        """From the store."""
        return self.recall.take_calls(host)

    def home_of_single(self, shell: RegistrationShell) -> RegistrationHome:
        """Each registration is to have an actor of its own."""
        setting = self.config.actors.registration
        home = RegistrationHome(
            shell, self.location, self.links, self.own, self.clock, setting.warm, self.location.placement.overflows
        )
        self.location.serve(home)
        return home

    async def serve_calls(self, sip: SipPort, routing: Routing) -> CallShell:
        """Let calls live in this process, and go on with those of its journal."""
        rows = await asyncio.to_thread(self.recall.calls)  # before a message for one of them can come
        shell = self.call_shell(sip, routing)
        shell.take_in(rows)
        return shell
