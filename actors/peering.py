"""Who is connected to whom: hellos, epochs, fences, heartbeats and re-dialling below the links.

The first signal each way is the hello (``hello.py``). There is one connection per pair of hosts. Both may dial at the
same moment: then the dial of the lower host id wins and the other one is refused as "busy" before it has
carried anything, so nothing is lost and the order of frames holds. A host that dialled sends what waits for
the peer only after the peer's hello has come back. From another node, hello and certificate must name the same host
and epoch; whoever fails that hears nothing.

Epochs: each process brings the time of its start. A hello with a lower epoch than one seen from that host
before, or fenced off (``fence``), is refused as "stale", and the refused process hears of it (``fenced``): it owns
nothing any more. A connection belongs to one epoch; a newer one replaces it.

Succession (``renew``): when certificates change hands, a new connection takes the place of one that stands. Each side
ends the old one with "moved", and what comes on the new one waits for the other side's: nothing is lost,
doubled or out of order, and nobody hears of it.

Frames for a peer that is away wait in a bounded queue, QUEUE_SECONDS at most: longer than a restart of its
process (0.3-0.5 s), shorter than a SIP phone's patience.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from actors.address_book import AddressBook
from actors.connection import Connection
from actors.dialling import Dialler
from actors.hello import VERSION, Hello, Moved, Refusal, read
from actors.link_sockets import LinkSockets
from actors.peer import Peer

__all__ = ["Peering"]

HEARTBEAT_SECONDS = 0.2
SILENT_TICKS = 3
HELLO_SECONDS = 2.0
CLOSE_SECONDS = 0.5
SUCCESSION_TICKS = 5

log = logging.getLogger(__name__)


class Peering:
    """The connections of one host. `received(peer, frame)` gets every frame that comes after the hello."""

    def __init__(
        self, me: str, epoch: int, book: AddressBook, received: Callable[[str, list[Any]], None], listens: bool = True
    ) -> None:
        self.me = me
        self.epoch = epoch
        self.book = book
        self.up: list[Callable[[str, int, bool], None]] = []
        self.down: list[Callable[[str], None]] = []
        self.fenced: list[Callable[[int], None]] = []
        self.stale = 0  # hellos refused for their epoch
        self.forged = 0  # hellos that were not those of the certificate, or of whom we dialled
        self._dropped = 0  # of peers that are forgotten
        self.sockets = LinkSockets(me, book, lambda: Connection(self, ""))
        self._dialler = Dialler(self, self.sockets, Hello(me, epoch, listens))
        self._deliver = received
        self._peers: dict[str, Peer] = {}
        self._floors: dict[str, int] = {}  # lowest epoch of a host that is not dead
        self._strangers: set[Connection] = set()  # before their hello
        self._ticker: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen on the Unix socket, and beat."""
        self._loop = asyncio.get_running_loop()
        if self._dialler.hello.listens:
            await self.sockets.listen()
        self._ticker = self._loop.call_later(HEARTBEAT_SECONDS, self._tick)

    async def close(self) -> None:
        """Write what is queued, close all, remove the socket file if it is still ours."""
        self._dialler.close()
        if self._ticker is not None:
            self._ticker.cancel()
        self.sockets.close()
        for peer in self._peers.values():
            if peer.dialling is not None:
                peer.dialling.cancel()
            for connection in (peer.former, peer.connection):
                if connection is not None:
                    connection.close()
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

    def keep(self, name: str) -> None:
        """Have a link to `name` from now on, dialled again whenever it is lost."""
        peer = self._peer(name)
        peer.kept = True
        self._dialler.dial(peer)

    def forget(self, name: str) -> None:
        """That host is no more: its link ends and is not dialled again. What is fenced stays fenced."""
        peer = self._peers.get(name)
        if peer is not None:
            peer.kept = False
            peer.queue.clear()
            if peer.connection is not None:
                self._cut(peer.connection)

    def fence(self, name: str, epoch: int) -> None:
        """Host `name` is dead in `epoch` and before: refused from now on, and told so when it turns up.

        To be remembered by whoever says it as long as a certificate of that epoch is good.
        """
        floor = self._floors[name] = max(self._floors.get(name, 0), epoch + 1)
        if name == self.me and self.epoch < floor:
            self.be_fenced(floor)
        peer = self._peers.get(name)
        if peer is None or peer.connection is None or peer.epoch >= floor:
            return
        log.warning("%s: %s of epoch %d is fenced off", self.me, name, peer.epoch)
        peer.connection.send(Refusal("stale", floor).frame())
        self._cut(peer.connection)

    def renew(self, outdated: Callable[[Connection], bool]) -> None:
        """Put a new connection in the place of each one that is `outdated`."""
        for peer in self._peers.values():
            found = peer.connection
            if found is not None and outdated(found):
                self._dialler.follow(peer, found)

    def cut(self, outdated: Callable[[Connection], bool]) -> list[str]:
        """End every connection that is `outdated`; it is dialled anew when it is wanted. Returns the peers."""
        found = [peer for peer in self._peers.values() if peer.connection is not None and outdated(peer.connection)]
        for peer in found:
            if peer.connection is not None:
                self._cut(peer.connection)
        return [peer.name for peer in found]

    def connected(self, name: str) -> bool:
        return self.connection(name) is not None

    def connection(self, name: str) -> Connection | None:
        """The one that frames to `name` go out on now."""
        peer = self._peers.get(name)
        return None if peer is None else peer.connection

    def epochs(self) -> dict[str, int]:
        """Epochs of the hosts that are up."""
        return {peer.name: peer.epoch for peer in self.peers() if peer.connection is not None}

    def peers(self) -> list[Peer]:
        """All that are known, up or not."""
        return list(self._peers.values())

    def floor(self, name: str) -> int:
        """The lowest epoch of that host that is not known to be over."""
        peer = self._peers.get(name)
        return max(self._floors.get(name, 0), self.book.epoch(name), peer.epoch if peer else 0)

    def counters(self) -> dict[str, int]:
        """What did not get through, and who."""
        dropped = self._dropped + sum(peer.dropped for peer in self._peers.values())
        return {"dropped": dropped, "stale": self.stale, "forged": self.forged} | self.sockets.counters()

    def send(self, name: str, content: bytes) -> None:
        peer = self._peers.get(name) or self._peer(name)
        if peer.connection is not None:
            peer.connection.send(content)
        else:
            peer.push(content, self._loop.time())
            self._dialler.dial(peer)

    def _peer(self, name: str) -> Peer:
        return self._peers.setdefault(name, Peer(name))

    # Life of a connection: what it reports to its owner.

    def made(self, connection: Connection) -> None:
        credentials = self.sockets.credentials
        if connection.seen is not None and credentials is not None:
            connection.shown = credentials.issuer
        self._strangers.add(connection)

    def received(self, connection: Connection, content: list[Any]) -> None:
        if connection.held is None:
            self._deliver(connection.peer, content)
        else:
            connection.held.append(content)

    def signalled(self, connection: Connection, signal: dict[Any, Any]) -> None:
        found = read(signal)
        if isinstance(found, Hello) and not connection.peer:
            self._greeted(connection, found)
        elif isinstance(found, Refusal) and self._may_refuse(connection):
            connection.abort()
            if found.reason == "stale" and found.epoch > self.epoch:
                self.be_fenced(found.epoch)
        elif isinstance(found, Moved) and connection.peer:
            self._moved(connection)
        else:
            log.warning("%s: no hello of version %d from %s", self.me, VERSION, connection.dialled or "a caller")
            connection.abort()

    def lost(self, connection: Connection) -> None:
        self._settle(connection, "lost")
        peer = self._peers.get(connection.peer)
        if peer is None:
            return
        if peer.former is connection:
            self._succeeded(peer)
        elif peer.connection is connection:
            self._down(peer)

    # Hellos.

    def _greeted(self, connection: Connection, hello: Hello) -> None:
        if not self._is_who(connection, hello):
            self.forged += 1
            log.warning("%s: %s says that it is %s, which it has not proved", self.me, _origin(connection), hello.host)
            connection.abort()
            return
        peer = self._peer(hello.host)
        refusal = self._refusal(connection, peer, hello.epoch)
        if refusal is not None:
            self.stale += refusal.reason == "stale"
            connection.send(refusal.frame())
            connection.close()
            self._settle(connection, "refused")
            return
        connection.listens = hello.listens
        connection.follows = connection.follows or hello.follows
        if not connection.dialled:
            connection.send(self._dialler.hello.frame())
        self._establish(connection, peer, hello.epoch)

    def _is_who(self, connection: Connection, hello: Hello) -> bool:
        """Certificate and hello must agree, and be those of the host that we dialled."""
        seen = connection.seen
        if seen is not None and (seen.host, seen.epoch) != (hello.host, hello.epoch):
            return False
        return hello.host != self.me and connection.dialled in ("", hello.host)

    def _may_refuse(self, connection: Connection) -> bool:
        """Only whom we dialled, or are linked to, and who has proved it, can tell us that we are over."""
        peer = connection.peer or connection.dialled
        return peer != "" and (connection.seen is None or connection.seen.host == peer)

    def _refusal(self, connection: Connection, peer: Peer, epoch: int) -> Refusal | None:
        floor = self.floor(peer.name)
        if epoch < floor:
            return Refusal("stale", floor)
        if connection.dialled or self.me > peer.name:
            return None
        rival = any(stranger.greeted and stranger.dialled == peer.name for stranger in self._strangers)
        return Refusal("busy") if rival else None

    def _establish(self, connection: Connection, peer: Peer, epoch: int) -> None:
        former, is_new_epoch = peer.connection, epoch != peer.epoch
        follows = former is not None and connection.follows and not is_new_epoch
        if follows:
            self._end_former(peer)
            peer.hand_over(connection)
        elif former is not None:  # the peer dials again only when it has lost that one
            former.abort()
            self.lost(former)
        peer.take(connection, epoch, self._loop.time())
        self._settle(connection, "accepted")
        if not follows:
            for up in self.up:
                up(peer.name, epoch, is_new_epoch)

    def _settle(self, connection: Connection, how: str) -> None:
        self._strangers.discard(connection)
        if not connection.settled.done():
            connection.settled.set_result(how)

    # The end of a connection.

    def _cut(self, connection: Connection) -> None:
        """What is queued goes out; nothing that still comes is heard."""
        connection.close()
        self.lost(connection)

    def _down(self, peer: Peer) -> None:
        peer.connection = None
        self._end_former(peer)
        for down in self.down:
            down(peer.name)
        if peer.kept:
            self._dialler.dial(peer)  # unless we are closing
        elif not peer.listens:  # a client that has hung up: forget it
            self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        self._dropped += peer.dropped
        self._peers.pop(peer.name, None)

    def _moved(self, connection: Connection) -> None:
        peer = self._peers[connection.peer]
        if peer.former is connection:
            connection.close()
            self._succeeded(peer)

    def _succeeded(self, peer: Peer) -> None:
        """The former connection has brought its last frame: those of the new one may pass."""
        peer.former = None
        connection = peer.connection
        if connection is not None and connection.held is not None:
            held, connection.held = connection.held, None
            for content in held:
                self._deliver(peer.name, content)

    def _end_former(self, peer: Peer) -> None:
        """Do not wait for it any longer."""
        if peer.former is not None:
            peer.former.abort()
            self._succeeded(peer)

    def be_fenced(self, floor: int) -> None:
        """We are over: `floor` is the lowest epoch that this host may have now."""
        for fenced in self.fenced:
            fenced(floor)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(HEARTBEAT_SECONDS, self._tick)
        for peer in self.peers():
            self._beat(peer)
        for stranger in list(self._strangers):
            stranger.silent += 1
            if stranger.silent * HEARTBEAT_SECONDS > HELLO_SECONDS:
                stranger.abort()

    def _beat(self, peer: Peer) -> None:
        connection = peer.connection
        if connection is not None and connection.tick() >= SILENT_TICKS:
            log.warning("%s: %s is silent", self.me, peer.name)
            connection.abort()
            self.lost(connection)
        peer.moving += 1
        if peer.former is not None and peer.moving > SUCCESSION_TICKS:
            self._end_former(peer)


def _origin(connection: Connection) -> str:
    """Who is at the other end, as far as it is proved."""
    if connection.seen is None:
        return connection.dialled or "a caller on this node"
    return f"the owner of the certificate of {connection.seen.host or 'nobody'} epoch {connection.seen.epoch}"
