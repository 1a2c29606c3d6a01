"""What an operator asks and wants of nodes: which there are, take one out of service, put it back.

    rayswitch nodes, drain NODE, undrain NODE → the membership → everybody's snapshot

A node that is drained takes nothing new: its registrations have other homes at once, what comes to its gateways is
passed to others, its calls end by themselves. From the deadline on, if there is one, calls that are still there move.
A node is named by its address, by the beginning of its id, or by a host on it; "." is the only one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from actors.link import LinkError
from actors.member_desk import MemberDesk
from rayswitch.members import DRAINING, LEAVING, Member
from rayswitch.members import events as ev

__all__ = ["NodeDesk"]

Row = dict[str, Any]
Ask = Callable[[list[str], str, Any], Awaitable[dict[str, Any]]]

FIGURES = ("calls", "sessions", "registrations")


class NodeDesk:
    """Over the members of `desk`; `ask(hosts, topic, payload)` has the answers of those that answer."""

    def __init__(self, desk: MemberDesk, ask: Ask) -> None:
        self.desk = desk
        self.ask = ask
        self.commands: dict[str, Callable[[Row], Awaitable[Any]]] = {
            "nodes": self.nodes,
            "drain": self.drain,
            "undrain": self.undrain,
        }

    async def nodes(self, arguments: Row) -> list[Row]:
        """A row for each node: its hosts, how they are, what is still there."""
        del arguments
        by_node = self.desk.members.nodes()
        linked = [member.id for members in by_node.values() for member in members if self.desk.links.alive(member.id)]
        figures = await self.ask(linked, "status", None)
        return [self.row(node, members, figures) for node, members in sorted(by_node.items(), key=_by_address)]

    def row(self, node: str, members: list[Member], figures: dict[str, Row]) -> Row:
        states = {member.id: member.state for member in sorted(members, key=lambda member: member.id)}
        deadline = max(member.deadline for member in members)
        return {
            "node": node,
            "address": next((member.address for member in members if member.address), ""),
            "state": _state(states.values()),
            "deadline": deadline or None,
            "hosts": states,
        } | {name: sum(figures.get(host, {}).get(name, 0) for host in states) for name in FIGURES}

    async def drain(self, arguments: Row) -> Row:
        """Take a node, or a host, out of service; `seconds` from now its calls move (None: never)."""
        hosts = self.chosen(arguments["node"])
        refusal = self.desk.machine.refusal(hosts)
        if refusal:
            raise LinkError(refusal)
        seconds = arguments.get("seconds")
        self.desk.handle(ev.Drained(tuple(hosts), 0.0 if seconds is None else time.time() + seconds))
        return {"hosts": hosts}

    async def undrain(self, arguments: Row) -> Row:
        """Put it back."""
        hosts = self.chosen(arguments["node"])
        self.desk.handle(ev.Undrained(tuple(hosts)))
        return {"hosts": hosts}

    def chosen(self, name: str) -> list[str]:
        """Living hosts that a name means. Raises LinkError: none, or those of several nodes."""
        members = [member for member in self.desk.members if member.is_living]
        if any(member.id == name for member in members):
            return [name]
        nodes = {member.node for member in members if name == member.address or (name and member.node.startswith(name))}
        if name == "." and len({member.node for member in members}) == 1:
            nodes = {members[0].node}
        if len(nodes) != 1:
            known = ", ".join(sorted({member.address or member.node for member in members}))
            raise LinkError(f"{'several nodes begin with' if nodes else 'there is no node'} {name}; nodes: {known}")
        return sorted(member.id for member in members if member.node in nodes)


def _by_address(item: tuple[str, list[Member]]) -> str:
    return min(member.address for member in item[1])


def _state(states: Iterable[str]) -> str:
    """Of the node: that of its hosts when they have one in common."""
    found = set(states)
    if found & {DRAINING, LEAVING}:
        return LEAVING if LEAVING in found else DRAINING
    return found.pop() if len(found) == 1 else "partly up"
