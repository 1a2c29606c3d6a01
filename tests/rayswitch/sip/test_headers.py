"""Via, CSeq, addresses and the names of headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.grammar import BadMessage, Parameters
from rayswitch.sip.headers import NAMES, WIRE, CSeq, NameAddr, Via, expires_of
from rayswitch.sip.uri import Uri

noise = st.text('<>";,=: \t\\sip@/20.[]-aé') | st.text()


@given(noise)
def test_any_text_is_a_value_or_a_bad_message(text: str) -> None:
    for kind in (Via, NameAddr, CSeq):
        for prefix in ("", "SIP/2.0/UDP a", '"x" <sip:a>;', "1 "):
            try:
                value = kind.parse(prefix + text)
            except BadMessage:
                continue
            again = kind.parse(str(value))
            assert str(again) == str(value)


# CSeq


def test_cseq() -> None:
    for text in ("7 INVITE", "7\tINVITE", "0007  INVITE ", "7 \t INVITE"):
        assert str(CSeq.parse(text)) == "7 INVITE"
    assert CSeq.parse(f"{2**31 - 1} X").number == 2**31 - 1
    for text in ("", "7", "INVITE", "7 ", f"{2**31} INVITE", "-1 INVITE", "7 IN VITE", "7 A@B", "x BYE"):
        with pytest.raises(BadMessage):
            CSeq.parse(text)


# Via


def test_via() -> None:
    via = Via.parse("SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKa;rport;received=[2001:db8::2]")
    assert (via.transport, via.host, via.port) == ("UDP", "2001:db8::1", 5070)
    assert (via.branch, via.rport, via.received) == ("z9hG4bKa", None, "2001:db8::2")
    via.params["rport"] = "99"
    assert via.rport == 99
    assert str(via) == "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKa;rport=99;received=[2001:db8::2]"
    assert str(Via("TLS", "a.example", None, {"branch": "b"})) == "SIP/2.0/TLS a.example;branch=b"
    assert Via.parse("SIP/2.0/TCP a").branch is None


def test_via_with_white_space_and_other_cases() -> None:
    spellings = ["sip / 2.0 / udp a : 5060 ; branch = b", "SIP/2.0/UDP  a:5060;branch=b"]
    spellings.append("SIP/2.0/udp\ta:5060;branch=b")
    for text in spellings:
        assert str(Via.parse(text)) == "SIP/2.0/UDP a:5060;branch=b"


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 a", "SIP/3.0/UDP a", "HTTP/2.0/UDP a", "SIP/2.0/U@P a",
     "SIP/2.0/UDP a b",
     "SIP/2.0/UDP a;", "SIP/2.0/UDP a;;b", "SIP/2.0/UDP a:x", "SIP/2.0/UDP ;branch=a"],
)  # fmt: skip
def test_bad_vias(text: str) -> None:
    with pytest.raises(BadMessage):
        Via.parse(text)


def test_a_bad_rport_is_found_when_it_is_read() -> None:
    with pytest.raises(BadMessage):
        _ = Via.parse("SIP/2.0/UDP a;rport=x").rport


# Addresses


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("sip:a@b", "", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("sip:a@b ; tag = 1", "", "sip:a@b", {"tag": "1"}),
        ("<sip:a@b;x=y>", "", "sip:a@b;x=y", {}),
        ("<sip:a@b>;tag=1;x", "", "sip:a@b", {"tag": "1", "x": None}),
        ("Alice B. <sip:a@b> ; tag=1", "Alice B.", "sip:a@b", {"tag": "1"}),
        ('"Alice" <sip:a@b>', "Alice", "sip:a@b", {}),
        ('"Alice"<sip:a@b>', "Alice", "sip:a@b", {}),
        ('"A \\"<b>\\" C" <sip:a@b>;tag=1', 'A "<b>" C', "sip:a@b", {"tag": "1"}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ('A <sip:a@b>;x="<y>"', "A", "sip:a@b", {"x": '"<y>"'}),
        ('sip:a@b;x="<y>"', "", "sip:a@b", {"x": '"<y>"'}),
        ("<sip:a@b?x=y,z>", "", "sip:a@b?x=y,z", {}),
    ],
)
def test_addresses(text: str, display: str, uri: str, params: Parameters) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri_text, address.params) == (display, uri, params)
    assert address.uri == Uri.parse(uri)
    assert address.tag == params.get("tag")


@pytest.mark.parametrize(
    "text",
    ["", ";tag=1", "<sip:a", "sip:a>", '"A" sip:a', '"A <sip:a>', 'A "B" <sip:a>', '"A" B <sip:a>', "A, B <sip:a>",
     "<sip:a> x",
     "<sip:a>;", "sip:a;", "sip:a?x=y", "sip:a,b", "< sip:a>", "<sip:a >", "sip a", '"', '"A"'],
)  # fmt: skip
def test_bad_addresses(text: str) -> None:
    with pytest.raises(BadMessage):
        NameAddr.parse(text)


def test_a_bad_uri_is_found_when_it_is_read() -> None:
    address = NameAddr.parse("<sip:>")
    assert address.uri_text == "sip:"
    with pytest.raises(BadMessage):
        _ = address.uri
    with pytest.raises(AttributeError):
        _ = address.nothing


def test_writing_an_address() -> None:
    assert str(NameAddr("", Uri.parse("sip:a@b"))) == "<sip:a@b>"
    assert str(NameAddr("Alice B.", "sip:a@b", {"tag": "1", "x": None})) == "Alice B. <sip:a@b>;tag=1;x"
    assert str(NameAddr('Bell, "A"', "sip:a@b")) == '"Bell, \\"A\\"" <sip:a@b>'
    assert NameAddr("", Uri.parse("sip:a@b")).uri.user == "a"


def test_expires_and_q() -> None:
    """§10.2.1.1, §20.10, §20.19: malformed values have a meaning."""
    cases = {"0": 0, "060": 60, "x": 3600, "-1": 3600, "4294967296": 2**32 - 1, "9" * 5000: 2**32 - 1, "0" * 5000: 0}
    for text, seconds in cases.items():
        assert expires_of(text) == NameAddr("", "sip:a", {"expires": text}).expires == seconds
    assert NameAddr("", "sip:a").expires is None
    assert NameAddr("", "sip:a", {"expires": None}).expires is None
    for value, q in {"0.5": 0.5, "1": 1.0, "0": 0.0, "7": 1.0, "x": 1.0, "1.2.3": 1.0, ".": 1.0, None: 1.0}.items():
        assert NameAddr("", "sip:a", {"q": value}).q == q


# Names


def test_names() -> None:
    for spelling in ("Call-ID", "call-id", "Call-Id", "i", "I", "CALL-id", "call-ID \t"):
        assert NAMES[spelling] == "call-id"
    assert NAMES["X-New"] == "x-new"
    assert "X-New" not in NAMES  # strangers do not make the table grow
    assert (WIRE["call-id"], WIRE["x-new"]) == ("Call-ID", "X-New")
    for spelling in ("", " ", "a b", "a@b", " via", "é"):
        with pytest.raises(BadMessage):
            _ = NAMES[spelling]
