"""What a cluster costs without traffic.

Every SIP gateway has a link to every other one and to every media gateway, and the Switchboard to all; each carries
heartbeats. A node that comes or goes is one new snapshot, pushed to everybody: its size and the number of its receivers
both follow the number of nodes. Too much to simulate frame by frame, and of no chance: so it is a share of each core
that is never free.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.simulation.costs import Costs

CHANGES_A_NODE = 1 / 86400
"""How often a node comes or goes: once a day each."""


@dataclass(frozen=True)
class Upkeep:
    """Of `nodes` with one SIP gateway and one media gateway each."""

    nodes: int
    costs: Costs

    @property
    def hosts(self) -> int:
        """All that are linked with the Switchboard."""
        return 2 * self.nodes

    @property
    def links(self) -> int:
        """Pairs of processes."""
        return self.nodes * (self.nodes - 1) // 2 + self.nodes**2 + self.hosts

    @property
    def gateway(self) -> float:
        """Share of a SIP gateway's core: its ends of its links."""
        return (2 * self.nodes) * self.costs.link / 2

    @property
    def media(self) -> float:
        """Share of a media gateway's core."""
        return (self.nodes + 1) * self.costs.link / 2

    @property
    def snapshot_bytes(self) -> float:
        """Of one snapshot."""
        return self.hosts * self.costs.snapshot_row

    @property
    def change_seconds(self) -> float:
        """From a change in the Switchboard until the last host has it: packed once, sent one after the other, read."""
        pack = self.hosts * self.costs.snapshot_pack
        push = self.hosts * self.snapshot_bytes * self.costs.push_byte
        return pack + push + self.hosts * self.costs.snapshot_read + self.costs.wire

    @property
    def switchboard(self) -> float:
        """Share of its core: heartbeats of all, and changes."""
        return self.hosts * self.costs.link / 2 + self.nodes * CHANGES_A_NODE * self.change_seconds
