"""RFC 3263 §4 and RFC 2782: the way from a URI to servers; the test is the name server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from rayswitch.lines.resolving import MOST_SERVERS, Naptr, Question, Server, Srv, by_weight, servers_of
from rayswitch.lines.servers import LONGEST_REST, REST, Servers
from rayswitch.sip.uri import Uri

ZONE: dict[tuple[str, str], list[Any]] = {
    ("carrier.example", "NAPTR"): [
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.carrier.example"),
        Naptr(90, 50, "S", "sip+d2t", "_sip._tcp.carrier.example"),
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.carrier.example"),
        Naptr(10, 50, "u", "E2U+sip", ""),
    ],
    ("_sips._tcp.carrier.example", "SRV"): [Srv(0, 1, 5061, "tls.carrier.example")],
    ("_sip._tcp.carrier.example", "SRV"): [Srv(0, 1, 5060, "one.carrier.example")],
    ("_sip._udp.carrier.example", "SRV"): [Srv(1, 1, 5070, "two.carrier.example"),
                                           Srv(0, 1, 5060, "one.carrier.example")],
    ("one.carrier.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("one.carrier.example", "AAAA"): ["2001:db8::1"],
    ("two.carrier.example", "A"): ["192.0.2.3"],
    ("tls.carrier.example", "A"): ["192.0.2.4"],
    ("_sip._tcp.plain.example", "SRV"): [Srv(0, 0, 5080, "two.carrier.example")],
    ("plain.example", "A"): ["192.0.2.9"],
    ("closed.example", "A"): ["192.0.2.10"],
    ("_sip._udp.closed.example", "SRV"): [Srv(0, 0, 0, "")],
}  # fmt: skip


def resolved(
    uri: str,
    transports: Sequence[str] = ("UDP", "TCP", "TLS"),
    families: Sequence[int] = (4,),
    chance: Callable[[], float] = lambda: 0.5,
    zone: dict[tuple[str, str], list[Any]] = ZONE,
) -> tuple[list[Server], list[Question]]:
    """The servers, and what was asked for them."""
    steps = servers_of(Uri.parse(uri), transports, families, chance)
    asked: list[Question] = []
    try:
        question = next(steps)
        while True:
            asked.append(question)
            question = steps.send(zone.get((question.name, question.type), []))
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("sip:192.0.2.7", Server("UDP", "192.0.2.7", 5060)),
        ("sip:192.0.2.7:5070", Server("UDP", "192.0.2.7", 5070)),
        ("sip:192.0.2.7;transport=tcp", Server("TCP", "192.0.2.7", 5060)),
        ("sips:192.0.2.7", Server("TLS", "192.0.2.7", 5061)),
        ("sip:192.0.2.7;transport=tls", Server("TLS", "192.0.2.7", 5061)),
    ],
)
def test_numeric_hosts_are_not_looked_up(uri: str, server: Server) -> None:
    assert resolved(uri) == ([server], [])


def test_ipv6() -> None:
    assert resolved("sip:[2001:db8::7]", families=(4, 6))[0] == [Server("UDP", "2001:db8::7", 5060)]
    assert resolved("sip:[2001:db8::7]", families=(4,))[0] == []


def test_a_port_leads_to_addresses_at_once() -> None:
    servers, asked = resolved("sip:one.carrier.example:5090", families=(6, 4))
    assert servers == [
        Server("UDP", "2001:db8::1", 5090),
        Server("UDP", "192.0.2.1", 5090),
        Server("UDP", "192.0.2.2", 5090),
    ]
    assert [question.type for question in asked] == ["AAAA", "A"]


def test_naptr_chooses_the_transport() -> None:
    servers, asked = resolved("sip:carrier.example")
    assert servers == [Server("TLS", "192.0.2.4", 5061)]
    assert asked[0] == Question("carrier.example", "NAPTR")


def test_naptr_of_transports_that_we_do_not_have_are_passed_over() -> None:
    assert resolved("sip:carrier.example", ["UDP", "TCP"])[0] == [
        Server("TCP", "192.0.2.1", 5060),
        Server("TCP", "192.0.2.2", 5060),
    ]


def test_srv_in_the_order_of_priority_all_addresses_of_one_before_the_next() -> None:
    servers, asked = resolved("sip:carrier.example;transport=udp")
    assert [server.host for server in servers] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert [server.port for server in servers] == [5060, 5060, 5070]
    assert asked[0].type == "SRV", "no NAPTR when the transport is known"


def test_without_naptr_every_transport_is_looked_for() -> None:
    servers, asked = resolved("sip:plain.example")
    assert servers == [Server("TCP", "192.0.2.3", 5080)]
    assert [question.name for question in asked if question.type == "SRV"] == [
        "_sip._udp.plain.example",
        "_sip._tcp.plain.example",
    ]


def test_without_anything_it_is_the_address_of_the_name() -> None:
    assert resolved("sip:two.carrier.example")[0] == [Server("UDP", "192.0.2.3", 5060)]
    assert resolved("sip:two.carrier.example;transport=tcp")[0] == [Server("TCP", "192.0.2.3", 5060)]
    assert resolved("sips:two.carrier.example")[0] == [Server("TLS", "192.0.2.3", 5061)]


def test_sips_never_leaves_tls() -> None:
    assert resolved("sips:carrier.example")[0] == [Server("TLS", "192.0.2.4", 5061)]
    assert resolved("sips:carrier.example", ["UDP", "TCP"])[0] == []


def test_a_service_that_is_decidedly_not_there() -> None:
    """RFC 2782: a target of "." is no reason to try the address of the domain."""
    assert resolved("sip:closed.example;transport=udp")[0] == []


def test_unknown_names_and_transports_lead_nowhere() -> None:
    assert resolved("sip:nobody.example")[0] == []
    assert resolved("sip:carrier.example;transport=sctp")[0] == []


def test_a_name_with_a_thousand_addresses_is_cut() -> None:
    zone = {("big.example", "A"): [f"192.0.2.{number % 256}" for number in range(1000)]}
    assert len(resolved("sip:big.example:5060", zone=zone)[0]) == MOST_SERVERS


def test_weights_decide_how_often_one_is_the_first() -> None:
    records = [Srv(0, 60, 1, "a"), Srv(0, 20, 1, "b"), Srv(0, 20, 1, "c"), Srv(1, 1000, 1, "spare")]
    lot = Random(3263).random
    drawn = [by_weight(records, lot) for _ in range(10_000)]
    assert {order[3].target for order in drawn} == {"spare"}
    first = Counter(order[0].target for order in drawn)
    assert 5850 < first["a"] < 6150  # three times the deviation of a seeded draw
    assert 1880 < first["b"] < 2120
    assert all(len({record.target for record in order}) == 4 for order in drawn)


def test_no_weights_at_all() -> None:
    assert {record.target for record in by_weight([Srv(0, 0, 1, "a"), Srv(0, 0, 1, "b")], lambda: 0.9)} == {"a", "b"}


A, B, C = (Server("UDP", f"192.0.2.{number}", 5060) for number in (1, 2, 3))


class TestServers:
    def test_one_that_fails_comes_last_for_a_while(self) -> None:
        servers = Servers()
        servers.learn([A, B, C])
        servers.fail(A, 0.0)
        servers.learn([A, B, C])
        assert servers.order(REST - 1) == [B, C, A]
        assert servers.order(REST) == [A, B, C]

    def test_for_longer_each_time_until_it_works(self) -> None:
        servers = Servers()
        servers.learn([A, B])
        for _ in range(10):
            servers.fail(A, 0.0)
        assert servers.order(LONGEST_REST - 1) == [B, A]
        assert servers.order(LONGEST_REST) == [A, B]
        servers.works(A)
        assert servers.order(1.0) == [A, B]
        servers.fail(A, 0.0)
        assert servers.order(REST) == [A, B]

    def test_when_all_have_failed_all_are_tried(self) -> None:
        servers = Servers()
        servers.learn([A, B])
        servers.fail(A, 0.0)
        servers.fail(B, 1.0)
        assert servers.order(2.0) == [A, B]
        servers.works(B)
        assert servers.order(2.0) == [B, A]
