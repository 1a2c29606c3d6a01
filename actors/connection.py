"""One link connection: length-prefixed wire frames on a Unix stream socket.

A frame is four bytes of length (big endian) and one encoded list. What the lists mean is the business of
``link.py``; here are framing, batching and the bounds:

* Frames sent during one turn of the loop are written at once: the first one schedules the flush.
* The length prefix keeps one undecodable frame from spoiling those behind it: it is reported and skipped.
* A peer that does not read is cut off when BACKLOG bytes wait for it, a frame above FRAME_LIMIT ends the
  connection.
* Silence is counted in ticks of our own heartbeat, not in seconds, so that a stall of our own loop (which
  delays ticks and reads alike) never looks like the peer's death.
"""

import asyncio
import logging
from collections.abc import Callable
from struct import Struct
from typing import Any, cast

from actors.wire import WireError, decode, encode

__all__ = ["BACKLOG", "FRAME_LIMIT", "Connection", "frame"]

FRAME_LIMIT = 16 * 1024 * 1024
BACKLOG = 32 * 1024 * 1024

_LENGTH = Struct(">I")
_HEARTBEAT: list[Any] = []

log = logging.getLogger(__name__)


def frame(content: list[Any]) -> bytes:
    """The bytes of one frame. Raises WireError for what has no place on the wire."""
    body = encode(content)
    return _LENGTH.pack(len(body)) + body


HEARTBEAT = frame(_HEARTBEAT)


class Connection(asyncio.Protocol):
    """Framing and batching of one connection, reported to its three callbacks."""

    __slots__ = (
        "_flushing", "_loop", "_lost", "_made", "_out", "_partial", "_received", "_transport",
        "dialled", "greeted", "listens", "peer", "settled", "silent",
    )  # fmt: skip

    def __init__(
        self,
        made: "Callable[[Connection], None]",
        received: "Callable[[Connection, list[Any]], None]",
        lost: "Callable[[Connection], None]",
        dialled: str,
    ) -> None:
        self._made = made
        self._received = received
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._flushing = False
        self._partial = bytearray()
        self.dialled = dialled  # whom we dialled; "" when they dialled us
        self.greeted = False  # our hello is under way
        self.peer = ""  # known once the hello is accepted
        self.listens = True  # False: a mere client
        self.settled: asyncio.Future[None] = self._loop.create_future()  # accepted or lost
        self.silent = 0  # heartbeat ticks since the last byte

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class does not derive from it
        self._made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out.clear()
        self._lost(self)

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, content: bytes) -> None:
        """Queue the bytes of one frame for the end of this loop turn."""
        self._out.append(content)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        transport = self._transport
        if transport is None or not self._out:
            return
        if transport.get_write_buffer_size() > BACKLOG:
            log.error("link to %s: %d bytes unread, cutting it off", self.peer, BACKLOG)
            transport.abort()
            return
        transport.write(b"".join(self._out) if len(self._out) > 1 else self._out[0])
        self._out.clear()

    def tick(self) -> int:
        """One heartbeat interval passed: show that we live, return how many intervals the peer was silent."""
        self.send(HEARTBEAT)
        self.silent += 1
        return self.silent - 1

    def close(self) -> None:
        """Write what is queued, then close."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.silent = 0
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted():
                return
            data = bytes(self._partial)
            self._partial.clear()
        rest = self._take(data)
        if rest < len(data):
            self._partial += data[rest:]

    def _wanted(self) -> int:
        """Bytes needed before a partial frame is worth a look: a big frame is not copied per chunk."""
        if len(self._partial) < _LENGTH.size:
            return _LENGTH.size
        wanted: int = _LENGTH.unpack_from(self._partial)[0]
        return wanted + _LENGTH.size

    def _take(self, data: bytes) -> int:
        """Hand over every whole frame in `data`; return where the first unfinished one begins."""
        at, end, received = 0, len(data), self._received
        while end - at >= 4:
            (size,) = _LENGTH.unpack_from(data, at)
            stop = at + 4 + size
            if size > FRAME_LIMIT:
                log.error("link to %s: a frame of %d bytes, closing", self.peer, size)
                self.abort()
                return end
            if stop > end:
                break
            content = self._decode(data[at + 4 : stop])
            at = stop
            if content:
                received(self, content)
        return at

    def _decode(self, body: bytes) -> list[Any]:
        try:
            content = decode(body)
        except WireError as error:
            log.error("link to %s: %s", self.peer or "?", error)
            return []
        return content if isinstance(content, list) else []
