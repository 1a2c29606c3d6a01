"""Requests, responses, reading, checking and answering."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.message import REASONS, BadMessage, Message, Request, Response, parse, respond, validate
from tests.rayswitch.sip import messages

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


def invite(change: tuple[bytes, bytes] = (b"", b"")) -> Request:
    message = parse(INVITE.replace(*change) if change[0] else INVITE)
    assert isinstance(message, Request)
    return message


def refused(change: tuple[bytes, bytes]) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        validate(invite(change))
    return caught.value


def touch_everything(message: Message) -> None:
    """Read all that can be read; each read raises BadMessage or nothing."""
    for name in ("via", "vias", "from_", "to", "cseq", "call_id", "contacts", "contact_star", "max_forwards"):
        read(message, name)
    for name in ("content_type", "expires", "routes", "record_routes", "ruri"):
        read(message, name)
    for name in set(message.names):
        message.get(name)
        try:
            message.values(name)
        except BadMessage:
            continue


def read(message: Message, name: str) -> None:
    if name == "ruri" and isinstance(message, Response):
        return
    try:
        value = getattr(message, name)
        for item in value if isinstance(value, list) else [value]:
            str(item)
            _ = (getattr(item, "uri", None), getattr(item, "tag", None), getattr(item, "rport", None))
    except BadMessage:
        return


# parse


@given(messages.anything)
def test_any_octets_are_a_message_or_a_bad_message(data: bytes) -> None:
    try:
        message = parse(data)
    except BadMessage as error:
        if error.request is not None:
            respond(error.request, error.status, to_tag="t").encode()
        return
    touch_everything(message)
    try:
        validate(message)
    except BadMessage as error:
        assert error.request in (None, message)
    if isinstance(message, Request):
        respond(message, 400, to_tag="t").encode()


@given(messages.framed())
def test_an_unchanged_message_leaves_byte_for_byte(data: bytes) -> None:
    message = parse(data)
    touch_everything(message)
    assert message.encode() == data
    assert message.copy().encode() == data


@given(messages.framed(), st.text('abc;=<>"é', max_size=20))
def test_changing_one_header_leaves_the_others_byte_for_byte(data: bytes, value: str) -> None:
    message = parse(data)
    before = [row for name, row in zip(message.names, message.rows, strict=True) if name != "x-thing"]
    message.set("x-thing", value)
    assert message.get_all("x-thing") == [value]
    again = parse(message.encode())
    assert [row for name, row in zip(again.names, again.rows, strict=True) if name != "x-thing"] == before
    assert again.body == message.body


@given(messages.torn())
def test_a_response_to_a_torn_request_is_itself_readable(data: bytes) -> None:
    try:
        parse(data)
    except BadMessage as error:
        if error.request is not None:
            assert isinstance(parse(respond(error.request, 400, to_tag="t").encode()), Response)


def test_empty_lines_before_the_start_line_are_ignored() -> None:
    assert parse(b"\r\n\r\n" + INVITE).encode() == INVITE


def test_octets_beyond_the_body_are_dropped() -> None:
    assert parse(INVITE + b"more").body == b"body"


def test_without_content_length_the_body_is_the_rest_and_its_length_is_added() -> None:
    message = invite((b"Content-Length: 4\r\n", b""))
    assert message.body == b"body"
    assert b"\r\nContent-Length: 4\r\n\r\nbody" in message.encode()


@pytest.mark.parametrize(
    "change",
    [
        (b"Call-ID: abc\r\n", b"Call-ID: abc\nVia: x\r\n"),
        (b"Call-ID: abc\r\n", b"Call-ID: a\rbc\r\n"),
        (b"Call-ID: abc\r\n", b"Call-ID\r\n"),
        (b"Call-ID: abc\r\n", b"Call ID: abc\r\n"),
        (b"Call-ID: abc\r\n", b": abc\r\n"),
        (b"Length: 4", b"Length: 5"),
        (b"Length: 4", b"Length: 0x4"),
        (b"Length: 4", b"Length: \xc2\xb2"),
        (b"Length: 4", b"Length: 4\r\nl: 4"),
        (b"Length: 4", b"Length: " + b"9" * 5000),
        (b" SIP/2.0\r\nVia", b"\r\nVia"),
        (b" SIP/2.0\r\nVia", b" HTTP/1.1\r\nVia"),
        (b"SIP/2.0\r\nVia", b"SIP/2.0\r\n folded\r\nVia"),
        (b"INVITE sip", b"INV@TE sip"),
        (b"\r\n\r\n", b"\r\n"),
        (b"Timestamp: 54\r\n", b"a: b\r\n" * 600),
    ],
)
def test_what_is_no_message_is_answered_400(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadMessage) as caught:
        invite(change)
    assert caught.value.status == 400


def test_a_broken_message_brings_what_a_response_needs() -> None:
    with pytest.raises(BadMessage) as caught:
        invite((b"Call-ID: abc\r\n", b"Call-ID: abc\r\nnonsense\r\n"))
    assert caught.value.request is not None
    assert respond(caught.value.request, 400, to_tag="t").encode() == (
        b"SIP/2.0 400 Bad Request\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport\r\n"
        b"From: Alice <sip:alice@example.com>;tag=1\r\n"
        b"To: <sip:bob@example.com>;tag=t\r\n"
        b"Call-ID: abc\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_nothing_with_a_stray_line_break_is_copied_into_a_response() -> None:
    with pytest.raises(BadMessage) as caught:
        invite((b"Call-ID: abc", b"Call-ID: abc\nVia: SIP/2.0/UDP evil"))
    assert caught.value.request is not None
    assert not caught.value.request.has("call-id")


@pytest.mark.parametrize("change", [(b"INVITE", b"ACK"), (b"Via: ", b"No-Via: "), (b"INVITE sip", b"SIP/2.0 200")])
def test_what_cannot_or_must_not_be_answered_brings_no_request(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(INVITE.replace(*change).replace(b"Length: 4", b"Length: x"))
    assert caught.value.request is None


@pytest.mark.parametrize("status", [b"99", b"700", b"1000", b"2x0", b"", b"0200"])
def test_a_response_with_a_bad_status_code(status: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(b"SIP/2.0 " + status + b" OK\r\n\r\n")
    assert caught.value.request is None


# validate


def test_a_whole_message_passes() -> None:
    validate(invite())
    validate(respond(invite(), 200, to_tag="x"))


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_each_mandatory_header_must_be_there(name: bytes) -> None:
    error = refused((name + b": ", b"X-" + name + b": "))
    assert (error.status, error.reason) == (400, f"missing {name.decode()}")
    with pytest.raises(BadMessage):
        validate(parse(respond(invite(), 200).encode().replace(name + b": ", b"X: ")))


@pytest.mark.parametrize("name", ["from", "to", "call-id", "cseq", "max-forwards", "content-type", "expires"])
def test_single_headers_must_be_single(name: str) -> None:
    message = invite()
    message.add(name, message.get(name) or "1")
    message.add(name, message.get(name) or "1")
    with pytest.raises(BadMessage, match="more than one"):
        validate(message)


@pytest.mark.parametrize(
    "change",
    [
        (b"CSeq: 7 INVITE", b"CSeq: 7 BYE"),
        (b"CSeq: 7 INVITE", b"CSeq: 2147483648 INVITE"),
        (b"CSeq: 7 INVITE", b"CSeq: INVITE"),
        (b"Timestamp: 54", b"Max-Forwards: 256"),
        (b"Timestamp: 54", b"Max-Forwards: -1"),
        (b"INVITE sip:bob@example.com", b"INVITE bob"),
        (b"Contact: <", b"Contact: "),
        (b"Contact: <sip:alice@192.0.2.1>", b"Contact: *, <sip:a@b>"),
        (b"branch=z9hG4bKa", b"=x"),
        (b"UDP 192.0.2.1:5070", b"UDP 192.0.2.1:99999"),
        (b"SIP/2.0/UDP", b"SIP/3.0/UDP"),
        (b"Call-ID: abc", b"Call-ID: "),
    ],
)
def test_broken_values_are_answered_400_to_the_request_itself(change: tuple[bytes, bytes]) -> None:
    error = refused(change)
    assert error.status == 400
    assert error.request is not None


# respond


def test_a_response_copies_what_section_8_2_6_2_names() -> None:
    answer = respond(invite(), 486, to_tag="t")
    assert answer.names == ["via", "from", "to", "call-id", "cseq"]
    assert (answer.status, answer.reason, answer.to.tag) == (486, "Busy Here", "t")
    assert answer.encode().endswith(b"\r\nContent-Length: 0\r\n\r\n")


def test_timestamp_goes_into_a_100_and_record_route_where_a_dialog_may_start() -> None:
    assert respond(invite(), 100).has("timestamp")
    for status in (180, 200):
        assert respond(invite(), status, to_tag="t").get("record-route") == "<sip:proxy.example.com;lr>"
    for status in (100, 302, 404):
        assert not respond(invite(), status).has("record-route")


def test_a_tag_is_only_put_where_none_is() -> None:
    request = invite((b"To: <sip:bob@example.com>", b"To: <sip:bob@example.com;tag=no>;tag=old"))
    assert respond(request, 200, to_tag="new").to.tag == "old"
    request = invite((b"To: <sip:bob@example.com>", b"To: sip:bob@example.com;x=y"))
    assert respond(request, 200, to_tag="new").to.params == {"x": "y", "tag": "new"}
    request = invite((b"To: <sip:bob@example.com>", b"To: <sip:bob@example.com;tag=no>"))
    assert respond(request, 200, to_tag="new").to.tag == "new"


def test_own_headers_reason_and_body() -> None:
    answer = respond(invite(), 200, "Fine", "t", [("contact", "<sip:me>"), ("content-type", "a/b")], b"xy")
    assert answer.start_line() == "SIP/2.0 200 Fine"
    assert answer.encode().endswith(b"\r\nContact: <sip:me>\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nxy")


def test_every_registered_code_has_a_phrase() -> None:
    assert REASONS[100] == "Trying"
    assert respond(invite(), 499).reason == ""
    assert all(100 <= status < 700 and phrase for status, phrase in REASONS.items())
