"""Dialling: again and again for a link that is wanted, once for a connection that is to follow one that stands.

A dial ends with our hello under way and the peer's answer taken, or it has failed. The way is looked up each time:
a host that has moved to another node is found as soon as the address book knows.
"""

import asyncio
import contextlib

from actors.connection import Connection, Owner
from actors.hello import Hello
from actors.link_sockets import LinkSockets
from actors.peer import Peer

__all__ = ["REDIAL_FIRST", "REDIAL_MOST", "Dialler"]

REDIAL_FIRST, REDIAL_MOST = 0.02, 0.1


class Dialler:
    """Dials for the owner of the connections; `hello` is what it says of itself."""

    def __init__(self, owner: Owner, sockets: LinkSockets, hello: Hello) -> None:
        self.hello = hello
        self._owner = owner
        self._sockets = sockets
        self._closed = False

    def close(self) -> None:
        """Nobody is dialled any more."""
        self._closed = True

    def dial(self, peer: Peer) -> None:
        """Until there is a connection, or nobody wants one any more."""
        if peer.dialling is None and not self._closed:
            peer.dialling = asyncio.get_running_loop().create_task(self._dialling(peer))

    def follow(self, peer: Peer, former: Connection) -> None:
        """Once, for a connection in the place of `former`."""
        if peer.dialling is None and not self._closed:
            peer.dialling = asyncio.get_running_loop().create_task(self._following(peer, former))

    async def _dialling(self, peer: Peer) -> None:
        delay, loop = REDIAL_FIRST, asyncio.get_running_loop()
        try:
            while peer.connection is None and (peer.kept or peer.waiting(loop.time())):
                await self._try(peer, None)
                if peer.connection is None:
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, REDIAL_MOST)
        finally:
            peer.dialling = None

    async def _following(self, peer: Peer, former: Connection) -> None:
        try:
            await self._try(peer, former)
        finally:
            peer.dialling = None
            if peer.connection is None and peer.kept:
                self.dial(peer)

    async def _try(self, peer: Peer, former: Connection | None) -> None:
        """Dial, say hello and wait for the answer, unless things have changed meanwhile."""
        follows = former is not None
        with contextlib.suppress(OSError, TimeoutError):
            dialled = await self._sockets.dial(peer.name, lambda: Connection(self._owner, peer.name, follows))
            if peer.connection is not former:
                dialled.abort()
                return
            dialled.greeted = True
            dialled.send(self.hello._replace(follows=follows).frame())
            await dialled.settled
