"""The sockets of one host's links: a Unix socket for its own node, TCP under TLS for the others, and dialling.

The Unix socket stands in the run directory, which is open to our user alone; that is its whole protection. TCP is
listened to only once there are credentials, and never without TLS (see ``link_listener.py``).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable

from actors.address_book import AddressBook, Endpoints, socket_path
from actors.connection import Connection
from actors.credentials import Credentials
from actors.link_listener import LinkListener
from actors.secure_stream import SecureStream

__all__ = ["LinkSockets"]

DIAL_SECONDS = 1.0  # a lost SYN is dialled again by us sooner than TCP would repeat it


class LinkSockets:
    """Of host `me`. `made` makes the connection for whoever dials us."""

    def __init__(self, me: str, book: AddressBook, made: Callable[[], Connection]) -> None:
        self.me = me
        self.book = book
        self.credentials: Credentials | None = None
        self.endpoints = Endpoints(book.node)
        self._made = made
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._listener: LinkListener | None = None

    async def listen(self) -> None:
        """Listen on the Unix socket; the file that a dead process left behind is replaced."""
        path = socket_path(self.book.run_dir, self.me)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._server = await asyncio.get_running_loop().create_unix_server(self._made, path)
        self._inode = os.stat(path).st_ino

    def listen_tcp(self, address: str, ports: Iterable[int]) -> Endpoints:
        """Listen there as well, on the first free port; what others are to be told. Raises OSError."""
        listener = LinkListener(lambda: self._proof().server, self._made, self.book.knows)
        self.endpoints = Endpoints(self.book.node, address, listener.open(address, ports))
        self._listener = listener
        return self.endpoints

    async def dial(self, host: str, connection: Callable[[], Connection]) -> Connection:
        """A connection to where the book says `host` is. Raises OSError or TimeoutError."""
        loop, way = asyncio.get_running_loop(), self.book.way(host)
        if isinstance(way, str):
            _, made = await loop.create_unix_connection(connection, way)
            return made
        stream = SecureStream(self._proof().client, made := connection(), server=False)
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await loop.create_connection(lambda: stream, *way)
                await stream.proved
        except BaseException:
            stream.abort()
            raise
        return made

    def _proof(self) -> Credentials:
        if self.credentials is None:
            raise ConnectionError(f"{self.me} has no certificate yet")
        return self.credentials

    def counters(self) -> dict[str, int]:
        """How many are half open now; those turned away since the start: too many at once, without proof."""
        listener = self._listener
        if listener is None:
            return {}
        return {"half_open": listener.half_open(), "crowded": listener.crowded, "unproved": listener.unproved}

    def close(self) -> None:
        """Listen no more. A newer process of this host may have put its own socket file there: that one stays."""
        if self._listener is not None:
            self._listener.close()
        if self._server is None:
            return
        path = socket_path(self.book.run_dir, self.me)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == self._inode:
                os.unlink(path)
        self._server.close()
