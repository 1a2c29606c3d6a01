"""A network under invented time: it loses, doubles, delays and overtakes datagrams, as one seed says.

    network = Network(seed=1, loss=0.1, double=0.1, delay=(0.01, 0.3))
    alice, bob = network.station("s0", ALICE), network.station("s1", BOB)
    network.clock.run()

Over UDP every datagram takes its own time, so a wide `delay` reorders.  Over TCP nothing is lost and order is kept.
`lose` and `hold` single out messages: what is lost or late then is no longer chance.  `log` is [(time sent, source,
destination, message, lost)].
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.machine import Timers
from rayswitch.sip.message import Request, Response, parse, validate
from tests.rayswitch.sip.station import Clock, Station

ALICE = ("192.0.2.1", 5060)
BOB = ("192.0.2.2", 5060)
CAROL = ("192.0.2.3", 5060)
PROXY = ("192.0.2.50", 5060)
UDP = Flow("UDP", ALICE, BOB)
TCP = Flow("TCP", ALICE, BOB, "s0", 1)
NETWORKS = [
    pytest.param({"loss": 0.1, "double": 0.1, "delay": (0.005, 0.4)}, id="bad"),
    pytest.param({"loss": 0.3, "double": 0.3, "delay": (0.005, 2.0)}, id="awful"),
]

Message = Request | Response
Receive = Callable[[bytes, Flow], Any]
Choice = Callable[[Message], bool]


class Network:
    """Joins stations and other nodes; probabilities from 0 to 1, `delay` = (least, most) in seconds."""

    def __init__(
        self,
        seed: int = 0,
        loss: float = 0.0,
        double: float = 0.0,
        delay: tuple[float, float] = (0.01, 0.01),
    ) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.double = double
        self.delay = delay
        self.clock = Clock()
        self.nodes: dict[Address, Receive] = {}
        self.ordered: dict[tuple[Address, Address], float] = {}
        self.rules: list[tuple[Choice, float | None, list[int]]] = []
        self.log: list[tuple[float, Address, Address, Message, bool]] = []

    def station(self, owner: str, address: Address, timers: Timers | None = None) -> Station:
        """A transaction layer at `address`."""
        station = Station(owner, self.clock, timers)
        station.wire = self.send
        self.attach(address, station.receive)
        return station

    def attach(self, address: Address, receive: Receive) -> None:
        """Anything else that takes (octets, flow)."""
        self.nodes[address] = receive

    def lose(self, choice: Choice, times: int = 1) -> None:
        """Lose the next `times` messages that `choice` picks."""
        self.rules.append((choice, None, [times]))

    def hold(self, choice: Choice, delay: float, times: int = 1) -> None:
        """Deliver the next `times` messages that `choice` picks after `delay` seconds."""
        self.rules.append((choice, delay, [times]))

    def send(self, flow: Flow, data: bytes) -> None:
        """From flow.local to flow.remote."""
        message = parse(data)
        validate(message)
        ruled, delay = self.ruling(message)
        lost = ruled and delay is None
        if not ruled and not flow.reliable and self.random.random() < self.loss:
            lost = True
        self.log.append((self.clock.now, flow.local, flow.remote, message, lost))
        if lost:
            return
        copies = 2 if not flow.reliable and not ruled and self.random.random() < self.double else 1
        for _ in range(copies):
            self.deliver(flow, data, self.random.uniform(*self.delay) if delay is None else delay)

    def ruling(self, message: Message) -> tuple[bool, float | None]:
        """(is there a rule for this message, its delay or None for lost)."""
        for choice, delay, left in self.rules:
            if left[0] and choice(message):
                left[0] -= 1
                return True, delay
        return False, None

    def deliver(self, flow: Flow, data: bytes, delay: float) -> None:
        """In `delay` seconds; over a connection not before what was sent earlier."""
        if flow.reliable:
            way = (flow.local, flow.remote)
            due = self.ordered[way] = max(self.ordered.get(way, 0.0), self.clock.now + delay)
            delay = due - self.clock.now
        back = flow._replace(local=flow.remote, remote=flow.local)
        node = self.nodes.get(flow.remote)
        if node is not None:
            self.clock.after(delay, lambda: node(data, back))

    def seen(self, choice: Choice) -> int:
        """How many messages that `choice` picks were put on the wire, lost ones included."""
        return sum(choice(message) for _, _, _, message, _ in self.log)


def method(name: str) -> Choice:
    """Requests of this method."""
    return lambda message: isinstance(message, Request) and message.method == name


def status(code: int, to: str = "INVITE") -> Choice:
    """Responses with this status to this method."""
    return lambda message: isinstance(message, Response) and message.status == code and message.cseq.method == to
