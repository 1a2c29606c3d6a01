"""Cuts a byte stream (TCP, TLS) into SIP messages and keep-alives (RFC 3261 §18.3, RFC 5626 §3.5.1).

A message on a stream ends where its Content-Length says; without one, or with two, the reader cannot know
where the next message starts, and guessing would let a peer hide a message inside another.  So that raises
`FramingError`, and so does anything longer than `MAX_MESSAGE`: the shell answers (`error.request`) and closes
the connection.  The framer is dead after it.

Between messages, CRLFCRLF is a keep-alive: it comes out as `PING` and the shell answers it with one CRLF.  A
single CRLF (the peer's answer to our own keep-alive, or padding) is dropped.  The search for the end of the
headers goes on where the last one stopped, so a peer that sends byte by byte costs no more than one that does
not.
"""

from __future__ import annotations

from rayswitch.sip.grammar import BadMessage, number
from rayswitch.sip.message import MAX_BODY, salvage

MAX_MESSAGE = 65536
PONG = b"\r\n"


class Ping:
    """A CRLFCRLF keep-alive."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PING"


PING = Ping()


class FramingError(BadMessage):
    """The stream cannot be followed any further.  `found`: what the same call had completed before the
    fault."""

    found: list[bytes | Ping]


class StreamFramer:
    """The receiving side of one connection.  `pending` is the number of octets that wait for the rest."""

    __slots__ = ("_buffer", "_needed", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no end of headers starts before this offset
        self._needed = 0  # whole length of the message in front, once its headers are complete

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Ping]:
        """What `data` completes, in order.  FramingError when the stream cannot be followed; messages that
        came whole before the fault, in the same call, are in its `found`."""
        self._buffer += data
        found: list[bytes | Ping] = []
        try:
            while (item := self._next()) is not None:
                found.append(item)
        except FramingError as error:
            error.found = found
            raise
        return found

    def _next(self) -> bytes | Ping | None:
        buffer = self._buffer
        if not self._needed:
            if buffer[:1] == b"\r":
                return self._keep_alive()
            if not self._measure():
                return None
        if len(buffer) < self._needed:
            return None
        message = bytes(buffer[: self._needed])
        self._drop(self._needed)
        return message

    def _keep_alive(self) -> Ping | bytes | None:
        buffer = self._buffer
        if buffer[:4] == b"\r\n\r\n":
            self._drop(4)
            return PING
        if b"\r\n\r\n".startswith(buffer):
            return None  # it may become one
        if buffer[:2] != b"\r\n":
            raise FramingError(400, "CR alone between messages")
        self._drop(2)
        return self._next()

    def _measure(self) -> bool:
        """Find the end of the headers and with it the length of the message; False while it has not come."""
        end = self._buffer.find(b"\r\n\r\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - 3)
            if len(self._buffer) > MAX_MESSAGE:
                raise self._error(513, "Message Too Large")
            return False
        try:
            length = content_length(bytes(self._buffer[:end]))
        except BadMessage as error:
            raise self._error(error.status, error.reason) from None
        self._needed = end + 4 + length
        if self._needed > MAX_MESSAGE:
            raise self._error(513, "Message Too Large")
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = self._needed = 0

    def _error(self, status: int, reason: str) -> FramingError:
        return FramingError(status, reason, salvage(bytes(self._buffer[:MAX_MESSAGE])))


def content_length(head: bytes) -> int:
    """The Content-Length of raw headers; BadMessage(400) when it is absent, doubled or no number."""
    if b"\n " in head or b"\n\t" in head:
        head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    found = None
    for line in head.split(b"\r\n"):
        if line[:1] in b"CcLl":
            name, colon, value = line.partition(b":")
            if colon and name.strip(b" \t").lower() in (b"content-length", b"l"):
                if found is not None:
                    raise BadMessage(400, "more than one Content-Length")
                found = number(value.strip(b" \t").decode("latin-1"), MAX_BODY, "Content-Length")
    if found is None:
        raise BadMessage(400, "missing Content-Length")
    return found
