"""Header rows: reading by name, changing, typed values, writing."""

from __future__ import annotations

import pytest

from rayswitch.sip.message import BadMessage, Request, Response, parse

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport\r\n"
    b"Record-Route: <sip:proxy.example.com;lr>\r\n"
    b"From: Alice <sip:alice@example.com>;tag=1\r\n"
    b"To: <sip:bob@example.com>\r\n"
    b"Call-ID: abc\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Timestamp: 54\r\n"
    b"Contact: <sip:alice@192.0.2.1>\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)


def invite() -> Request:
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message


# Headers by name


def test_compact_and_odd_spellings_are_one_name() -> None:
    message = parse(b"SIP/2.0 200 OK\r\nv: a\r\nVIA : b\r\nvIa: c, d\r\n\r\n")
    assert message.get("via") == "a"
    assert message.get_all("via") == ["a", "b", "c, d"]
    assert message.values("via") == ["a", "b", "c", "d"]
    assert message.has("via")
    assert message.get("from") is None
    assert message.values("from") == []


def test_commas_in_quotes_and_brackets_do_not_separate() -> None:
    message = Response.new(200, None, [("contact", '"a, b" <sip:c,d@e>;x="y,z", <sip:f>')])
    assert message.values("contact") == ['"a, b" <sip:c,d@e>;x="y,z"', "<sip:f>"]


def test_adding_replacing_and_removing() -> None:
    message = invite()
    message.add("x-new", "1")
    message.prepend("via", "SIP/2.0/UDP new")
    message.set("timestamp", "55")
    message.remove("record-route")
    message.remove("not-there")
    text = message.encode().decode()
    assert text.startswith("INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP new\r\nVia: SIP/2.0/UDP 192")
    assert "CSeq: 7 INVITE\r\nTimestamp: 55\r\nContact" in text
    assert "X-New: 1\r\n\r\n" in text
    assert "Record-Route" not in text


def test_a_changed_header_is_parsed_anew() -> None:
    message = invite()
    assert (message.via.host, message.cseq.number, message.to.tag) == ("192.0.2.1", 7, None)
    message.prepend("via", "SIP/2.0/TCP [2001:db8::1]")
    message.set("cseq", "8 INVITE")
    message.set("to", "<sip:bob@example.com>;tag=x")
    message.add("contact", "<sip:other@192.0.2.1>")
    message.remove("record-route")
    assert (message.via.host, message.cseq.number, message.to.tag) == ("2001:db8::1", 8, "x")
    assert len(message.vias) == 2
    assert len(message.contacts) == 2
    assert message.record_routes == []


def test_the_topmost_value_can_be_replaced_or_dropped_inside_its_row() -> None:
    message = Request.new("BYE", "sip:b", [("route", "<sip:a;lr>, <sip:b>"), ("route", "<sip:c>")])
    message.replace_top("route", "<sip:z>")
    assert message.values("route") == ["<sip:z>", "<sip:b>", "<sip:c>"]
    for left in (["<sip:b>", "<sip:c>"], ["<sip:c>"], []):
        message.replace_top("route", None)
        assert message.values("route") == left
    message.replace_top("route", None)


def test_a_line_break_cannot_be_smuggled_in() -> None:
    message = invite()
    for value in ("a\r\nVia: b", "a\nb", "a\rb"):
        with pytest.raises(ValueError, match="line break"):
            message.set("subject", value)
        with pytest.raises(ValueError, match="line break"):
            Request.new("BYE", "sip:b", [("subject", value)])
        with pytest.raises(ValueError, match="line break"):
            Request.new("BYE", value).encode()
        with pytest.raises(ValueError, match="line break"):
            Response.new(200, value).encode()


def test_content_length_follows_the_body() -> None:
    message = invite()
    message.body = b"a longer body"
    assert b"Content-Length: 13\r\n\r\na longer body" in message.encode()
    assert parse(message.encode()).body == b"a longer body"


def test_names_of_ours_are_spelled_as_usual() -> None:
    names = ["call-id", "cseq", "www-authenticate", "min-se", "rack", "p-asserted-identity", "x-unheard-of"]
    rows = Request.new("X", "sip:a", [(name, "1") for name in names]).rows
    assert [row.partition(":")[0] for row in rows] == [
        "Call-ID", "CSeq", "WWW-Authenticate", "Min-SE", "RAck", "P-Asserted-Identity", "X-Unheard-Of",
    ]  # fmt: skip


def test_typed_headers() -> None:
    message = Request.new(
        "REGISTER",
        "sip:example.com",
        [("contact", "*"), ("expires", "0"), ("max-forwards", "0"), ("content-type", "Application/SDP ; x=y")],
    )
    assert message.contact_star
    assert message.contacts == []
    assert (message.expires, message.max_forwards, message.content_type) == (0, 0, "application/sdp")
    message.add("contact", "<sip:a>")
    assert not message.contact_star
    with pytest.raises(BadMessage):
        _ = message.contacts
    with pytest.raises(BadMessage, match="missing From"):
        _ = message.from_
    with pytest.raises(AttributeError):
        _ = message.nothing


def test_the_request_uri_may_be_assigned() -> None:
    message = invite()
    assert message.ruri.user == "bob"
    message.uri = "sip:carol@example.com"
    assert message.ruri.user == "carol"
    assert message.encode().startswith(b"INVITE sip:carol@example.com SIP/2.0\r\n")


def test_a_copy_has_lists_of_its_own() -> None:
    message = invite()
    copy = message.copy()
    copy.set("call-id", "other")
    assert (message.call_id, copy.call_id) == ("abc", "other")


# stamp (§18.2.1, RFC 3581 §4)


def test_stamp_fills_the_rport_that_was_asked_for() -> None:
    message = invite()
    message.stamp("192.0.2.1", 6000)
    assert message.get("via") == "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport=6000;received=192.0.2.1"
    assert (message.via.received, message.via.rport) == ("192.0.2.1", 6000)


@pytest.mark.parametrize(
    ("via", "source", "expected"),
    [
        ("192.0.2.1:5070;branch=a", "192.0.2.1", "192.0.2.1:5070;branch=a"),
        ("192.0.2.1;branch=a", "192.0.2.9", "192.0.2.1;branch=a;received=192.0.2.9"),
        ("a.example.com;branch=a", "192.0.2.9", "a.example.com;branch=a;received=192.0.2.9"),
        ("192.0.2.1;received=10.0.0.1", "192.0.2.1", "192.0.2.1;received=192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::2", "[2001:db8::1];received=2001:db8::2"),
    ],
)
def test_stamp_notes_the_source_where_it_differs(via: str, source: str, expected: str) -> None:
    message = Request.new("BYE", "sip:b", [("via", f"SIP/2.0/UDP {via}, SIP/2.0/UDP next")])
    message.stamp(source, 5060)
    assert message.values("via") == [f"SIP/2.0/UDP {expected}", "SIP/2.0/UDP next"]
