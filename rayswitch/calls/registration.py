"""The registration of one address-of-record: the registrar of RFC 3261 §10.3 as a machine.

All contacts of one REGISTER are applied or none. A change is answered only after `SaveBindings` has been made durable;
a query is answered at once. Expired bindings vanish when somebody looks, and by one timer per address-of-record, so an
idle registration costs nothing but its memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from rayswitch.calls.binding import Binding, bind
from rayswitch.calls.effects import Ended, KeepAlive, Reply, SaveBindings, StartTimer
from rayswitch.calls.events import LookedUp, RegisterReceived, TimerFired

Effects = list[Any]

NAT_PERIOD = 25.0
"""Seconds between keep-alives: RFC 5626 §4.4.1 asks 24 to 29 s for UDP."""


@dataclass(slots=True)
class Rules:
    """The registrar's settings: times in seconds; `replace`: one contact too many replaces the oldest, else 403."""

    min_expires: int = 60
    default_expires: int = 3600
    max_expires: int = 86400
    max_contacts: int = 3
    replace: bool = True


class Refused(Exception):
    """The whole REGISTER fails with `status`; nothing was changed."""

    def __init__(self, status: int, reason: str, headers: list[list[str]] | None = None) -> None:
        super().__init__(reason)
        self.answer = [status, reason, headers or [], []]


