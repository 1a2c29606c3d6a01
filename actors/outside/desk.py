"""Where a call finds lines and trunks: each has its home at one SIP gateway, and its calls are counted as limits are.

The home says where a call would go, or why it cannot; then the call is counted for the line, wherever that is counted.
A home that does not answer counts as a line that is down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from actors.link import LinkError, Links
from actors.occupancy import OccupancyDesk
from actors.outside.outgoing import Accounted, Seized
from actors.placement import Placement
from actors.tasks import Tasks
from rayswitch.calls.routing.route import Place
from rayswitch.lines.resolving import Server
from rayswitch.sip.flow import Flow

__all__ = ["Here", "LineDesk"]

TOPIC, SHUN, ACCOUNT = "outside", "outside-shun", "outside-account"
PAUSES = (0.0, 1.0, 5.0, 30.0)
"""Seconds before an account is asked for, each time."""
ASK_SECONDS = 2.0

log = logging.getLogger(__name__)

Answer = list[Any] | str
"""[place, most outgoing calls], or why there is none."""
Account = Sequence[str] | None
"""User and secret."""


class Here(Protocol):
    """The lines and trunks whose home is this process."""

    def place(self, member: str, caller: str, number: str) -> Answer:
        """Where `member` takes a call to `number`."""

    def account(self, member: str) -> Account:
        """User and secret of `member`, which may have its home elsewhere; None when it is not known."""

    def shun(self, member: str, server: Server) -> None:
        """It took no call."""


class LineDesk:
    """For the calls of host `me`."""

    def __init__(self, me: str, links: Links, placement: Placement, occupancy: OccupancyDesk) -> None:
        self.me = me
        self.links = links
        self.placement = placement
        self.occupancy = occupancy
        self.here: Here | None = None
        self.tasks = Tasks()

    def serve(self, here: Here) -> None:
        """Some have their home here."""
        self.here = here
        self.links.on(TOPIC, lambda peer, question: here.place(*question))
        self.links.on(ACCOUNT, lambda peer, member: here.account(member))
        self.links.on(SHUN, lambda peer, told: here.shun(told[0], Server(*told[1:])))

    def loads(self, members: Sequence[str], done: Callable[[list[int]], None]) -> None:
        """`done` with the running calls of each."""
        self.tasks.spawn(self.count(members, done))

    async def count(self, members: Sequence[str], done: Callable[[list[int]], None]) -> None:
        """Asked where they are counted."""
        done([await self.occupancy.count(member) for member in members])

    def seize(self, id: str, member: str, caller: str, number: str, done: Seized) -> None:
        """Count the call `id` for `member`, unless that is down or full; then `done`, at once or later."""
        if self.here is not None and self.placement.home(member) == self.me:
            self.found(id, member, self.here.place(member, caller, number), done)
        else:
            self.tasks.spawn(self.ask(id, member, caller, number, done))

    async def ask(self, id: str, member: str, caller: str, number: str, done: Seized) -> None:
        """The home, over the link."""
        try:
            answer: Answer = await self.links.ask(
                self.placement.home(member), TOPIC, [member, caller, number], ASK_SECONDS
            )
        except LinkError as error:
            log.warning("%s cannot be asked: %s", member, error)
            answer = f"{member} cannot be asked"
        self.found(id, member, answer, done)

    def found(self, id: str, member: str, answer: Answer, done: Seized) -> None:
        """The call may go there, unless there are too many."""
        if isinstance(answer, str):
            done(answer)
            return
        place, most = answer
        assert isinstance(place, Place)

        def counted(held: list[list[Any]], full: list[Any] | None) -> None:
            done(place if full is None else f"{member} is full")

        self.occupancy.seize(id, [[member, True, None, most]], counted)

    def account(self, member: str, done: Accounted) -> None:
        """`done`, later, with how requests to `member` are proved; never when nobody knows it."""
        self.tasks.spawn(self.inquire(member, done))

    async def inquire(self, member: str, done: Accounted) -> None:
        """Now, and again as long as nobody knows: who has been started this moment has no records yet."""
        for pause in PAUSES:
            await asyncio.sleep(pause)
            found = await self.found_account(member)
            if found is not None:
                done(*found)
                return

    async def found_account(self, member: str) -> Account:
        """From our own records, or those of its home, over the link."""
        if self.here is not None:
            return self.here.account(member)
        try:
            found: Account = await self.links.ask(self.placement.home(member), ACCOUNT, member, ASK_SECONDS)
            return found
        except LinkError as error:
            log.warning("the account of %s cannot be asked for: %s", member, error)
            return None

    def shun(self, member: str, flow: Flow) -> None:
        """The server of `member` behind `flow` is out of order: calls begin at another one for a while."""
        server = Server(flow.transport, *flow.remote)
        home = self.placement.home(member)
        if self.here is not None and home == self.me:
            self.here.shun(member, server)
        else:
            self.links.tell(home, SHUN, [member, *server])

    def hold(self, id: str, member: str) -> None:
        """After a restart: this call is one of `member`."""
        self.occupancy.hold(id, [(member, True)])

    def free(self, id: str, member: str) -> None:
        """It is so no more."""
        self.occupancy.free(id, [(member, True)])

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        self.tasks.cancel()
