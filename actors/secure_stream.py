"""TLS between a TCP transport and a connection, for which it is the transport.

The loop's own TLS would do, but takes 45 µs of CPU for a small message in and one out where OpenSSL takes 10; a link is
small messages. So OpenSSL's memory buffers are filled and emptied here, in the turn in which bytes come or go.

Whoever fails the handshake gets an alert and a closed connection; a record that is forged, repeated or out of order
fails its check and ends the connection. A connection that ends without TLS's own goodbye is no concern: frames
carry their length, so nothing that was cut short is taken for whole.
"""

import asyncio
import contextlib
import ssl
from typing import Any, cast

from actors.connection import Connection

__all__ = ["SHUTDOWN_SECONDS", "SecureStream"]

SHUTDOWN_SECONDS = 1.0
SIZE = 64 * 1024  # four records of TLS

_room = bytearray(SIZE)
_view = memoryview(_room)


class SecureStream(asyncio.Protocol):
    """`proved` is done when both sides have shown their certificates, or fails with an OSError."""

    def __init__(self, context: ssl.SSLContext, connection: Connection, server: bool) -> None:
        self._connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server)
        self._transport: asyncio.Transport | None = None
        self._shaken = False
        self.proved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.proved.add_done_callback(_look)

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._shake()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._in.write(data)
        try:
            if self._shaken or self._shake():
                self._read()
        except ssl.SSLZeroReturnError:  # the peer says goodbye
            self.close()
        except ssl.SSLError as error:
            self._failed(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._settle(exc if isinstance(exc, OSError) else ConnectionResetError("closed during the handshake"))
        self._connection.connection_lost(exc)

    # What a connection wants of its transport.

    def write(self, data: bytes) -> None:
        """Encrypt and send; OpenSSL takes a record (16 KB) at a time."""
        if self.is_closing():
            return
        try:
            done, size = self._tls.write(data), len(data)
            while done < size:
                done += self._tls.write(memoryview(data)[done:])
        except ssl.SSLError as error:
            self._failed(error)
        else:
            self._flush()

    def get_write_buffer_size(self) -> int:
        """Octets that the peer has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str) -> Any:
        """The TLS object, and what the TCP transport knows."""
        if name == "ssl_object":
            return self._tls
        return None if self._transport is None else self._transport.get_extra_info(name)

    def is_closing(self) -> bool:
        """Nothing more can be sent."""
        return self._transport is None or self._transport.is_closing()

    def close(self) -> None:
        """Say goodbye; what is written still goes out, if the peer takes it soon."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with contextlib.suppress(ssl.SSLError):  # it would like to wait for the peer's goodbye
            self._tls.unwrap()
        self._flush()
        transport.close()
        asyncio.get_running_loop().call_later(SHUTDOWN_SECONDS, transport.abort)

    def abort(self) -> None:
        """At once."""
        if self._transport is not None:
            self._transport.abort()

    # Within.

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self._flush()
        self._shaken = True
        self._connection.connection_made(cast(asyncio.Transport, self))
        self._settle(None)
        return True

    def _read(self) -> None:
        """All that has come; the last read is spared when it would find nothing."""
        tls, pending = self._tls, True
        with contextlib.suppress(ssl.SSLWantReadError):
            while pending and not self.is_closing():
                count = cast(int, tls.read(SIZE, _room))
                self._connection.data_received(bytes(_view[:count]))
                pending = self._in.pending > 0 or tls.pending() > 0

    def _failed(self, error: ssl.SSLError) -> None:
        """The alert goes out, then all is closed."""
        self._flush()
        self._settle(error)
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._transport is not None and self._out.pending:
            self._transport.write(self._out.read())

    def _settle(self, error: OSError | None) -> None:
        if self.proved.done():
            return
        if error is None:
            self.proved.set_result(None)
        else:
            self.proved.set_exception(error)


def _look(proved: "asyncio.Future[None]") -> None:
    """The listening side asks nobody: there the end of the connection says enough."""
    if not proved.cancelled():
        proved.exception()
