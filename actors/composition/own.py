"""A process that holds a single entity: a call, or a registration (placement `actor`, see ``own_actors.py``).

It has neither database nor sockets of its own. Its links go to the fixed processes of the switch and nobody dials it;
its journal is that of its home; media ports it asks for when it needs them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from actors.alarms import Alarms
from actors.composition.parts import Parts, Process
from actors.home_journal import HomeJournal
from actors.link import Links
from actors.member_feed import MemberFeed
from actors.placement import SWITCHBOARD
from actors.registration import KIND as REGISTRATION
from actors.routing import RemoteRouter
from actors.sip_port import RemoteSip
from actors.tasks import Tasks
from rayswitch.calls.events import Invited, RegisterReceived
from rayswitch.config import Config
from rayswitch.sip.flow import Flow

__all__ = ["Identity", "own_process"]

MEDIA = "m"
"""First letter of the host ids of media gateways."""

log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """Which entity it is, and the host that started it and speaks for it. `again`: an earlier process was killed."""

    kind: str
    key: str
    home: str
    again: bool


class Single:
    """What both kinds have in common: the Switchboard hears how they are, their home that they are there."""

    def __init__(self, me: str, config: Config, links: Links, feed: MemberFeed, identity: Identity) -> None:
        self.links = links
        self.identity = identity
        self.state = "starting"
        self.journal = HomeJournal(links, identity.home)
        self.parts = Parts(me, config, links, feed, Alarms(), self.journal)
        self.parts.host.retired = self.retired
        self.tasks = Tasks()

    def begin(self, state: str) -> None:
        """Everything is in place: tell it, now and whenever somebody comes back who may have forgotten."""
        self.state = state
        self.links.on_up(self.greet)

    def greet(self, peer: str, epoch: int, is_new: bool) -> None:
        """The other side is up."""
        del epoch, is_new
        if peer == SWITCHBOARD:
            self.tell_state()
        elif peer == self.identity.home or peer[0] == MEDIA:
            self.offer()

    def offer(self) -> None:
        """Tell our home that we can begin, if we can."""
        kind, key, home, _ = self.identity
        if self.state != "over" and self.links.alive(home) and self.able():
            self.links.tell(home, f"own.ready.{kind}", [key, self.parts.host.has(kind, key)])

    def able(self) -> bool:
        """Is everything up that the entity will need?"""
        return True

    def become(self, state: str) -> None:
        """And tell the Switchboard."""
        if state != self.state:
            self.state = state
            self.tell_state()

    def tell_state(self) -> None:
        kind, key, home, _ = self.identity
        self.links.tell(SWITCHBOARD, "own", [kind, key, home, self.state])

    def retired(self, kind: str, key: str) -> None:
        """The entity is no more."""

    async def finish(self) -> None:
        """All is written; this process can be ended."""
        await self.journal.flush()
        self.become("over")


class SingleCall(Single):
    """Waits for its call, has it, and is over with it."""

    async def start(self) -> Process:
        """A call of an earlier process goes on; of one that had none nobody knows what it was given."""
        key, parts = self.identity.key, self.parts
        shell = self.shell = parts.call_shell(RemoteSip(parts.me, self.links), RemoteRouter(self.links), 0)
        self.links.on("call.open", self.opened)
        if self.identity.again:
            self.links.connect([self.identity.home])
            snapshot = await self.journal.recalled("call", key)
            shell.take_in([(key, snapshot)] if snapshot is not None else [])
            if not parts.host.has("call", key):
                self.tasks.spawn(self.finish())
        await parts.follow()
        parts.lists(shell, None)
        self.begin("busy" if self.identity.again else "idle")
        return Process([], self.status, self.drain, parts.close)

    def able(self) -> bool:
        """A call needs media."""
        return any(peer[0] == MEDIA for peer in self.links.peers())

    def opened(self, peer: str, payload: list[Any]) -> None:
        """The call has come; a second one is for nobody."""
        id: str = payload[0]
        invited: Invited = payload[1]
        if id != self.identity.key or self.state != "idle":
            log.error("%s wants call %s opened here, in state %s", peer, id, self.state)
            return
        self.become("busy")
        self.shell.create(id).tell(invited)

    def retired(self, kind: str, key: str) -> None:
        self.tasks.spawn(self.finish())

    def status(self) -> dict[str, Any]:
        return self.parts.condition() | {"calls": self.shell.open_calls()}

    async def drain(self) -> None:
        await self.parts.drain(self.shell)


class SingleRegistration(Single):
    """Waits for its registration, has it, and may get it again when the phone comes back."""

    async def start(self) -> Process:
        """An earlier process's registration goes on."""
        key, parts = self.identity.key, self.parts
        shell = self.shell = parts.registration_shell(self.ping)
        self.early: list[Any] = []  # what comes before we know what is registered
        parts.location.serve(self)
        self.links.on("own.take", self.taken)
        self.links.on("own.end", lambda peer, aor: self.tasks.spawn(self.finish()))
        if self.identity.again:
            self.links.connect([self.identity.home])
            snapshot = await self.journal.recalled(REGISTRATION, key)
            if snapshot is not None:
                self.have(snapshot)
        parts.lists(None, shell)
        self.begin("busy" if shell.has(key) else "idle")
        for event in self.early:
            self.tell(key, event)
        return Process([], self.status, close=parts.close)

    def taken(self, peer: str, payload: list[Any]) -> None:
        """From its home, which has it no longer."""
        del peer
        aor, snapshot = payload
        if not self.shell.has(aor):
            self.have(snapshot)
        self.look()

    def have(self, snapshot: Any) -> None:
        """Go on with what is registered."""
        self.shell.asleep[self.identity.key] = snapshot
        self.shell.wake(self.identity.key)

    def tell(self, aor: str, event: Any) -> None:
        """From its home: what comes for it."""
        if self.state == "starting":
            self.early.append(event)
            return
        self.shell.tell(aor, event)
        if isinstance(event, RegisterReceived):
            self.look()

    def look(self) -> None:
        """Is anything registered?"""
        if self.parts.host.has(REGISTRATION, self.identity.key):
            self.become("busy")
        else:
            self.retired(REGISTRATION, self.identity.key)

    def retired(self, kind: str, key: str) -> None:
        self.become("idle")
        self.links.tell(self.identity.home, "own.idle", key)

    def close(self) -> None:
        """Wake nobody any more."""
        self.shell.close()

    def ping(self, uri: str, flow: Flow) -> None:
        """A keep-alive goes out through the gateway that owns the flow."""
        self.links.tell(flow.gateway or "s0", "sip.keep-alive", [uri, flow])

    def status(self) -> dict[str, Any]:
        return self.parts.condition() | {"registrations": self.shell.count()}


STARTS: dict[str, Callable[[str, Config, Links, MemberFeed, Identity], Awaitable[Process]]] = {
    "call": lambda *parts: SingleCall(*parts).start(),
    REGISTRATION: lambda *parts: SingleRegistration(*parts).start(),
}
"""By kind; service instances get their line here."""


async def own_process(me: str, config: Config, links: Links, feed: MemberFeed, identity: Identity) -> Process:
    """Everything that lives in process `me`, started and ready."""
    return await STARTS[identity.kind](me, config, links, feed, identity)
