"""Who is connected to whom: hellos, epochs, heartbeats and re-dialling below the links.

The first frame each way is the hello ``["hello", version, host, epoch, listens]``; a refusal is
``["refused", why, epoch]``. There is one connection per pair of hosts. Both may dial at the same moment:
then the dial of the lower host id wins and the other one is refused as "busy" before it has carried
anything, so nothing is lost and the order of frames holds.

A host that dialled sends what waits for the peer only after the peer's hello has come back.

Epochs: each process brings the time of its start. A hello with a lower epoch than one seen from that host
before is refused as "stale", and the refused process hears of it (``fenced``): somebody else is this host
now. A connection belongs to one epoch; a newer one replaces it.

Frames for a peer that is away wait in a bounded queue, QUEUE_SECONDS at most: longer than a restart of its
process (0.3-0.5 s), shorter than a SIP phone's patience.
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.connection import Connection, frame

__all__ = ["Peering", "socket_path"]

VERSION = 1
HEARTBEAT_SECONDS = 0.2
SILENT_TICKS = 3
REDIAL_FIRST, REDIAL_MOST = 0.02, 0.1
HELLO_SECONDS = 2.0
CLOSE_SECONDS = 0.5
QUEUE_FRAMES, QUEUE_SECONDS = 10_000, 3.0

log = logging.getLogger(__name__)


def socket_path(run_dir: str | Path, host: str) -> str:
    return str(Path(run_dir) / f"{host}.sock")


class _Peer:
    """What is known of another host."""

    __slots__ = ("connection", "dialling", "epoch", "kept", "name", "queue")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection: Connection | None = None
        self.dialling: asyncio.Task[None] | None = None
        self.epoch = 0
        self.kept = False
        self.queue: deque[tuple[float, bytes]] = deque(maxlen=QUEUE_FRAMES)


class Peering:
    """The connections of one host. `received(peer, frame)` gets every frame that comes after the hello."""

    def __init__(
        self,
        me: str,
        epoch: int,
        run_dir: str | Path,
        received: Callable[[str, list[Any]], None],
        listens: bool = True,
    ) -> None:
        self.me = me
        self.epoch = epoch
        self.up: list[Callable[[str, int, bool], None]] = []
        self.down: list[Callable[[str], None]] = []
        self.fenced: list[Callable[[int], None]] = []
        self.dropped = 0
        self.stale = 0
        self._run_dir = run_dir
        self._listens = listens
        self._deliver = received
        self._peers: dict[str, _Peer] = {}
        self._strangers: set[Connection] = set()  # before their hello
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._ticker: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(self) -> None:
        """Listen and beat. A socket file that a dead process left behind is replaced."""
        self._loop = asyncio.get_running_loop()
        if self._listens:
            path = socket_path(self._run_dir, self.me)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._server = await self._loop.create_unix_server(lambda: self._new(""), path)
            self._inode = os.stat(path).st_ino
        self._ticker = self._loop.call_later(HEARTBEAT_SECONDS, self._tick)

    async def close(self) -> None:
        """Write what is queued, close all, remove the socket file if it is still ours."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        if self._server is not None:
            self._unlink()
            self._server.close()
        for peer in self._peers.values():
            if peer.dialling is not None:
                peer.dialling.cancel()
            if peer.connection is not None:
                peer.connection.close()
        for stranger in list(self._strangers):
            stranger.abort()
        await self._hung_up()

    async def _hung_up(self) -> None:
        """The last bytes are out and the descriptors closed, or CLOSE_SECONDS are over."""
        end = self._loop.time() + CLOSE_SECONDS
        while self._loop.time() < end and (self._strangers or self.epochs()):
            await asyncio.sleep(0.001)
        for peer in self._peers.values():
            if peer.connection is not None:
                peer.connection.abort()

    def _unlink(self) -> None:
        """A newer process of this host may have put its own socket there: that one stays."""
        path = socket_path(self._run_dir, self.me)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == self._inode:
                os.unlink(path)

    def keep(self, name: str) -> None:
        """Have a link to `name` from now on, dialled again whenever it is lost."""
        peer = self._peer(name)
        peer.kept = True
        self._dial(peer)

    def connected(self, name: str) -> bool:
        peer = self._peers.get(name)
        return peer is not None and peer.connection is not None

    def epochs(self) -> dict[str, int]:
        """Epochs of the hosts that are up."""
        return {name: peer.epoch for name, peer in self._peers.items() if peer.connection is not None}

    def send(self, name: str, content: bytes) -> None:
        peer = self._peers.get(name) or self._peer(name)
        if peer.connection is not None:
            peer.connection.send(content)
            return
        if len(peer.queue) == QUEUE_FRAMES:
            self.dropped += 1  # the deque drops its oldest
        peer.queue.append((self._loop.time(), content))
        self._dial(peer)

    def _peer(self, name: str) -> _Peer:
        return self._peers.setdefault(name, _Peer(name))

    # Life of a connection.

    def _new(self, dialled: str) -> Connection:
        return Connection(self._strangers.add, self._received, self._lost, dialled)

    def _dial(self, peer: _Peer) -> None:
        if peer.dialling is None and not self._closed:
            peer.dialling = self._loop.create_task(self._dialling(peer))

    async def _dialling(self, peer: _Peer) -> None:
        """Dial until there is a connection, or nobody wants one any more."""
        delay, path = REDIAL_FIRST, socket_path(self._run_dir, peer.name)
        try:
            while peer.connection is None and (peer.kept or self._waiting(peer)):
                with contextlib.suppress(OSError):
                    _, dialled = await self._loop.create_unix_connection(lambda: self._new(peer.name), path)
                    await self._introduce(dialled, peer)
                if peer.connection is None:
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, REDIAL_MOST)
        finally:
            peer.dialling = None

    async def _introduce(self, dialled: Connection, peer: _Peer) -> None:
        """Say hello and wait for the answer, unless the peer's own dial has come in meanwhile."""
        if peer.connection is not None:
            dialled.abort()
            return
        dialled.greeted = True
        dialled.send(frame(self._hello()))
        await dialled.settled

    def _waiting(self, peer: _Peer) -> bool:
        """Is anything queued that is still fresh enough to be of use?"""
        oldest = self._loop.time() - QUEUE_SECONDS
        while peer.queue and peer.queue[0][0] < oldest:
            peer.queue.popleft()
            self.dropped += 1
        return bool(peer.queue)

    def _hello(self) -> list[Any]:
        return ["hello", VERSION, self.me, self.epoch, self._listens]

    def _received(self, connection: Connection, content: list[Any]) -> None:
        if connection.peer:
            self._deliver(connection.peer, content)
        elif content[0] == "hello" and len(content) == 5 and content[1] == VERSION:
            self._greeted(connection, *content[2:])
        else:
            self._refused(connection, content)

    def _refused(self, connection: Connection, content: list[Any]) -> None:
        connection.abort()
        if content[:2] == ["refused", "stale"]:
            for fenced in self.fenced:
                fenced(content[2])

    def _greeted(self, connection: Connection, name: str, epoch: int, listens: bool) -> None:
        peer = self._peer(name)
        refusal = self._refusal(connection, peer, epoch)
        if refusal:
            self.stale += refusal == "stale"
            connection.send(frame(["refused", refusal, peer.epoch]))
            connection.close()
            return
        if not connection.dialled:
            connection.send(frame(self._hello()))
        connection.listens = listens
        self._establish(connection, peer, epoch)

    def _refusal(self, connection: Connection, peer: _Peer, epoch: int) -> str:
        if epoch < peer.epoch:
            return "stale"
        if connection.dialled or self.me > peer.name:
            return ""
        rival = any(stranger.greeted and stranger.dialled == peer.name for stranger in self._strangers)
        return "busy" if rival else ""

    def _establish(self, connection: Connection, peer: _Peer, epoch: int) -> None:
        if peer.connection is not None:  # the peer dials again only when it has lost that one
            old = peer.connection
            old.abort()
            self._lost(old)
        is_new_epoch = epoch != peer.epoch
        connection.peer = peer.name
        peer.connection, peer.epoch = connection, epoch
        self._settle(connection)
        if self._waiting(peer):
            connection.send(b"".join(content for _, content in peer.queue))
            peer.queue.clear()
        for up in self.up:
            up(peer.name, epoch, is_new_epoch)

    def _settle(self, connection: Connection) -> None:
        self._strangers.discard(connection)
        if not connection.settled.done():
            connection.settled.set_result(None)

    def _lost(self, connection: Connection) -> None:
        self._settle(connection)
        peer = self._peers.get(connection.peer)
        if peer is None or peer.connection is not connection:
            return
        peer.connection = None
        for down in self.down:
            down(peer.name)
        if peer.kept:
            self._dial(peer)  # unless we are closing
        elif not connection.listens:  # a client that has hung up: forget it
            self._peers.pop(peer.name, None)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(HEARTBEAT_SECONDS, self._tick)
        for peer in list(self._peers.values()):
            connection = peer.connection
            if connection is not None and connection.tick() >= SILENT_TICKS:
                log.warning("%s: %s is silent", self.me, peer.name)
                connection.abort()
                self._lost(connection)
        for stranger in list(self._strangers):
            stranger.silent += 1
            if stranger.silent * HEARTBEAT_SECONDS > HELLO_SECONDS:
                stranger.abort()
