"""Framing (RFC 3261 §18.3) and keep-alives (RFC 5626 §3.5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.message import respond
from rayswitch.sip.stream import MAX_MESSAGE, PING, FramingError, Ping, StreamFramer
from tests.rayswitch.sip import messages

ONE = b"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b\r\nl: 3\r\n\r\nxyz"
TWO = b"SIP/2.0 200 OK\r\nContent-Length :\r\n 0\r\n\r\n"


def fed(*pieces: bytes) -> list[bytes | Ping]:
    framer = StreamFramer()
    found = [item for piece in pieces for item in framer.feed(piece)]
    assert framer.pending == 0
    return found


def fault(data: bytes) -> FramingError:
    with pytest.raises(FramingError) as caught:
        StreamFramer().feed(data)
    return caught.value


@given(st.lists(messages.framed() | st.just(b"\r\n\r\n"), max_size=5), st.data())
def test_however_the_stream_is_cut_the_same_comes_out(items: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(*pieces) == [PING if item == b"\r\n\r\n" else item for item in items]


@given(st.lists(messages.anything, max_size=4))
def test_any_stream_gives_messages_or_a_framing_error(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            framer.feed(piece)
    except FramingError as error:
        assert error.status in (400, 513)


def test_octet_by_octet() -> None:
    stream = b"\r\n\r\n" + ONE + TWO + b"\r\n\r\n"
    assert fed(*(bytes([octet]) for octet in stream)) == [PING, ONE, TWO, PING]


def test_a_single_crlf_between_messages_is_dropped() -> None:
    assert fed(ONE + b"\r\n" + TWO) == [ONE, TWO]


def test_a_single_crlf_may_become_a_ping() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n") == []
    assert framer.feed(b"\r\n") == [PING]
    assert framer.feed(b"\r\n") == []
    assert framer.feed(ONE) == [ONE]
    assert repr(PING) == "PING"


@pytest.mark.parametrize(
    "data",
    [
        b"BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n",
        ONE.replace(b"l: 3", b"l: 3\r\nContent-Length: 3"),
        ONE.replace(b"l: 3", b"l: -3"),
        ONE.replace(b"l: 3", b"l: 3 4"),
        b"\rX",
        b"\r\n\rX",
    ],
)
def test_a_stream_that_cannot_be_followed(data: bytes) -> None:
    assert fault(data).status == 400


def test_too_long_a_message() -> None:
    assert fault(ONE.replace(b"l: 3", b"l: 65536")).status == 513
    assert fault(b"X" * (MAX_MESSAGE + 1)).status == 513
    body = b"x" * (MAX_MESSAGE - 100)
    longest = b"M sip:a SIP/2.0\r\nl: %d\r\n\r\n" % len(body) + body
    assert fed(longest) == [longest]


def test_a_fault_brings_the_answer_and_what_was_whole_before() -> None:
    error = fault(ONE + b"\r\n\r\n" + ONE.replace(b"l: 3", b"l: x"))
    assert error.found == [ONE, PING]
    assert error.request is not None
    assert b"Via: SIP/2.0/TCP b\r\n" in respond(error.request, error.status).encode()
