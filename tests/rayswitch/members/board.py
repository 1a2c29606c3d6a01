"""A Switchboard with invented time, whose hosts greet, fall silent and come back."""

from __future__ import annotations

from typing import Any

from rayswitch.members import Members, Membership, Terms
from rayswitch.members import events as ev
from rayswitch.members.effects import Publish
from rayswitch.members.membership import TICK

EPOCH = 1000


class Board:
    """A Switchboard on node n0 whose hosts greet, fall silent and come back."""

    def __init__(self, machine: Membership | None = None, now: float = 5000.0) -> None:
        self.machine = machine or Membership(Terms(node="n0"), Members())
        self.now = now
        self.effects: list[Any] = []
        self.published: list[Members] = []
        self.tell(ev.Tick())

    @property
    def members(self) -> Members:
        return self.machine.members

    def tell(self, *events: Any) -> list[Any]:
        found = [effect for event in events for effect in self.machine.handle(event, self.now)]
        self.published += [effect.members for effect in found if isinstance(effect, Publish)]
        self.effects += [effect for effect in found if not isinstance(effect, Publish)]
        return found

    def greet(self, *hosts: str, epoch: int = EPOCH, node: str = "") -> None:
        """Node n1 has address 10.0.0.1 and the hosts s1, m1, …"""
        for host in hosts:
            at = node or f"n{host[1:]}"
            self.tell(ev.Greeted(host, epoch, at, f"10.0.0.{at[1:]}", 7000))

    def down(self, *hosts: str) -> None:
        self.tell(*map(ev.LinkDown, hosts))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.tell(ev.Tick())

    def states(self) -> dict[str, str]:
        return {member.id: member.state for member in self.members}

    def took(self, kind: type) -> list[Any]:
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects.clear()
        return found

    def successor(self) -> Board:
        """The Switchboard died; the next one knows what was kept and nothing else."""
        return Board(Membership(self.machine.terms, Members.of(self.members.plain())), self.now + 1)


def three_nodes() -> Board:
    board = Board()
    board.greet("s0", "m0", "s1", "m1", "s2", "m2")
    board.effects.clear()
    return board


def lost_node() -> Board:
    board = three_nodes()
    board.down("s1", "m1")
    board.wait(2.25)
    board.effects.clear()
    return board
