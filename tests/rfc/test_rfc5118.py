"""RFC 5118, in its order: IPv6 in SIP messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rayswitch.sip.message import BadMessage, Request, parse, validate
from rayswitch.sip.uri import Uri

DATA = Path(__file__).parents[1] / "data" / "rfc5118"


def request(name: str) -> Request:
    message = parse((DATA / name).read_bytes())
    validate(message)
    assert isinstance(message, Request)
    return message


def test_ipv6_good_a_reference() -> None:
    """§4.1"""
    message = request("ipv6-good")
    assert (message.ruri.host, message.ruri.port) == ("2001:db8::10", None)
    assert str(message.ruri) == message.uri
    assert (message.via.host, message.via.port) == ("2001:db8::9:1", None)
    assert message.contacts[0].uri.host == "2001:db8::1"


def test_ipv6_bad_an_address_without_brackets() -> None:
    """§4.2"""
    with pytest.raises(BadMessage) as caught:
        request("ipv6-bad")
    assert caught.value.status == 400
    assert caught.value.request is not None


def test_port_ambiguous_a_port_inside_the_brackets_belongs_to_the_address() -> None:
    """§4.3"""
    uri = request("port-ambiguous").ruri
    assert (uri.host, uri.port) == ("2001:db8::10:5070", None)


def test_port_unambiguous() -> None:
    """§4.4"""
    uri = request("port-unambiguous").ruri
    assert (uri.host, uri.port) == ("2001:db8::10", 5070)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_via_received_with_and_without_brackets(name: str) -> None:
    """§4.5: the ABNF forbids the brackets there, implementations send them."""
    via = request(name).via
    assert (via.host, via.received) == ("2001:db8::9:1", "2001:db8::9:255")


def test_ipv6_in_sdp_the_body_is_kept() -> None:
    """§4.6"""
    message = request("ipv6-in-sdp")
    assert message.ruri.host == "2001:db8::10"
    assert b"c=IN IP6 2001:db8::20\r\n" in message.body


def test_mult_ip_in_header_both_families_in_one_message() -> None:
    """§4.7"""
    vias = request("mult-ip-in-header").vias
    assert [(via.host, via.port) for via in vias] == [
        ("2001:db8::9:1", 6050),
        ("192.0.2.1", None),
        ("2001:db8::9:255", None),
    ]
    assert vias[2].received == "192.0.2.200"


def test_mult_ip_in_sdp_the_body_is_kept() -> None:
    """§4.8"""
    body = request("mult-ip-in-sdp").body
    assert b"c=IN IP4 192.0.2.1\r\n" in body
    assert b"c=IN IP6 2001:db8::1\r\n" in body


def test_ipv4_mapped_addresses() -> None:
    """§4.9"""
    message = request("ipv4-mapped-ipv6")
    assert [(via.host, via.port) for via in message.vias] == [
        ("::ffff:192.0.2.10", 19823),
        ("::ffff:192.0.2.2", None),
    ]
    assert message.contacts[0].uri.host == "::ffff:192.0.2.2"


@pytest.mark.parametrize("name", ["ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons"])
def test_the_three_colons_of_the_abnf_of_rfc_3261_mean_two(name: str) -> None:
    """§4.10"""
    message = request(name)
    assert message.ruri.host == "2001:db8::192.0.2.1"
    assert message.ruri == message.to.uri == Uri.parse("sip:user@[2001:db8::192.0.2.1]")


def test_every_message_of_the_rfc_is_treated_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in DATA.iterdir() if f'"{path.name}"' not in source] == []
