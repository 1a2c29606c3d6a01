"""Whose call an INVITE from outside is: by certificate, account, address and port."""

from __future__ import annotations

import pytest

from rayswitch.lines.resolving import Server
from rayswitch.lines.sources import Sources
from rayswitch.records.lines import Line, Trunk

ONE = Line(name="one", user="4100", registrar="sip:198.51.100.7", target="100")
TWO = Line(name="two", number="4200", user="u", registrar="sip:198.51.100.7:5080")
PEER = Trunk(name="peer", server="sip:pbx.example.org", addresses=("203.0.113.0/24", "2001:db8::/32"))
NEAR = Trunk(name="near", server="sip:203.0.113.9:5070")
SBC = Trunk(name="sbc", server="sip:192.0.2.5")
SBC_2 = Trunk(name="sbc-2", server="sip:192.0.2.5:5080")
STRICT = Trunk(name="strict", addresses=("192.0.2.6:5080", "[2001:db9::6]:5080"))
STRICT_2 = Trunk(name="strict-2", addresses=("192.0.2.6:5090",))
CERTIFIED = Trunk(name="certified", server="sip:192.0.2.7", certificate="sip.example.com")
CERTIFIED_TOO = Trunk(name="both", server="sip:192.0.2.8", certificate="both.example.com", addresses=("192.0.2.9",))
PROVED = Trunk(name="proved", server="sip:192.0.2.10", incoming_user="pbx", incoming_secret="secret")
ALL = (ONE, TWO, PEER, NEAR, SBC, SBC_2, STRICT, STRICT_2, CERTIFIED, CERTIFIED_TOO, PROVED)


def sources(*records: Line | Trunk) -> Sources:
    made = Sources()
    made.change({f"{'line' if isinstance(one, Line) else 'trunk'}/{one.name}": one for one in records})
    return made


def member(
    made: Sources, host: str, port: int = 40000, user: str = "555", transport: str = "UDP", *names: str
) -> str | None:
    return made.member(made.signs(host), transport, port, names, user)


@pytest.mark.parametrize(
    ("user", "host", "expected"),
    [
        ("4100", "198.51.100.7", "line/one"),
        ("4200", "198.51.100.7", "line/two"),
        ("555", "198.51.100.7", "line/one"),
        ("", "198.51.100.7", "line/one"),
        ("555", "203.0.113.8", "trunk/peer"),
        ("555", "203.0.113.9", "trunk/near"),
        ("555", "2001:db8::9", "trunk/peer"),
        ("555", "::ffff:203.0.113.8", "trunk/peer"),
        ("4100", "192.0.2.99", None),
    ],
)
def test_by_address_and_account(user: str, host: str, expected: str | None) -> None:
    assert member(sources(*ALL), host, user=user) == expected


@pytest.mark.parametrize(
    ("host", "port", "transport", "expected"),
    [
        ("192.0.2.5", 5060, "UDP", "trunk/sbc"),
        ("192.0.2.5", 5080, "UDP", "trunk/sbc-2"),
        ("192.0.2.5", 1024, "UDP", "trunk/sbc"),
        ("192.0.2.5", 5080, "TCP", "trunk/sbc"),
        ("192.0.2.6", 5080, "UDP", "trunk/strict"),
        ("192.0.2.6", 5090, "UDP", "trunk/strict-2"),
        ("192.0.2.6", 1024, "UDP", None),
        ("192.0.2.6", 1024, "TLS", "trunk/strict"),
        ("2001:db9::6", 5080, "UDP", "trunk/strict"),
        ("198.51.100.7", 5080, "UDP", "line/two"),
    ],
)
def test_by_port(host: str, port: int, transport: str, expected: str | None) -> None:
    assert member(sources(*ALL), host, port, transport=transport) == expected


def test_a_port_in_addresses_goes_before_a_server_at_another() -> None:
    made = sources(SBC, Trunk(name="other", addresses=("192.0.2.5:5090",)))
    assert member(made, "192.0.2.5", 5090) == "trunk/other"
    assert member(made, "192.0.2.5", 5091) == "trunk/sbc"


def test_an_account_goes_before_a_port() -> None:
    assert member(sources(ONE, TWO), "198.51.100.7", 5060, "4200") == "line/two"


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("192.0.2.7", (), None),
        ("192.0.2.77", ("other.example.com", "sip.example.com"), "trunk/certified"),
        ("192.0.2.5", ("sip.example.com",), "trunk/certified"),
        ("192.0.2.5", ("nobody.example.com",), "trunk/sbc"),
        ("192.0.2.8", (), None),
        ("192.0.2.9", (), "trunk/both"),
        ("192.0.2.8", ("both.example.com",), "trunk/both"),
    ],
)
def test_by_certificate(host: str, names: tuple[str, ...], expected: str | None) -> None:
    assert member(sources(*ALL), host, 40000, "555", "TLS", *names) == expected


def test_of_lines_with_one_certificate_it_is_the_one_whose_account_is_called() -> None:
    one, two = (Line(name=name, user=name, registrar="sip:x.test", certificate="x.test") for name in ("41", "42"))
    assert member(sources(one, two), "192.0.2.7", 1, "42", "TLS", "x.test") == "line/42"
    assert member(sources(one, two), "192.0.2.7", 1, "40", "TLS", "x.test") == "line/41"


def test_one_that_proves_itself_is_not_known_by_its_server() -> None:
    made = sources(*ALL)
    assert member(made, "192.0.2.10", 5060) is None
    assert made.users == {"pbx": "trunk/proved"}


def test_names_that_were_looked_up_are_addresses_like_others() -> None:
    made = sources(PEER, SBC, CERTIFIED, PROVED)
    assert made.names() == {"sip:pbx.example.org"}
    assert member(made, "192.0.2.50") is None
    made.learn("sip:pbx.example.org", [Server("UDP", "192.0.2.50", 5060), Server("UDP", "192.0.2.5", 5090)])
    assert member(made, "192.0.2.50") == "trunk/peer"
    assert member(made, "192.0.2.5", 5090) == "trunk/peer" and member(made, "192.0.2.5", 5060) == "trunk/sbc"
    made.learn("sip:pbx.example.org", [Server("UDP", "192.0.2.51", 5060)])
    assert member(made, "192.0.2.50") is None and member(made, "192.0.2.51") == "trunk/peer"
    made.learn("sip:pbx.example.org", [])
    assert member(made, "192.0.2.51") is None and member(made, "203.0.113.8") == "trunk/peer"


def test_a_record_that_comes_later_knows_what_was_found() -> None:
    made = sources(PEER)
    made.learn("sip:pbx.example.org", [Server("UDP", "192.0.2.50", 5060)])
    made.change({"trunk/peer": None, "line/late": Line(name="late", user="1", registrar="sip:pbx.example.org")})
    assert member(made, "192.0.2.50") == "line/late" and member(made, "203.0.113.8") is None


def test_one_that_is_removed_is_nobody() -> None:
    made = sources(ONE, CERTIFIED, PROVED)
    assert member(made, "198.51.100.7") == "line/one"
    made.change({"line/one": None, "trunk/certified": None, "trunk/proved": None})
    assert member(made, "198.51.100.7") is None
    assert member(made, "192.0.2.7", 1, "5", "TLS", "sip.example.com") is None and not made.users


def test_what_is_remembered_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rayswitch.lines.sources.MOST_KNOWN", 10)
    made = sources(*ALL)
    for number in range(50):
        assert member(made, f"198.18.0.{number}") is None
    assert len(made.known) <= 10
