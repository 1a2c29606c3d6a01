"""The guards of two gateways that see the failures of one address, with blames that cross on the way."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from actors.protection import Protection
from rayswitch.config import Config
from rayswitch.records import AddressRule, Block

LIAR = "192.0.2.66"


class Wire:
    """Links that carry nothing until they are told to."""

    def __init__(self) -> None:
        self.heard: dict[str, Callable[[str, Any], Any]] = {}
        self.waiting: list[tuple[str, str, Any]] = []

    def on(self, topic: str, act: Callable[[str, Any], Any]) -> None:
        self.heard[topic] = act

    def on_up(self, act: object) -> None:
        """Nobody comes."""

    def tell(self, peer: str, topic: str, payload: Any) -> None:
        self.waiting.append((peer, topic, payload))


def guard(other: str) -> tuple[Protection, Wire, list[Any]]:
    wire, written = Wire(), list[Any]()
    gateway: Any = SimpleNamespace(
        sockets=SimpleNamespace(block=lambda addresses: None),
        wheel=SimpleNamespace(start=lambda after, act: SimpleNamespace(cancel=lambda: None)),
    )
    peers: Any = SimpleNamespace(others=[other])
    recall: Any = SimpleNamespace(journal=SimpleNamespace(append=written.append))
    links: Any = wire
    made = Protection(Config(), gateway, cast(Any, SimpleNamespace()), peers, links, recall, lambda: 1000.0)
    return made, wire, written


def test_failures_at_two_gateways_whose_blames_cross_are_a_ban_that_is_written_down() -> None:
    (one, one_wire, one_written), (two, two_wire, two_written) = guard("g1"), guard("g0")
    for _ in range(4):
        one.failed(LIAR, "alice")
    two.failed(LIAR, "alice")
    assert not one_written and not two_written
    for wire, other in ((one_wire, two_wire), (two_wire, one_wire)):
        for _peer, topic, payload in list(wire.waiting):
            other.heard[topic]("", payload)
    assert one.guard.bans.by_address.keys() == two.guard.bans.by_address.keys() == {LIAR}
    assert one_written and two_written


def test_lists_of_the_operator_stand_beside_those_of_the_configuration() -> None:
    one, _, _ = guard("g1")
    key = ("192.0.2.0/24",)
    one.listed([(AddressRule, key, AddressRule("192.0.2.0/24", "reject")), (Block, ("1", "2"), Block("1", "2"))])
    assert not one.guard.admits(LIAR, 1.0)
    one.listed([(AddressRule, ("192.0.2.66",), AddressRule("192.0.2.66", "accept"))])
    assert one.guard.admits(LIAR, 1.0)
    one.listed([(AddressRule, ("192.0.2.66",), None), (AddressRule, key, None)])
    assert one.guard.admits(LIAR, 1.0) and not one.rules
