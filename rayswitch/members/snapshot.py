"""The snapshot: all hosts, as the Switchboard last said, the same for everybody who has the same version.

A host is

    up         it takes calls and registrations
    away       its process is silent; Ray has it back in a moment, and nothing that is its own moves meanwhile
    draining   it takes nothing new, its registrations are elsewhere, its calls end by themselves
    leaving    as draining, and the calls that are still there move out
    dead       given up: its epoch is fenced off, others have what was its own

`adopts` says who has the calls of a host that is dead or leaving (and those that once moved out of one that is up
again): identifiers go on carrying the id of the first owner. A dead host stays in the snapshot as long as anything
carries its id; so an id is never given out twice meanwhile.

Homes of registrations are the hosts that are up or away. `shares` counts the changes of that set; `settled` is the
last one that all homes have acted upon: a home that starts when both are the same need not ask anybody what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

UP, AWAY, DRAINING, LEAVING, DEAD = "up", "away", "draining", "leaving", "dead"
HOME_STATES = (UP, AWAY)
LIVING = (UP, AWAY, DRAINING, LEAVING)

__all__ = ["AWAY", "DEAD", "DRAINING", "LEAVING", "UP", "Member", "Members", "Seat"]


class Seat(NamedTuple):
    """A place for a host on a node that lost it: the letter of its kind, the node's address, its number there."""

    letter: str
    address: str
    number: int


class Member(NamedTuple):
    """One host. `node` is Ray's id of its node, `address` and `port` where other nodes dial it, `seat` its number among
    those of its kind on the node; `deadline` (unix seconds, 0: none) is when a draining one begins to leave."""

    id: str
    node: str = ""
    address: str = ""
    port: int = 0
    listeners: tuple[str, ...] = ()
    epoch: int = 0
    state: str = AWAY
    seat: int = 0
    deadline: float = 0.0

    @property
    def letter(self) -> str:
        """Its kind: s, m, c, r."""
        return self.id[0]

    @property
    def is_living(self) -> bool:
        """It is not given up."""
        return self.state in LIVING

    @classmethod
    def of(cls, plain: list[Any]) -> Member:
        """From plain values."""
        member = cls(*plain)
        return member._replace(listeners=tuple(member.listeners))


@dataclass(frozen=True, slots=True)
class Members:
    """All hosts by id; `fences` has the last epoch of each host that is over."""

    version: int = 0
    shares: int = 0
    settled: int = 0
    hosts: Mapping[str, Member] = field(default_factory=dict)
    adopts: Mapping[str, str] = field(default_factory=dict)
    fences: Mapping[str, int] = field(default_factory=dict)
    vacant: tuple[Seat, ...] = ()

    def __iter__(self) -> Iterator[Member]:
        return iter(self.hosts.values())

    def state(self, host: str) -> str:
        """Of a host that is not known: dead."""
        member = self.hosts.get(host)
        return DEAD if member is None else member.state

    def ids(self, letter: str, *states: str) -> list[str]:
        """Ids of one kind in one of these states (none named: living), in the order of their numbers."""
        wanted = states or LIVING
        found = [member.id for member in self if member.letter == letter and member.state in wanted]
        return sorted(found, key=lambda host: int(host[1:]))

    def homes(self, letter: str) -> list[str]:
        """Where registrations live, or new calls go, when hosts of this kind are their homes."""
        return self.ids(letter, *HOME_STATES)

    def owner(self, host: str) -> str:
        """Who has what carries the id `host`: that host while it lives, else who adopted it; "" when nobody did."""
        for _ in range(len(self.adopts) + 1):
            if self.state(host) != DEAD:
                return host
            host = self.adopts.get(host, "")
        return ""

    def nodes(self) -> dict[str, list[Member]]:
        """Living hosts by node."""
        found: dict[str, list[Member]] = {}
        for member in self:
            if member.is_living:
                found.setdefault(member.node, []).append(member)
        return found

    def plain(self) -> list[Any]:
        """Plain values, msgpack-able."""
        hosts = [list(member) for member in self]
        seats = [list(seat) for seat in self.vacant]
        return [self.version, self.shares, self.settled, hosts, dict(self.adopts), dict(self.fences), seats]

    @classmethod
    def of(cls, plain: list[Any]) -> Members:
        """The inverse of `plain`."""
        version, shares, settled, hosts, adopts, fences, seats = plain
        members = {row[0]: Member.of(row) for row in hosts}
        return cls(version, shares, settled, members, adopts, fences, tuple(Seat(*seat) for seat in seats))

    @classmethod
    def expected(cls, hosts: list[str]) -> Members:
        """Before anybody has said anything: these hosts will be there."""
        return cls(hosts={host: Member(host, seat=int(host[1:])) for host in hosts})
