"""The membership: what the Switchboard makes of greetings, silence, Ray's word and the operator's wishes.

A host that greets is up. One whose link breaks is away: Ray has its process back in a moment. It is given up when

* nothing was heard of any host of its node for `node_silent` seconds, or Ray says that the node is no more;
* Ray says that it will not start it again;
* it was silent for `host_silent` seconds though its node lives (its process hangs);

and when there is somebody who can take over. Then it is dead: its epoch is fenced off, its calls are adopted by a host
of its kind (one on the same node if possible, because phones know its address), its registrations find other homes,
Ray is told to leave it dead, and its seat is vacant: when its node stands, a new host with another id is started there.

Silence is counted in ticks and not by the clock: a Switchboard that was stopped itself has not heard anybody
meanwhile, and must not take that for the death of all others.

Everything here is in the snapshot, so a Switchboard that comes back goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rayswitch.members import events as ev
from rayswitch.members.effects import End, Enquire, Publish, Recall, Start
from rayswitch.members.snapshot import AWAY, DEAD, DRAINING, LEAVING, UP, Member, Members, Seat

__all__ = ["TICK", "Membership", "Terms"]

TICK = 0.25
"""Seconds between two ticks."""
AWAY_SECONDS = 1.0
"""Whoever a new Switchboard has not heard of for so long is away."""
ENQUIRE_SECONDS = 0.5
"""Somebody is silent for so long: what does Ray say?"""
START_SECONDS = 30.0
SURE_SECONDS = 5.0
"""Whatever Ray says of a node after so long is so."""
HEIRS = {"s": "s", "c": "cs", "m": "m", "r": "r"}
"""Kinds that can take over what a host of that kind had; the first of which there is one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`node`: where the Switchboard is, which therefore lives; `homes`: letter of the homes of registrations;
    `fence_life`: seconds for which an epoch that is over has to be remembered. Times in seconds."""

    node: str = ""
    homes: str = "s"
    node_silent: float = 2.0
    host_silent: float = 10.0
    fence_life: float = 86400.0


class Membership:
    """The machine; `members` is the latest snapshot, and `now` that of the wall clock, in seconds."""

    def __init__(self, terms: Terms, members: Members) -> None:
        self.terms = terms
        self.members = members
        self.linked: set[str] = set()
        self.silent: dict[str, float] = {}
        """Seconds without a link."""
        self.starting: dict[str, tuple[Seat, float]] = {}
        """Hosts that Ray was asked to start, and until when that is waited for."""
        self.settled: dict[str, int] = {}
        self.fenced_at: dict[str, float] = {}
        self.free: set[str] = set()
        """Ids that nothing carried when the journal was last looked at."""
        self.ticked = 0.0
        self.out: list[Any] = []

    def handle(self, event: Any, now: float) -> list[Any]:
        """Effects of one event; a snapshot to publish is the last of them."""
        before = self.members
        self.out = out = []
        HANDLERS[type(event)](self, event, now)
        if self.members is not before:
            self.members = replace(self.members, version=max(before.version, self.members.version) + 1)
            out.append(Publish(self.members))
        return out

    def begin(self, expected: Iterable[str] | Mapping[str, int | None], now: float) -> list[Any]:
        """The whole switch starts, with these hosts (and seats): others that there were are given up. Of none of them
        anything was heard yet."""
        before = self.members
        self.out = out = []
        known, wanted = before.hosts, list(expected)
        seats = expected if isinstance(expected, Mapping) else {}
        for host in wanted:
            member = known.get(host, Member(host, seat=int(host[1:])))
            seat = seats.get(host)
            member = member._replace(deadline=0.0, seat=member.seat if seat is None else seat)
            heard = host in self.linked  # it has greeted before we began
            self._put(member._replace(state=UP) if heard else member._replace(node="", epoch=0, state=AWAY))
        self._bury([member.id for member in before if member.is_living and member.id not in wanted], now)
        self._change(vacant=())
        if self.members.homes(self.terms.homes) != before.homes(self.terms.homes):
            self._change(shares=before.shares + 1)
        self._change(version=before.version + 1)
        out.append(Publish(self.members))
        return out

    # -- what hosts say ------------------------------------------------------------------------------------------------

    def _greeted(self, event: ev.Greeted, now: float) -> None:
        if event.version > self.members.version:
            self.out.append(Recall(event.host))
        known = self.members.hosts.get(event.host)
        if event.epoch <= self.members.fences.get(event.host, -1) or (known and event.epoch < known.epoch):
            return
        if known is not None and not known.is_living and event.host not in self.free:
            self._refuse(event, now)
            return
        self._welcome(event, known)

    def _refuse(self, event: ev.Greeted, now: float) -> None:
        """Calls still carry this id, and others have them: nobody may be that host."""
        self._fence(event.host, event.epoch, now)
        self.out.append(End(event.host))

    def _welcome(self, event: ev.Greeted, known: Member | None) -> None:
        host = event.host
        self.linked.add(host)
        self.silent.pop(host, None)
        seat = self._seat(host, known)
        was = known.state if known else DEAD
        state = was if was in (DRAINING, LEAVING) else UP
        member = Member(
            host, event.node, event.address, event.port, event.listeners, event.epoch, state, seat,
            known.deadline if known else 0.0,
        )  # fmt: skip
        if member == known:
            return
        self._put(member)
        if was == DEAD:
            self._change(adopts=_without(self.members.adopts, host))
            self._occupy(Seat(host[0], event.address, seat))
            self._rehome(host)

    def _seat(self, host: str, known: Member | None) -> int:
        started = self.starting.pop(host, None)
        if started is not None:
            return started[0].number
        return known.seat if known else int(host[1:])

    def _link_down(self, event: ev.LinkDown, now: float) -> None:
        self.linked.discard(event.host)
        member = self.members.hosts.get(event.host)
        if member is not None and member.is_living:
            self.silent.setdefault(event.host, 0.0)
            self._miss(member)

    def _miss(self, member: Member) -> None:
        if member.state == UP:
            self._put(member._replace(state=AWAY))

    def _known(self, event: ev.Known, now: float) -> None:
        """A host has a newer snapshot than ours, which was lost: go on from there."""
        theirs, ours = event.members, self.members
        if theirs.version <= ours.version:
            return
        newer = {
            member.id: member
            for member in ours
            if member.id not in theirs.hosts or member.epoch > theirs.hosts[member.id].epoch
        }
        self.members = replace(theirs, hosts={**theirs.hosts, **newer}, shares=max(theirs.shares, ours.shares) + 1)

    def _settled(self, event: ev.Settled, now: float) -> None:
        self.settled[event.host] = event.shares
        homes = self.members.ids(self.terms.homes, UP)
        current = self.members.shares
        if self.members.settled < current and all(self.settled.get(host, -1) >= current for host in homes):
            self._change(settled=current)

    # -- time, and what Ray says ---------------------------------------------------------------------------------------

    def _tick(self, event: ev.Tick, now: float) -> None:
        step = min(max(now - self.ticked, 0.0), 2 * TICK) if self.ticked else 0.0
        self.ticked = now
        for member in self.members:
            if member.is_living and member.epoch and member.id not in self.linked:
                self.silent[member.id] = self.silent.get(member.id, 0.0) + step
                if self.silent[member.id] >= AWAY_SECONDS:
                    self._miss(member)
        self._bury([*self._silent_nodes(), *self._silent_hosts()], now)
        self._leave(now)
        self._forget(now)
        self._enquire(now)

    def _silent_nodes(self) -> Iterable[str]:
        """Hosts of nodes of which nothing was heard; the Switchboard's own node lives."""
        for node, members in self.members.nodes().items():
            quiet = all(self.silent.get(member.id, 0.0) >= self.terms.node_silent for member in members)
            if quiet and node not in ("", self.terms.node):
                yield from (member.id for member in members)

    def _silent_hosts(self) -> Iterable[str]:
        return [host for host, seconds in self.silent.items() if seconds >= self.terms.host_silent]

    def _enquire(self, now: float) -> None:
        for host, (seat, until) in list(self.starting.items()):
            if now > until:
                del self.starting[host]
                self.out.append(End(host))
                self._change(vacant=(*self.members.vacant, seat))
        missed = tuple(host for host, seconds in self.silent.items() if seconds >= ENQUIRE_SECONDS)
        if missed or self.members.vacant:
            self.out.append(Enquire(missed))

    def _standing(self, event: ev.Standing, now: float) -> None:
        """Silent hosts of nodes that are no more, or that Ray does not start again; and places for new ones."""
        lost = [
            host
            for host in self.silent
            if host in event.gone or (event.nodes and self.members.hosts[host].node not in event.nodes)
        ]
        self._bury(lost, now)
        at = {address: node for node, address in event.nodes.items()}
        if len(event.nodes) == 1:  # hosts of the only node have no address for others
            at[""] = next(iter(event.nodes))
        for seat in self.members.vacant:
            node = at.get(seat.address)
            if node is not None and self._stands(node, now):
                self._start(seat, node, now)

    def _stands(self, node: str, now: float) -> bool:
        """Ray takes a while to notice that a node is no more: one that has just lost a host is believed to be there
        when another host of it is heard."""
        here = [member for member in self.members if member.node == node]
        if node == self.terms.node or any(member.id in self.linked for member in here):
            return True
        return all(now - self.fenced_at.get(member.id, 0.0) >= SURE_SECONDS for member in here)

    def _start(self, seat: Seat, node: str, now: float) -> None:
        taken = self.members.hosts.keys() | self.starting.keys()
        number = next(n for n in range(len(taken) + 1) if f"{seat.letter}{n}" not in taken)
        host = f"{seat.letter}{number}"
        self.starting[host] = seat, now + START_SECONDS
        self._occupy(seat)
        self.out.append(Start(host, node, seat))

    # -- the end of a host ---------------------------------------------------------------------------------------------

    def _bury(self, lost: Iterable[str], now: float) -> None:
        """Give these up, as far as somebody is there to take over."""
        chosen = dict.fromkeys(lost)
        for host in chosen:
            heir = self._heir(host, chosen)
            if heir:
                member = self.members.hosts[host]
                self._give_up(member, heir, now)
                if member.epoch:
                    self._change(vacant=(*self.members.vacant, Seat(member.letter, member.address, member.seat)))

    def _give_up(self, member: Member, heir: str, now: float) -> None:
        host = member.id
        self.silent.pop(host, None)
        self.free.discard(host)
        self.linked.discard(host)
        self._put(member._replace(state=DEAD, deadline=0.0))
        self._change(adopts={**self.members.adopts, host: heir})
        self._fence(host, member.epoch, now)
        self._rehome(host)
        self.out.append(End(host))

    def _heir(self, host: str, lost: Iterable[str] = ()) -> str:
        """Who takes over from `host`: on its node if possible, then who has adopted least; "": nobody can."""
        gone = {host, *lost, *self.silent}
        for letter in HEIRS[host[0]]:
            states = (UP, AWAY) if not self.linked else (UP,)  # before anybody can have greeted
            able = [other for other in self.members.ids(letter, *states) if other not in gone]
            if able:
                adopted = list(self.members.adopts.values())
                node = self.members.hosts[host].node
                return min(able, key=lambda one: (self.members.hosts[one].node != node, adopted.count(one)))
        return ""

    def _fence(self, host: str, epoch: int, now: float) -> None:
        self.fenced_at[host] = now
        self._change(fences={**self.members.fences, host: epoch})

    def _forget(self, now: float) -> None:
        """Fences of epochs whose certificates have run out."""
        for host in self.members.fences:
            if now - self.fenced_at.setdefault(host, now) > self.terms.fence_life:
                self._change(fences=_without(self.members.fences, host))

    def _carried(self, event: ev.Carried, now: float) -> None:
        """Ids that nothing carries any more, for the second time in a row, are free."""
        hosts, adopts = self.members.hosts, self.members.adopts
        used = {name for pair in event.pairs for name in pair}
        moved = {owner for owner, host in event.pairs if owner != host}
        free = {host for host in hosts if host not in (used if not hosts[host].is_living else moved)}
        for host in free & self.free & adopts.keys():
            if not hosts[host].is_living or hosts[host].state in (UP, AWAY):
                self._release(host)
        self.free = free

    def _release(self, host: str) -> None:
        """Nothing that had moved away from this host is left; of one that is dead nothing at all."""
        heir = self.members.adopts[host]
        others = _without(self.members.adopts, host)
        if not self.members.hosts[host].is_living:
            others = {one: heir if by == host else by for one, by in others.items()}
            self._change(hosts=_without(self.members.hosts, host))
        self._change(adopts={one: by for one, by in others.items() if one != by})

    # -- what the operator says ----------------------------------------------------------------------------------------

    def seats(self, letter: str, address: str) -> list[int]:
        """Numbers of the seats of a kind on a node: taken, to be taken, or vacant."""
        living = [one.seat for one in self.members if (one.letter, one.address) == (letter, address) and one.is_living]
        others = [*self.members.vacant, *(seat for seat, _ in self.starting.values())]
        return living + [seat.number for seat in others if (seat.letter, seat.address) == (letter, address)]

    def refusal(self, hosts: Iterable[str]) -> str:
        """Why these cannot be drained; "" when they can."""
        chosen = list(hosts)
        for host in chosen:
            if self.members.state(host) == DEAD:
                return f"there is no host {host}"
            if not self._heir(host, chosen):
                return f"{host} cannot be drained: no other host of its kind is up"
        return ""

    def _drained(self, event: ev.Drained, now: float) -> None:
        for host in event.hosts:
            self._put(self.members.hosts[host]._replace(state=DRAINING, deadline=event.deadline))
            self._rehome(host)

    def _undrained(self, event: ev.Undrained, now: float) -> None:
        for host in event.hosts:
            member = self.members.hosts.get(host)
            if member is not None and member.state in (DRAINING, LEAVING):
                self._put(member._replace(state=UP if host in self.linked else AWAY, deadline=0.0))
                self._rehome(host)

    def _leave(self, now: float) -> None:
        """The deadline of a drain has come."""
        for member in self.members:
            if member.state == DRAINING and 0 < member.deadline <= now:
                heir = self._heir(member.id)
                if heir:
                    self._put(member._replace(state=LEAVING))
                    self._change(adopts={**self.members.adopts, member.id: heir})

    def _added(self, event: ev.Added, now: float) -> None:
        taken = self.seats(event.letter, event.address)
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        self._start(Seat(event.letter, event.address, number), event.node, now)

    def _removed(self, event: ev.Removed, now: float) -> None:
        member = self.members.hosts[event.host]
        heir = self._heir(event.host)
        if member.is_living and heir:
            self._give_up(member, heir, now)

    # -- parts of the snapshot -----------------------------------------------------------------------------------------

    def _change(self, **parts: Any) -> None:
        self.members = replace(self.members, **parts)

    def _put(self, member: Member) -> None:
        self._change(hosts={**self.members.hosts, member.id: member})

    def _occupy(self, seat: Seat) -> None:
        self._change(vacant=tuple(other for other in self.members.vacant if other != seat))

    def _rehome(self, host: str) -> None:
        """The set of homes has changed, if this is one of that kind."""
        if host[0] == self.terms.homes:
            self._change(shares=self.members.shares + 1)


def _without(table: Any, key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


HANDLERS: dict[type, Callable[[Membership, Any, float], None]] = {
    ev.Greeted: Membership._greeted,
    ev.LinkDown: Membership._link_down,
    ev.Known: Membership._known,
    ev.Settled: Membership._settled,
    ev.Tick: Membership._tick,
    ev.Standing: Membership._standing,
    ev.Carried: Membership._carried,
    ev.Drained: Membership._drained,
    ev.Undrained: Membership._undrained,
    ev.Added: Membership._added,
    ev.Removed: Membership._removed,
}
