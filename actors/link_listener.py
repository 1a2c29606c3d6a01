"""The TCP side of the links: one listening port, TLS both ways, and a bound on those who have not proved themselves.

A connection is half open from its acceptance until the peer's hello is taken. There are HALF_OPEN of them at most, and
HALF_OPEN_PER_SOURCE from one address; one more is closed at once. TLS and hello together have HALF_OPEN_SECONDS. As a
handshake costs a millisecond of CPU, there are STRANGERS_PER_SECOND of them. The first and the last bound do not hold
for the nodes of the address book, so that strangers cannot keep them out. A peer that fails gets a closed
connection; what it sent has not been looked at by anything but TLS.

Failures are counted, and told to the log once in QUIET_SECONDS.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from actors.connection import Connection
from actors.secure_stream import SecureStream
from actors.tasks import Tasks

__all__ = ["HALF_OPEN", "HALF_OPEN_PER_SOURCE", "HALF_OPEN_SECONDS", "LinkListener"]

BACKLOG = 512
HALF_OPEN = 256
HALF_OPEN_PER_SOURCE = 64  # as many processes as a node may have dial at once when we are new
HALF_OPEN_SECONDS = 2.0
STRANGERS_PER_SECOND = 50
PAUSE_SECONDS = 0.1  # when the process is out of descriptors
QUIET_SECONDS = 10.0

log = logging.getLogger(__name__)


class LinkListener:
    """`context` gives the TLS context of the moment, `protocol` a new connection, `known` tells a node of ours."""

    def __init__(
        self, context: Callable[[], ssl.SSLContext], protocol: Callable[[], Connection], known: Callable[[str], bool]
    ) -> None:
        self.crowded = 0  # closed because there were too many
        self.unproved = 0  # failed TLS, or did not come to a hello in time
        self._context = context
        self._protocol = protocol
        self._known = known
        self._sources: Counter[str] = Counter()
        self._tasks = Tasks()
        self._told = 0.0
        self._second, self._strangers = 0, 0  # how many in this second
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._accepted: set[socket.socket] = set()
        """Those that are no transport's yet."""

    def open(self, address: str, ports: Iterable[int]) -> int:
        """Listen on the first of `ports` that is free; returns it. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._socket = _bound(address, ports)
        self._listen(self._socket)
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Listen no more; who is half open is let go."""
        self._tasks.cancel()
        if self._pause is not None:
            self._pause.cancel()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        for accepted in self._accepted:
            accepted.close()

    def half_open(self) -> int:
        """How many have not proved themselves yet."""
        return self._sources.total()

    def _listen(self, listening: socket.socket) -> None:
        self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted, address = listening.accept()
        except BlockingIOError:  # who came has gone again
            return
        except OSError as error:
            log.warning("links: nothing can be accepted: %s", error)
            self._loop.remove_reader(listening)
            self._pause = self._loop.call_later(PAUSE_SECONDS, self._listen, listening)
            return
        source = str(address[0])
        if self._admits(source):
            accepted.setblocking(False)
            self._accepted.add(accepted)
            self._tasks.spawn(self._proving(accepted, source))
        else:
            self.crowded += 1
            self._tell("too many connections from %s at once", source)
            accepted.close()

    def _admits(self, source: str) -> bool:
        if self._sources[source] >= HALF_OPEN_PER_SOURCE:
            return False
        return self._known(source) or (self.half_open() < HALF_OPEN and self._in_time())

    def _in_time(self) -> bool:
        """One stranger more in this second?"""
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._strangers = second, 0
        self._strangers += 1
        return self._strangers <= STRANGERS_PER_SECOND

    async def _proving(self, accepted: socket.socket, source: str) -> None:
        """TLS, then the hello."""
        self._sources[source] += 1
        connection = self._protocol()
        stream = SecureStream(self._context(), connection, server=True)
        try:
            async with asyncio.timeout(HALF_OPEN_SECONDS):
                self._accepted.discard(accepted)
                await self._loop.connect_accepted_socket(lambda: stream, accepted)
                await stream.proved
                if await asyncio.shield(connection.settled) == "lost":
                    self._failed(source, "no link came of it")
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._failed(source, str(error) or "it says nothing")
            stream.abort()
        except asyncio.CancelledError:  # we close
            stream.abort()
            raise
        finally:
            self._sources -= Counter((source,))

    def _failed(self, source: str, why: Any) -> None:
        self.unproved += 1
        self._tell("a connection from %s is none of ours: %s", source, why)

    def _tell(self, text: str, *about: Any) -> None:
        now = self._loop.time()
        if now - self._told >= QUIET_SECONDS:
            self._told = now
            log.warning(f"links: {text} (%d crowded, %d unproved so far)", *about, self.crowded, self.unproved)


def _bound(address: str, ports: Iterable[int]) -> socket.socket:
    """A listening socket. Raises OSError: that of the last port tried."""
    failure = OSError("no port to listen on")
    for port in ports:
        listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen(BACKLOG)
            listening.setblocking(False)
            return listening
        except OSError as error:
            listening.close()
            failure = error
    raise failure
