"""Is this node cut off from the others?

A host that no longer hears the Switchboard goes on: it may be the Switchboard that is away. But a node that hears
neither it nor half of all nodes has to assume that it is itself the one that was cut off, that it was given up, and
that others own what it had: its hosts end, before those others begin. With two nodes nobody can tell, and both go on.
"""

from __future__ import annotations

from collections.abc import Iterable

from rayswitch.members.snapshot import Members

__all__ = ["Isolation"]


class Isolation:
    """On `node`; `patience` in seconds, counted in calls of `look` that come every `period`."""

    def __init__(self, node: str, patience: float, period: float) -> None:
        self.node = node
        self.most = patience / period
        self.alone = 0
        self.was_together = False

    def look(self, members: Members, linked: Iterable[str], switchboard: bool) -> bool:
        """Are we cut off? `linked`: hosts with a link that stands; `switchboard`: is it among them?"""
        nodes = {member.node for member in members if member.is_living and member.node}
        seen = {members.hosts[host].node for host in linked if host in members.hosts} | {self.node}
        if switchboard or 2 * len(seen & nodes | {self.node}) >= len(nodes | {self.node}):
            self.was_together = True
            self.alone = 0
            return False
        self.alone += self.was_together
        return self.alone > self.most
