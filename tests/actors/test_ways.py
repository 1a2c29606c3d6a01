"""Which gateway has the address of a flow, and by which way a phone is reached when that one is gone."""

from typing import Any, cast

import pytest

from actors.ways import Ways
from rayswitch.members import DEAD, DRAINING, LEAVING, UP, Member, Members
from rayswitch.sip.flow import Flow

PHONE = ("192.0.2.9", 5070)
UDP = Flow("UDP", ("10.0.0.1", 5060), PHONE)
TCP = Flow("TCP", ("10.0.0.1", 5060), PHONE, "s1", 7)
OURS = Flow("UDP", ("10.0.0.0", 5060), PHONE)


class Up:
    """Links that stand."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    def alive(self, host: str) -> bool:
        return host in self.hosts


def ways(state: str = UP, *up: str) -> Ways:
    """s0 listens at 10.0.0.0, s1, which is so, at all addresses of its node, 10.0.0.1."""
    made = Ways(cast(Any, Up(*up)))
    s0 = Member("s0", "n0", "10.0.0.0", 1, ("udp://10.0.0.0:5060", "tcp://10.0.0.0:5060", "udp://[2001:db8::1]:5060"))
    s1 = Member("s1", "n1", "10.0.0.1", 1, ("udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"), 1, state)
    made.follow(Members(1, 0, 0, {"s0": s0._replace(state=UP), "s1": s1}))
    return made


def test_the_gateway_at_an_address_is_one_that_is_up() -> None:
    assert ways(UP, "s1").at(("10.0.0.1", 5060)) == "s1"
    assert ways(UP).at(("10.0.0.1", 5060)) == ""
    assert ways(UP, "s1").at(("10.0.0.1", 5061)) == ""
    assert ways(UP, "s0").at(("2001:db8::1", 5060)) == "s0"


@pytest.mark.parametrize(
    ("state", "new", "expected"),
    [(UP, False, UDP), (DRAINING, False, UDP), (DRAINING, True, OURS), (LEAVING, False, OURS), (DEAD, False, OURS)],
)
def test_a_datagram_goes_by_the_gateway_that_its_phone_knows_while_it_can(
    state: str, new: bool, expected: Flow
) -> None:
    assert ways(state, "s0", "s1").reach(UDP, "s0", new) == expected


def test_a_connection_is_used_while_its_gateway_is_up() -> None:
    assert ways(LEAVING, "s0", "s1").reach(TCP, "s0", True) == TCP
    assert ways(DEAD, "s0").reach(TCP, "s0", False) == Flow("TCP", ("10.0.0.0", 5060), PHONE)


def test_without_an_address_of_that_kind_nothing_changes() -> None:
    tls = Flow("TLS", ("10.0.0.1", 5061), PHONE, "s1", 7)
    assert ways(DEAD, "s0").reach(tls, "s0", False) == tls
    assert ways(DEAD, "s0").reach(UDP, "s9", False) == UDP
