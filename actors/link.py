"""Links: how the processes of a switch talk to each other, one stream connection per pair.

Every host listens on ``<run dir>/<host id>.sock``, and for other nodes on TCP; the address book says which way leads
to whom. A frame is a list: ``[topic, payload]`` a tell,
``[topic, payload, token]`` an ask, ``[None, payload, token]`` its answer, ``[False, text, token]`` its
failure, ``[]`` a heartbeat. Connections, epochs, queues and re-dialling are those of ``peering.py``.

``tell`` promises order per pair of hosts while the link is up, and at most one delivery; not arrival.
``ask`` ends in the answer, the text of the other side's failure, or the loss of the link: an ask that was
under way when the peer was lost fails at once and may or may not have been acted upon.

Heartbeats every 200 ms, three silent intervals or a closed connection mean down. ``on_up`` says whether the
peer is a process not seen before, that is, whether what it remembered is gone. ``on_fenced`` tells this
process that a newer one is this host now: it owns nothing any more and has to end.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from actors.address_book import AddressBook, Endpoints, socket_path
from actors.connection import frame
from actors.peering import Peering
from actors.wire import WireError

__all__ = ["AskTimeout", "LinkError", "Links", "PeerLost", "socket_path"]

PEERS = 64
"""With more of them a host gives its figures by peer only when asked for: the answers grow with the square."""
SUMMED = ("up", "frames_out", "frames_in", "bytes_out", "bytes_in")

Handler = Callable[[str, Any], Any]

log = logging.getLogger(__name__)


class LinkError(Exception):
    """The other side's handler failed (its text is carried over), or the link did."""


class PeerLost(LinkError):
    """The connection broke while the answer was awaited."""


class AskTimeout(LinkError):
    """No answer in time."""


