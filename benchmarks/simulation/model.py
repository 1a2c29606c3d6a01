"""A cluster, and the way of a call and of a REGISTER through it.

Every node has one SIP gateway and one media gateway, a core each. A call comes to a random gateway; the registration of
the called phone has its home at another random one, and its phone sits behind a third: at 1,000 nodes nearly every
step between them is a hop to another node. Records gather at their gateway and go to the one database in groups.

    caller → a: INVITE, 407; INVITE with credentials → home: who is that? → a → media gateway: ports → a → f: INVITE →
    phone, 180 → f → a → caller;  200 → f → a, ACK a → f;  BYE → a → f, 200 → f → a;  three records from a

The costs of these steps are the measured cost of a whole call in one gateway, in equal parts, and of each hop beside.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from benchmarks.simulation.costs import Costs
from benchmarks.simulation.engine import Act, Clock, Server
from benchmarks.simulation.upkeep import Upkeep

STEPS = 12
"""Messages of a call that a gateway takes in: the parts of its cost."""
DATABASE_CORES = 16
KINDS = ("SIP gateway", "media gateway", "Switchboard", f"database, {DATABASE_CORES} cores")


@dataclass
class Load:
    """What is asked of a cluster, a second."""

    nodes: int
    calls: float
    registrations: float

    @classmethod
    def of(
        cls, nodes: int, calls_a_node: float = 100.0, phones_a_node: float = 10_000.0, refresh: float = 1800.0
    ) -> Load:
        """So much for each node; phones register again after half of an hour."""
        return cls(nodes, nodes * calls_a_node, nodes * phones_a_node / refresh)


@dataclass
class Outcome:
    """`busy`: share of a core in use, by kind of process; delays in seconds."""

    load: Load
    busy: dict[str, float]
    idle: dict[str, float]
    """What of `busy` is there without traffic."""
    to_180: list[float] = field(default_factory=list)
    to_register: list[float] = field(default_factory=list)

    @property
    def first(self) -> str:
        """What is nearest to its end."""
        return min(self.busy, key=self.ends_at)

    def ends_at(self, name: str) -> float:
        """Calls a second, with registrations in proportion, that use up all cores of this kind."""
        spent = self.busy[name] - self.idle[name]
        return self.load.calls * max(1 - self.idle[name], 0.0) / spent if spent > 0 else float("inf")


class Journal:
    """Gathers the records of a gateway; one transaction at a time is under way."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.waiting: list[float] = []
        self.records = 0
        self.due = False

    def add(self, records: int, registered: float = 0.0) -> None:
        """`registered`: when a phone that waits for this record has asked."""
        self.records += records
        if registered:
            self.waiting.append(registered)
        if not self.due:
            self.due = True
            wait = 0.01 if registered else self.cluster.costs.group_wait
            self.cluster.clock.at(self.cluster.clock.now + wait, self.commit)

    def commit(self) -> None:
        """To the database."""
        costs, waiting, records = self.cluster.costs, self.waiting, self.records
        self.waiting, self.records, self.due = [], 0, False
        self.cluster.database.serve(costs.group + records * costs.record, self.done, waiting)

    def done(self, waiting: list[float]) -> None:
        """It is durable."""
        now = self.cluster.clock.now + self.cluster.costs.wire * 2
        self.cluster.to_register += [now - began for began in waiting]


class Cluster:
    """One run."""

    def __init__(self, load: Load, costs: Costs, seed: int = 1) -> None:
        self.load = load
        self.costs = costs
        self.random = random.Random(seed)
        self.clock = Clock()
        self.upkeep = Upkeep(load.nodes, costs)
        self.gateways = [Server(self.clock, 1, self.upkeep.gateway) for _ in range(load.nodes)]
        self.media = [Server(self.clock, 1, self.upkeep.media) for _ in range(load.nodes)]
        self.journals = [Journal(self) for _ in range(load.nodes)]
        self.database = Server(self.clock, DATABASE_CORES)
        self.to_180: list[float] = []
        self.to_register: list[float] = []
        self.step = (costs.call - costs.call_media) / STEPS

    def run(self, seconds: float) -> Outcome:
        """Traffic for so long; the first fifth is not counted."""
        self.clock.at(0.0, self.call_comes)
        self.clock.at(0.0, self.phone_comes)
        warm = seconds / 5
        self.clock.run(warm)
        self.to_180.clear()
        self.to_register.clear()
        servers = [*self.gateways, *self.media, self.database]
        for server in servers:
            server.worked = 0.0
        self.clock.run(seconds)
        idle = dict(zip(KINDS, (self.upkeep.gateway, self.upkeep.media, self.upkeep.switchboard, 0.0), strict=True))
        return Outcome(self.load, self.busy(seconds - warm), idle, self.to_180, self.to_register)

    def busy(self, seconds: float) -> dict[str, float]:
        """The busiest of its kind would be chance: the mean over each kind."""
        means = [
            sum(server.busy(seconds) for server in group) / self.load.nodes for group in (self.gateways, self.media)
        ]
        return dict(zip(KINDS, (*means, self.upkeep.switchboard, self.database.busy(seconds)), strict=True))

    # -- a REGISTER ----------------------------------------------------------------------------------------------------

    def phone_comes(self) -> None:
        """One registers again; the next one comes after a while."""
        self.clock.at(self.clock.now + self.random.expovariate(self.load.registrations), self.phone_comes)
        began = self.clock.now
        self.gateways[self.any()].serve(self.costs.register / 2, self.at_home, self.any(), began)

    def at_home(self, home: int, began: float) -> None:
        """The gateway asks the home of this number."""
        self.hop(home, self.costs.register / 2, self.journals[home].add, 1, began)

    # -- a call --------------------------------------------------------------------------------------------------------

    def call_comes(self) -> None:
        """The INVITE and the one with credentials, in one."""
        self.clock.at(self.clock.now + self.random.expovariate(self.load.calls), self.call_comes)
        a, home, f = self.any(), self.any(), self.any()
        self.gateways[a].serve(2 * self.step, self.locate, a, home, f, self.clock.now)

    def locate(self, a: int, home: int, f: int, began: float) -> None:
        """Who is that? There and back."""
        self.hop(home, self.costs.ask / 2, self.hop, a, self.costs.ask / 2 + self.step, self.ports, a, f, began)

    def ports(self, a: int, f: int, began: float) -> None:
        """The media gateway of the same node leases ports."""
        self.media[a].serve(self.costs.call_media, self.invite, a, f, began)

    def invite(self, a: int, f: int, began: float) -> None:
        """To the phone, by the gateway that it is behind; it rings at once."""
        self.gateways[a].serve(self.step, self.hop, f, self.step, self.rings, a, f, began)

    def rings(self, a: int, f: int, began: float) -> None:
        """180, back the same way."""
        self.hop(a, self.step, self.heard, a, f, began)

    def heard(self, a: int, f: int, began: float) -> None:
        """The caller hears it; the rest of the call follows: 200, ACK, BYE, 200."""
        self.to_180.append(self.clock.now - began)
        self.journals[a].add(3)
        for _ in range(2):
            self.hop(f, self.step, self.hop, a, 2 * self.step, _nothing)

    # -- between them --------------------------------------------------------------------------------------------------

    def hop(self, to: int, cost: float, then: Act, *arguments: Any) -> None:
        """A frame to another node, and what is done there with it."""
        self.clock.at(
            self.clock.now + self.costs.wire, self.gateways[to].serve, cost + self.costs.frame, then, *arguments
        )

    def any(self) -> int:
        """Some node."""
        return int(self.random.random() * self.load.nodes)


def _nothing() -> None:
    """The end."""