class Registration:
    """All bindings of the address-of-record; `handle(event, now) -> effects`."""

    __slots__ = ("bindings", "due", "keeping", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bindings: list[Binding] = []
        self.due = inf
        self.keeping = inf
        """When the next keep-alive is due; a timer for another time was started by an earlier registration."""

    def handle(self, event: Any, now: float) -> Effects:
        """Effects of one event; an event of another type is a programming error (KeyError)."""
        return HANDLERS[type(event)](self, event)

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able."""
        return [binding.snapshot() for binding in self.bindings]

    @classmethod
    def restore(cls, plain: list[Any], rules: Rules) -> Registration:
        """The inverse of `snapshot`; `wake` gives the timers it needs."""
        registration = cls(rules)
        registration.bindings = [Binding.restore(row) for row in plain]
        return registration

    def wake(self, wall: float) -> Effects:
        """The timers of a registration that was just restored at `wall` (unix seconds)."""
        self.drop_expired(wall)
        return self.timers(wall) if self.bindings else [Ended()]

    def register(self, event: RegisterReceived) -> Effects:
        """RFC 3261 §10.3 steps 6 to 8."""
        self.drop_expired(event.wall)
        if event.wanted is None:
            return [Reply(event.token, self.answer(event.wall)), *self.gone()]
        before = self.bindings
        self.bindings = list(before)
        try:
            self.apply(event)
        except Refused as refused:
            self.bindings = before
            return [Reply(event.token, refused.answer), *self.gone()]
        return self.saved(event)

    def apply(self, event: RegisterReceived) -> None:
        """Change the list of bindings as asked; raises Refused half way, the caller undoes."""
        if isinstance(event.wanted, str):
            for binding in self.bindings:
                in_order(binding, event)
            self.bindings = []
            return
        before = self.bindings.copy()
        for uri, params, seconds in event.wanted or []:
            self.apply_contact(event, uri, params, self.lifetime(seconds, event.expires), before)

    def apply_contact(
        self, event: RegisterReceived, uri: str, params: str, lifetime: int, before: list[Binding]
    ) -> None:
        """Add, refresh or remove one contact (§10.3 step 7); one that was named twice counts as it was named last."""
        for position, binding in enumerate(self.bindings):
            if binding.same_device(uri, params):
                if any(binding is old for old in before):
                    in_order(binding, event)
                del self.bindings[position]
                break
        if lifetime == 0:
            return
        self.make_room(event.most or self.rules.max_contacts)
        until = event.wall + lifetime
        self.bindings.append(
            bind(uri, params, event.call_id, event.cseq, until, event.wall, event.path, event.flow, event.nat)
        )

    def lifetime(self, contact: int | None, header: int | None) -> int:
        """Seconds granted: the contact's own wish, else the Expires header, else ours; 423 when too brief."""
        wish = contact if contact is not None else header if header is not None else self.rules.default_expires
        if 0 < wish < self.rules.min_expires:
            raise Refused(423, "Interval Too Brief", [["min-expires", str(self.rules.min_expires)]])
        return min(wish, self.rules.max_expires)

    def make_room(self, most: int) -> None:
        """One device too many takes the place of the one that was longest not heard of, or is refused."""
        if len(self.bindings) >= most and not self.rules.replace:
            raise Refused(403, "Too Many Devices")
        while len(self.bindings) >= most:
            self.bindings.remove(min(self.bindings, key=lambda binding: binding.updated))

    def saved(self, event: RegisterReceived) -> Effects:
        """What follows a change: the durable write, then the answer, then timers."""
        reply = Reply(event.token, self.answer(event.wall))
        if not self.bindings:
            return [SaveBindings(None, 0.0, reply), Ended()]
        latest = max(binding.expires for binding in self.bindings)
        return [SaveBindings(self.snapshot(), latest, reply), *self.timers(event.wall)]

    def answer(self, wall: float) -> list[Any]:
        """[status, reason, headers, contacts as [uri, params, seconds left, path]]."""
        rows = [[b.uri, b.params, max(1, round(b.expires - wall)), b.path] for b in self.bindings]
        return [200, "OK", [], rows]

    def timers(self, wall: float) -> Effects:
        """The next expiry unless an earlier timer waits, and the NAT keep-alive when a binding needs it."""
        effects: Effects = []
        first = min(binding.expires for binding in self.bindings)
        if first < self.due:
            self.due = first
            effects.append(StartTimer(max(0.0, first - wall) + 1.0, "expiry", first))
        if self.keeping == inf and any(binding.natted for binding in self.bindings):
            self.keeping = wall + NAT_PERIOD
            effects.append(StartTimer(NAT_PERIOD, "keep-alive", self.keeping))
        return effects

    def look_up(self, event: LookedUp) -> Effects:
        """The live contacts, the most wanted first: [[uri, flow, path], …]."""
        self.drop_expired(event.wall)
        ranked = sorted(self.bindings, key=lambda binding: (-binding.q, -binding.updated))
        return [Reply(event.token, [[b.uri, list(b.flow), b.path] for b in ranked])]

    def timer(self, event: TimerFired) -> Effects:
        """Expiry or keep-alive; a timer of a binding that was refreshed since is stale."""
        return self.keep_alive(event.data) if event.name == "keep-alive" else self.expire(event.data)

    def keep_alive(self, due: float) -> Effects:
        """One OPTIONS to each natted binding, as long as there is one."""
        if due != self.keeping:
            return []
        natted = [binding for binding in self.bindings if binding.natted]
        self.keeping = due + NAT_PERIOD if natted else inf
        pings: Effects = [KeepAlive(binding.uri, binding.flow) for binding in natted]
        return [*pings, StartTimer(NAT_PERIOD, "keep-alive", self.keeping)] if natted else []

    def expire(self, due: float) -> Effects:
        """The bindings whose time was up at `due`; the last one takes the registration with it."""
        if due != self.due:
            return []
        self.due = inf
        self.drop_expired(due)
        return self.timers(due) if self.bindings else [SaveBindings(None, 0.0, None), Ended()]

    def gone(self) -> Effects:
        """The end of a registration without bindings; it has a row to remove if it ever waited for an expiry."""
        if self.bindings:
            return []
        return [Ended()] if self.due == inf else [SaveBindings(None, 0.0, None), Ended()]

    def drop_expired(self, wall: float) -> None:
        """Forget what has run out; its row in the store goes with the next write."""
        if any(binding.expires <= wall for binding in self.bindings):
            self.bindings = [binding for binding in self.bindings if binding.expires > wall]


def in_order(binding: Binding, event: RegisterReceived) -> None:
    """§10.3 step 7: within one Call-ID the CSeq must rise, else the update is void."""
    if binding.call_id == event.call_id and event.cseq <= binding.cseq:
        raise Refused(500, "CSeq Out Of Order")


HANDLERS: dict[type, Callable[[Registration, Any], Effects]] = {
    RegisterReceived: Registration.register,
    LookedUp: Registration.look_up,
    TimerFired: Registration.timer,
}
