"""Registrations as entity actors, and how anybody reaches them.

`RegistrationShell` does what the registrations of this host want done: durable writes before answers, timers,
keep-alives. `Location` is what the rest of the switch uses: it knows the home of every address-of-record (rendezvous
hash over the hosts that the placement names) and asks there, in this process or over a link.

After a restart the rows of the store are taken in as they are; a registration wakes when it is touched, and all of
them one after the other in the background, so that a host with 100,000 of them serves its first request at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Protocol

from actors.host import Host, Kind
from actors.journal.verbs import Writes
from actors.link import LinkError, Links
from actors.placement import Placement
from actors.tasks import Tasks
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.events import LookedUp, RegisterReceived, TimerFired
from rayswitch.calls.registration import Registration, Rules
from rayswitch.store import writes

log = logging.getLogger(__name__)

KIND = "registration"
Done = Callable[[Any], None]
"""Takes the answer; None when the home is away."""


class RegistrationShell:
    """Hosts the registrations whose home is here."""

    def __init__(
        self,
        host: Host,
        journal: Writes,
        wheel: Wheel,
        rules: Rules,
        wall: Callable[[], float],
        ping: Callable[[str, Any], None],
    ) -> None:
        self.host = host
        self.journal = journal
        self.wheel = wheel
        self.rules = rules
        self.wall = wall
        self.ping = ping
        self.asleep: dict[str, list[Any]] = {}
        self.waking: asyncio.Task[None] | None = None
        host.define(KIND, Kind(perform=self.perform, failed=self.failed))

    def tell(self, aor: str, event: Any) -> None:
        """To the registration of `aor`; one that does not exist is created by REGISTER and empty for everybody else."""
        if not self.host.has(KIND, aor) and not self.wake(aor):
            if isinstance(event, LookedUp):
                event.token([])
                return
            self.host.adopt(KIND, aor, Registration(self.rules))
        self.host.tell(KIND, aor, event)

    def has(self, aor: str) -> bool:
        """Is it here, awake or asleep?"""
        return self.host.has(KIND, aor) or aor in self.asleep

    def known(self) -> list[str]:
        """Addresses-of-record that are here, awake or asleep."""
        return [*self.asleep, *(aor for aor, _ in self.host.entities(KIND))]

    def drop(self, aor: str) -> None:
        """It lives elsewhere."""
        self.asleep.pop(aor, None)
        self.host.retire(KIND, aor)

    def take_in(self, rows: Iterable[tuple[str, Any, float]]) -> None:
        """The rows of the store that live here, at the start."""
        now = self.wall()
        self.asleep |= {aor: snapshot for aor, snapshot, expires in rows if expires > now}
        if self.waking is None or self.waking.done():
            self.waking = asyncio.get_running_loop().create_task(self.wake_all())

    async def wake_all(self) -> None:
        """Wake the sleepers in small groups, leaving the loop to the traffic in between."""
        while self.asleep:
            for aor in list(islice(self.asleep, WAKE_GROUP)):
                self.wake(aor)
            await asyncio.sleep(0.005)

    def wake(self, aor: str) -> bool:
        """Restore one registration; False when there is none, or none that can be read."""
        snapshot = self.asleep.pop(aor, None)
        if snapshot is None:
            return False
        try:
            registration = Registration.restore(snapshot, self.rules)
        except Exception:
            log.exception("the bindings of %s cannot be taken up: %r", aor, snapshot)
            return False
        self.host.adopt(KIND, aor, registration)
        for effect in registration.wake(self.wall()):
            self.perform(aor, effect)
        return self.host.has(KIND, aor)

    def failed(self, aor: str, registration: Registration, message: Any) -> None:
        """A registration whose code raised is gone until its phone comes again; who asked is not left waiting."""
        del aor, registration
        token = getattr(message, "token", None)
        if token is not None:
            token(None)

    def close(self) -> None:
        """Wake nobody any more."""
        if self.waking is not None:
            self.waking.cancel()

    def perform(self, aor: str, effect: Any) -> None:
        """Do what a registration wants."""
        PERFORM[type(effect)](self, aor, effect)

    def save(self, aor: str, effect: fx.SaveBindings) -> None:
        """Durable first, then the answer (DESIGN §5)."""
        if effect.snapshot is None:
            write = writes.drop_binding(aor, self.host.id, self.wall())
        else:
            write = writes.put_binding(aor, effect.snapshot, effect.expires, self.host.id, self.wall())
        reply = effect.reply
        if reply is None:
            self.journal.append(write)
        else:
            self.journal.durable(write, lambda: reply.token(reply.value), lambda: reply.token(None))

    def reply(self, aor: str, effect: fx.Reply) -> None:
        """An answer that changes nothing."""
        effect.token(effect.value)

    def timer(self, aor: str, effect: fx.StartTimer) -> None:
        """On the wheel of this process."""
        self.wheel.start(effect.delay, self.host.tell, KIND, aor, TimerFired(effect.name, effect.data))

    def keep_alive(self, aor: str, effect: fx.KeepAlive) -> None:
        """Through the gateway that owns the flow."""
        self.ping(effect.uri, effect.flow)

    def ended(self, aor: str, effect: fx.Ended) -> None:
        """Nothing is registered any more."""
        self.host.retire(KIND, aor)

    def rows(self) -> list[list[Any]]:
        """[aor, contact, seconds left, transport, source, natted] of every binding."""
        for aor in list(self.asleep):
            self.wake(aor)
        now = self.wall()
        return [
            [aor, b.uri, round(b.expires - now), b.flow.transport, list(b.flow.remote), b.natted]
            for aor, registration in self.host.entities(KIND)
            for b in registration.bindings
            if b.expires > now
        ]

    def count(self) -> int:
        """Addresses-of-record with at least one binding."""
        return self.host.count(KIND) + len(self.asleep)


WAKE_GROUP = 50
ASK_SECONDS = 3.0
SEEK_SECONDS, AGAIN_SECONDS, ATTEMPTS = 2.0, 0.2, 3

PERFORM: dict[type, Callable[[RegistrationShell, str, Any], None]] = {
    fx.SaveBindings: RegistrationShell.save,
    fx.Reply: RegistrationShell.reply,
    fx.StartTimer: RegistrationShell.timer,
    fx.KeepAlive: RegistrationShell.keep_alive,
    fx.Ended: RegistrationShell.ended,
}


class Registrations(Protocol):
    """Those of a home: a `Homecoming`, or a `RegistrationHome` that knows more of them elsewhere."""

    def tell(self, aor: str, event: Any) -> None:
        """To the registration of `aor`."""

    def close(self) -> None:
        """Wait for nothing any more."""


class Location:
    """Registers and finds addresses-of-record, wherever their home is."""

    def __init__(self, me: str, links: Links, placement: Placement, wall: Callable[[], float]) -> None:
        self.me = me
        self.links = links
        self.placement = placement
        self.wall = wall
        self.shell: Registrations | None = None
        """Set when this host is a home itself, or may become one."""
        self.tasks = Tasks()

    def serve(self, shell: Registrations) -> None:
        """This host is a home: answer the others too."""
        self.shell = shell
        self.links.on("registration", self.asked)

    def register(self, aor: str, order: RegisterReceived, done: Done) -> None:
        """`done([status, reason, headers, contacts])` once it is durable."""
        self.deliver(aor, order, done)

    def look_up(self, aor: str, done: Done) -> None:
        """`done([[uri, flow, path], …])`; empty when nobody is registered, or nobody knows in time."""
        self.deliver(aor, LookedUp(None, self.wall()), lambda contacts: done(contacts or []))

    def deliver(self, aor: str, event: Any, done: Done) -> None:
        """Here or at the home."""
        if self.placement.home(aor) == self.me and self.shell is not None:
            event.token = done
            self.shell.tell(aor, event)
            return
        self.tasks.spawn(self.seek(aor, event, done))

    async def seek(self, aor: str, event: Any, done: Done) -> None:
        """Over the link to the home; when that restarts, or is the home no more, once more wherever it is then."""
        for attempt in range(1, ATTEMPTS + 1):
            home = self.placement.home(aor)
            if home == self.me and self.shell is not None:
                event.token = done
                self.shell.tell(aor, event)
                return
            try:
                done(await self.links.ask(home, "registration", [aor, event], SEEK_SECONDS))
                return
            except LinkError as error:
                log.warning("registration %s at %s, attempt %d: %s", aor, home, attempt, error)
            await asyncio.sleep(AGAIN_SECONDS)
        done(None)

    async def ask(self, home: str, aor: str, event: Any, done: Done) -> None:
        """Over the link; a home that restarts is asked once more."""
        answer = None
        for attempt in (1, 2):
            try:
                answer = await self.links.ask(home, "registration", [aor, event], ASK_SECONDS)
                break
            except LinkError as error:
                log.warning("registration %s at %s, attempt %d: %s", aor, home, attempt, error)
        done(answer)

    def asked(self, peer: str, payload: list[Any]) -> asyncio.Future[Any]:
        """Another host wants something of a registration that lives here."""
        del peer
        aor, event = payload
        if not self.is_home(aor):
            raise LinkError(f"{self.me} is not the home of {aor}")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        event.token = lambda value: None if future.done() else future.set_result(value)
        assert self.shell is not None
        self.shell.tell(aor, event)
        return future

    def is_home(self, aor: str) -> bool:
        """Is it ours? An actor of its own (placement `actor`) has no other and asks nobody."""
        return self.me not in self.placement.hosts or self.placement.home(aor) == self.me

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        self.tasks.cancel()
        if self.shell is not None:
            self.shell.close()
