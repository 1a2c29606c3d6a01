"""One link connection: length-prefixed wire frames on a stream, which is a Unix socket or TCP under TLS.

A frame is four bytes of length (big endian) and one encoded value: a list, whose meaning is the business of
``link.py``, or a mapping, a signal between the two ends (``peering.py``). Here are framing, batching, the bounds:

* Frames sent during one turn of the loop are written at once: the first one schedules the flush.
* The length prefix keeps one undecodable frame from spoiling those behind it: it is reported and skipped.
* A peer that does not read is cut off when BACKLOG bytes wait for it, a frame above FRAME_LIMIT ends the
  connection; before the hello HELLO_LIMIT is the bound, and nothing but a signal is listened to.
* Silence is counted in ticks of our own heartbeat, not in seconds, so that a stall of our own loop (which
  delays ticks and reads alike) never looks like the peer's death.
"""

import asyncio
import logging
from struct import Struct
from typing import Any, Protocol, cast

from actors.credentials import Seen, seen_on
from actors.wire import WireError, decode, encode

__all__ = ["BACKLOG", "FRAME_LIMIT", "HELLO_LIMIT", "Connection", "Owner", "Traffic", "frame"]

FRAME_LIMIT = 16 * 1024 * 1024
HELLO_LIMIT = 1024
BACKLOG = 32 * 1024 * 1024

_LENGTH = Struct(">I")
_HEARTBEAT: list[Any] = []

log = logging.getLogger(__name__)


def frame(content: list[Any] | dict[str, Any]) -> bytes:
    """The bytes of one frame. Raises WireError for what has no place on the wire."""
    body = encode(content)
    return _LENGTH.pack(len(body)) + body


HEARTBEAT = frame(_HEARTBEAT)


class Traffic:
    """What has passed between us and a peer, heartbeats included."""

    __slots__ = ("bytes_in", "bytes_out", "frames_in", "frames_out")

    def __init__(self) -> None:
        self.frames_out = self.frames_in = self.bytes_out = self.bytes_in = 0

    def add(self, other: "Traffic") -> "Traffic":
        """Count in what `other` has counted; this one."""
        self.frames_out += other.frames_out
        self.frames_in += other.frames_in
        self.bytes_out += other.bytes_out
        self.bytes_in += other.bytes_in
        return self


class Owner(Protocol):
    """Whom a connection reports to."""

    def made(self, connection: "Connection") -> None:
        """It stands."""

    def received(self, connection: "Connection", content: list[Any]) -> None:
        """A frame of an accepted peer."""

    def signalled(self, connection: "Connection", signal: dict[Any, Any]) -> None:
        """A signal, from anybody who got as far as a connection."""

    def lost(self, connection: "Connection") -> None:
        """It is over."""


class Connection(asyncio.Protocol):
    """Framing and batching of one connection, reported to its owner."""

    __slots__ = (
        "_flushing", "_loop", "_out", "_owner", "_partial", "_transport",
        "deaf", "dialled", "follows", "greeted", "held", "listens", "peer", "seen", "settled", "shown", "silent",
        "traffic",
    )  # fmt: skip

    def __init__(self, owner: Owner, dialled: str, follows: bool = False) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._flushing = False
        self._partial = bytearray()
        self.deaf = False  # we have closed it: what still comes is not for us
        self.dialled = dialled  # whom we dialled; "" when they dialled us
        self.follows = follows  # it takes the place of one that stands
        self.greeted = False  # our hello is under way
        self.peer = ""  # known once the hello is accepted
        self.listens = True  # False: a mere client
        self.seen: Seen | None = None  # the peer's certificate; None: a Unix socket
        self.shown = ""  # the issuer of our certificate on it
        self.held: list[list[Any]] | None = None  # frames that wait until those of a predecessor have all come
        self.settled: asyncio.Future[str] = self._loop.create_future()  # "accepted", "refused" or "lost"
        self.silent = 0  # heartbeat ticks since the last byte
        self.traffic = Traffic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class does not derive from it
        self.seen = seen_on(transport)
        self._owner.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out.clear()
        self._owner.lost(self)

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
        data = b"".join(self._out) if len(self._out) > 1 else self._out[0]
        self.traffic.frames_out += len(self._out)
        self.traffic.bytes_out += len(data)
        self._out.clear()
        transport.write(data)

    def tick(self) -> int:
        """One heartbeat interval passed: show that we live, return how many intervals the peer was silent."""
        self.send(HEARTBEAT)
        self.silent += 1
        return self.silent - 1

    def close(self) -> None:
        """Write what is queued, then close; nothing is heard any more."""
        self.deaf = True
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.deaf = True
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.silent = 0
        self.traffic.bytes_in += len(data)
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
        at, end, received, count = 0, len(data), self._owner.received, 0
        while end - at >= 4:
            (size,) = _LENGTH.unpack_from(data, at)
            stop = at + 4 + size
            if size > HELLO_LIMIT and size > (FRAME_LIMIT if self.peer else HELLO_LIMIT):
                log.error("link to %s: a frame of %d bytes, closing", self.peer or "?", size)
                self.abort()
                return end
            if stop > end:
                break
            content = self._decode(data[at + 4 : stop])
            at, count = stop, count + 1
            if content:
                received(self, content)
            if self.deaf:
                at = end
        self.traffic.frames_in += count
        return at

    def _decode(self, body: bytes) -> list[Any]:
        """A list to be handed over; signals are handed over here, what cannot be read is reported."""
        try:
            content = decode(body)
        except WireError as error:
            self._strange(str(error))
            return []
        if isinstance(content, list) and self.peer:
            return content
        if isinstance(content, dict):
            self._owner.signalled(self, content)
        elif content != _HEARTBEAT:
            self._strange("a frame before the hello" if not self.peer else "a frame that is no list")
        return []

    def _strange(self, complaint: str) -> None:
        """A peer is forgiven one bad frame; whoever begins with one is none of ours."""
        log.error("link to %s: %s", self.peer or "?", complaint)
        if not self.peer:
            self.abort()