class Links:
    """The links of one host. `epoch`: time_ns of the process's start. `listens=False`: a mere client."""

    def __init__(self, me: str, epoch: int, run_dir: str | Path, listens: bool = True, node: str = "") -> None:
        self.me = me
        self.epoch = epoch
        self.book = AddressBook(run_dir, node)
        self.peering = Peering(me, epoch, self.book, self._received, listens)
        self.peering.down.append(self._lost)
        self._handlers: dict[str, Handler] = {}
        self._asks: dict[int, tuple[asyncio.Future[Any], asyncio.TimerHandle, str]] = {}
        self._token = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[tuple[str, list[Any]]] | None = None
        self._sent = self._came = self._failed = 0

    def hold(self) -> None:
        """Keep what comes for topics that nobody serves yet: this process is still being put together."""
        self._held = []

    def release(self) -> None:
        """All handlers are there."""
        held, self._held = self._held or [], None
        for peer, content in held:
            self._received(peer, content)

    async def start(self) -> None:
        """Listen, and let the heart beat."""
        self._loop = asyncio.get_running_loop()
        await self.peering.start()

    async def close(self) -> None:
        """Send what is queued on open connections and close them; asks under way fail with PeerLost."""
        await self.peering.close()
        for task in self._tasks:
            task.cancel()
        for token in list(self._asks):
            self._settle(token, PeerLost(f"{self.me} is closing"))

    def connect(self, peers: Iterable[str]) -> None:
        """Keep links to these hosts from now on (to ourselves: nothing to do)."""
        for name in peers:
            if name != self.me:
                self.peering.keep(name)

    def forget(self, peer: str) -> None:
        """That host is no more: no link to it, and no answer from it any more."""
        self.peering.forget(peer)
        self.book.forget(peer)
        self._lost(peer)

    def on(self, topic: str, handler: Handler) -> None:
        """`handler(peer, payload)`: what it returns, or what that awaits, answers an ask."""
        self._handlers[topic] = handler

    def on_up(self, callback: Callable[[str, int, bool], None]) -> None:
        """`callback(peer, epoch, is_new_epoch)`; new epoch: a process not seen before.

        For peers that are up already it is called in the next turn, as new.
        """
        self.peering.up.append(callback)
        for peer, epoch in self.peers().items():
            self._loop.call_soon(callback, peer, epoch, True)

    def on_down(self, callback: Callable[[str], None]) -> None:
        self.peering.down.append(callback)

    def on_fenced(self, callback: Callable[[int], None]) -> None:
        """`callback(epoch)`: we are over; the lowest epoch that this host may have now."""
        self.peering.fenced.append(callback)

    def alive(self, peer: str) -> bool:
        return peer == self.me or self.peering.connected(peer)

    def peers(self) -> dict[str, int]:
        """Epochs of the hosts that are up."""
        return self.peering.epochs()

    @property
    def endpoints(self) -> Endpoints:
        """Where we listen, as others are to be told."""
        return self.peering.sockets.endpoints

    def counters(self) -> dict[str, int]:
        return {
            "sent": self._sent,
            "received": self._came,
            "failed": self._failed,
        } | self.peering.counters()

    def status(self, most: int = PEERS) -> dict[str, Any]:
        """For the operator: where we listen, what failed, what has passed; by peer when they are not above `most`."""
        peers = {peer.name: peer.status() for peer in self.peering.peers() if not peer.is_client}
        total = {name: sum(row[name] for row in peers.values()) for name in SUMMED}
        listed = peers if len(peers) <= most else {}
        return {"listens": str(self.endpoints), "peers": listed, "total": total} | self.counters()

    def tell(self, peer: str, topic: str, payload: Any) -> None:
        """Send without an answer. To ourselves: the handler gets this very object, in a later turn."""
        self._sent += 1
        if peer == self.me:
            self._loop.call_soon(self._told, peer, topic, payload)
        else:
            self.peering.send(peer, frame([topic, payload]))

    def ask(self, peer: str, topic: str, payload: Any, timeout: float = 3.0) -> asyncio.Future[Any]:
        """Send, and await the answer `timeout` seconds. Raises LinkError, PeerLost, AskTimeout."""
        self._sent += 1
        self._token = token = self._token + 1
        content = None if peer == self.me else frame([topic, payload, token])
        future: asyncio.Future[Any] = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._expired, token, topic)
        self._asks[token] = (future, timer, peer)
        if content is None:
            self._loop.call_soon(self._asked, peer, topic, payload, token)
        else:
            self.peering.send(peer, content)
        return future

    # What comes in.

    def _received(self, peer: str, content: list[Any]) -> None:
        topic = content[0]
        if self._held is not None and isinstance(topic, str) and topic not in self._handlers:
            self._held.append((peer, content))
            return
        self._came += 1
        if len(content) == 2:
            self._told(peer, topic, content[1])
        elif len(content) != 3 or not isinstance(content[2], int):
            self._failed += 1
        elif topic is None:
            self._settle(content[2], content[1])
        elif topic is False:
            self._settle(content[2], LinkError(content[1]))
        elif isinstance(topic, str):
            self._asked(peer, topic, content[1], content[2])

    def _told(self, peer: str, topic: str, payload: Any) -> None:
        try:
            result = self._handlers[topic](peer, payload)
        except Exception:
            self._failed += 1
            log.exception("%s: tell %s from %s failed", self.me, topic, peer)
            return
        if result is not None and inspect.isawaitable(result):
            self._spawn(peer, topic, result, 0)

    def _asked(self, peer: str, topic: str, payload: Any, token: int) -> None:
        handler = self._handlers.get(topic)
        if handler is None:
            self._answer(peer, token, LinkError(f"{self.me} knows no topic {topic}"))
            return
        try:
            result = handler(peer, payload)
        except Exception as error:
            self._report(peer, topic, error)
            self._answer(peer, token, error)
            return
        if result is not None and inspect.isawaitable(result):
            self._spawn(peer, topic, result, token)
        else:
            self._answer(peer, token, result)

    def _spawn(self, peer: str, topic: str, result: Any, token: int) -> None:
        task = self._loop.create_task(self._finish(peer, topic, result, token))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, peer: str, topic: str, result: Any, token: int) -> None:
        try:
            answer = await result
        except Exception as error:
            self._report(peer, topic, error)
            answer = error
        if token:
            self._answer(peer, token, answer)

    def _report(self, peer: str, topic: str, error: Exception) -> None:
        """A LinkError is an answer like any other; everything else is a fault of ours."""
        if not isinstance(error, LinkError):
            self._failed += 1
            log.error("%s: %s from %s failed", self.me, topic, peer, exc_info=error)

    def _answer(self, peer: str, token: int, answer: Any) -> None:
        """Answers are not queued: when the asker is gone, so is its question."""
        if peer == self.me:
            self._settle(token, LinkError(_text(answer)) if isinstance(answer, Exception) else answer)
        elif self.peering.connected(peer):
            try:
                failed = isinstance(answer, Exception)
                content = frame([False, _text(answer), token] if failed else [None, answer, token])
            except WireError as error:
                content = frame([False, f"answer: {error}", token])
            self.peering.send(peer, content)

    def _settle(self, token: int, answer: Any) -> None:
        found = self._asks.pop(token, None)
        if found is None:
            return
        future, timer, _ = found
        timer.cancel()
        if future.done():  # its waiter was cancelled
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _expired(self, token: int, topic: str) -> None:
        self._settle(token, AskTimeout(f"no answer from {self._asks[token][2]} to {topic}"))

    def _lost(self, peer: str) -> None:
        """Asks under way fail now; a question that never left waits for its timeout."""
        for token in [token for token, (_, _, asked) in self._asks.items() if asked == peer]:
            self._settle(token, PeerLost(f"{peer} was lost"))


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, LinkError) else f"{type(error).__name__}: {error}"
