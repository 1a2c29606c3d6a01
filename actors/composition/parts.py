"""The parts that several kinds of process have: clock, wheel, journal, entities, calls, registrations."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from actors.alarms import Alarms
from actors.call import CallShell
from actors.call_desk import CallDesk
from actors.host import Host
from actors.journal.verbs import Writes
from actors.link import Links
from actors.media_desk import BATCH, MediaDesk
from actors.member_feed import MemberFeed
from actors.occupancy import OccupancyDesk
from actors.outside.desk import LineDesk
from actors.placement import Placement, numbered
from actors.reference import attach
from actors.registration import Location, RegistrationShell
from actors.routing import Numbers, Routing
from actors.sip_port import SipPort
from actors.succession import Succession
from gateways.wheel import Wheel
from rayswitch.calls.call import Settings
from rayswitch.calls.events import MediaFigures, MediaSilent
from rayswitch.calls.registration import Rules
from rayswitch.config import Config
from rayswitch.members import DEAD, Members
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers

DRAIN_SECONDS = 2.0


async def nothing() -> None:
    """For a process that has nothing to end."""


@dataclass(slots=True)
class Process:
    """A running process as deployment sees it: `drain` ends its calls, `close` gives everything back."""

    listeners: list[str] = field(default_factory=list)
    status: Callable[[], dict[str, Any]] = dict
    drain: Callable[[], Awaitable[None]] = nothing
    close: Callable[[], Awaitable[None]] = nothing


class RandomOctets:
    """Octets of the system's random source, fetched 4 KiB at a time: a system call each would be dear."""

    def __init__(self) -> None:
        self.stock = b""
        self.used = 0

    def take(self, count: int) -> bytes:
        """`count` octets that nobody had before."""
        end = self.used + count
        if end > len(self.stock):
            self.stock, self.used, end = os.urandom(4096), 0, count
        taken = self.stock[self.used : end]
        self.used = end
        return taken


class Parts:
    """What entities need, made once a process."""

    def __init__(self, me: str, config: Config, links: Links, feed: MemberFeed, alarms: Alarms, writes: Writes) -> None:
        loop = asyncio.get_running_loop()
        self.me = me
        self.config = config
        self.links = links
        self.feed = feed
        self.clock = time.monotonic
        self.wall = time.time
        self.wheel = Wheel(loop)
        self.alarms = alarms
        self.writes = writes
        self.random = RandomOctets()
        self.host = Host(me, links, self.wheel, self.clock)
        self.host.hold()
        attach(self.host)
        self.location = Location(me, links, Placement.of("registration", config), self.wall)
        self.calls = CallDesk(links, Placement.of("call", config), self.identifiers)
        self.occupancy = OccupancyDesk(me, links, self.location.placement)
        self.line_homes = Placement(numbered("s", config.sip.gateways), letter="s")
        self.outgoing = LineDesk(me, links, self.line_homes, self.occupancy)
        self.media: MediaDesk | None = None
        self.succession: Succession | None = None

    async def follow(self) -> None:
        """Act upon the snapshots of the members from now on: first everybody learns where things are, then they move.

        Actors of single registrations stay where they are: their homes are the hosts of the configuration.
        """
        self.feed.watch(self.placed)
        if self.media is not None:
            self.feed.watch(self.media.follow)
        if self.succession is not None:
            self.feed.watch(self.succession.follow)

    def placed(self, members: Members) -> None:
        """Where everything is."""
        self.calls.follow(members)
        self.line_homes.follow(members)
        if not self.location.placement.single:
            before = self.location.placement.hosts
            self.location.placement.follow(members)
            if before != self.location.placement.hosts:
                self.occupancy.moved(host for host in before if members.state(host) == DEAD)

    def identifiers(self, owner: str) -> Identifiers:
        """Identifiers that carry `owner`."""
        return Identifiers(owner, self.random.take)

    def registration_shell(self, ping: Callable[[str, Flow], None]) -> RegistrationShell:
        """Registrations can live here."""
        rules = self.config.registration
        return RegistrationShell(
            self.host,
            self.writes,
            self.wheel,
            Rules(
                rules.min_expires,
                rules.default_expires,
                rules.max_expires,
                rules.max_contacts,
                rules.when_full == "replace",
            ),
            self.wall,
            ping,
        )

    def call_shell(self, sip: SipPort, routing: Routing, ahead: int = BATCH) -> CallShell:
        """Calls can live here; so many media ports are taken `ahead` of need."""
        media = self.media = MediaDesk(
            self.links,
            [f"m{n}" for n in range(self.config.media.gateways)],
            lambda session, streams: self.host.tell("call", session, MediaFigures(streams)),
            ahead,
        )
        shell = CallShell(
            self.me,
            self.host,
            sip,
            media,
            self.location,
            Numbers(routing, self.occupancy, self.outgoing),
            self.writes,
            self.wheel,
            self.call_settings(),
            self.identifiers(self.me),
            self.clock,
            self.wall,
            self.calls.other,
        )
        self.calls.serve(shell)
        self.succession = Succession(shell, self.links, self.heritage)
        self.links.on("media.silent", lambda peer, what: self.host.tell("call", what[0], MediaSilent(what[1])))
        self.links.on_up(lambda peer, epoch, new: self.media_up(shell, peer, new) if peer[0] == "m" else None)
        return shell

    def heritage(self, host: str) -> list[tuple[str, Any]]:
        """(id, snapshot) of the calls of a dead host, which are ours from now on. Blocks."""
        del host
        return []

    def call_settings(self) -> Settings:
        """What calls have to know of switch.yaml."""
        call = self.config.call
        return Settings(
            self.config.domain, call.no_answer, self.config.sip.t1, call.session_expires, call.min_session_expires
        )

    def media_up(self, shell: CallShell, gateway: str, new: bool) -> None:
        """A media gateway is there (again): it hears which sessions we still have, for the end of one may be lost.

        When it is one we have not met, what an earlier one of that name knew is gone.
        """
        assert self.media is not None
        if new:
            self.media.forget(gateway)
            shell.restarted(gateway)
        self.links.tell(gateway, "media", ["holding", [id for id, _ in self.host.entities("call")]])

    async def drain(self, shell: CallShell | None) -> None:
        """BYE and CDR for every call, and wait until they are written."""
        if shell is None:
            return
        shell.release_all("Switch is stopping")
        end = self.clock() + DRAIN_SECONDS
        while shell.open_calls() and self.clock() < end:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Give the leases back, write what is queued; nothing fires and nothing waits any more."""
        self.location.close()
        if self.succession is not None:
            self.succession.close()
        self.occupancy.close()
        self.outgoing.close()
        if self.media is not None:
            self.media.close()
        self.wheel.close()
        await self.writes.close()

    def condition(self) -> dict[str, Any]:
        """For `status`: records on the disk that the database does not have yet, and the alarms that stand."""
        return {"journal": self.writes.backlog, "alarms": self.alarms.rows()}

    def lists(
        self,
        calls: CallShell | None,
        registrations: RegistrationShell | None,
        lines: Callable[[], list[list[Any]]] = list,
    ) -> None:
        """All who live here are here: answer them, and the Switchboard's questions about them."""
        rows: dict[str, Callable[[], Any]] = {
            "calls": calls.rows if calls else list,
            "registrations": registrations.rows if registrations else list,
            "actors": self.host.rows,
            "lines": lines,
        }
        self.links.on("list", lambda peer, what: rows[what]())
        self.host.release()
