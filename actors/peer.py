"""One other host, as a host knows it: its connection, what waits for it, what has passed.

While a new connection takes the place of one that stands there are two: the `former` one, on which frames still come
in, and `connection`, on which ours go out; what comes on the new one is held until the former one is done.
"""

import asyncio
from collections import deque
from typing import Any

from actors.connection import Connection, Traffic
from actors.hello import MOVED

__all__ = ["QUEUE_FRAMES", "QUEUE_SECONDS", "Peer"]

QUEUE_FRAMES, QUEUE_SECONDS = 10_000, 3.0


class Peer:
    """The host `name`. `kept`: its link is wanted always, not only while something waits."""

    __slots__ = (
        "connection", "connects", "dialling", "dropped", "epoch", "former", "kept", "listens", "moving", "name",
        "queue", "traffic",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection: Connection | None = None
        self.former: Connection | None = None
        self.moving = 0  # heartbeat ticks since `former` was replaced
        self.dialling: asyncio.Task[None] | None = None
        self.epoch = 0
        self.kept = False
        self.listens = False  # it did once: a host, whose epoch is to be remembered
        self.queue: deque[tuple[float, bytes]] = deque(maxlen=QUEUE_FRAMES)
        self.dropped = 0
        self.connects = 0
        self.traffic = Traffic()

    @property
    def is_client(self) -> bool:
        """It does not listen: a command line."""
        return self.connection is not None and not self.connection.listens

    def push(self, content: bytes, now: float) -> None:
        """Keep a frame until there is a connection."""
        if len(self.queue) == QUEUE_FRAMES:
            self.dropped += 1  # the deque drops its oldest
        self.queue.append((now, content))

    def waiting(self, now: float) -> bool:
        """Is anything queued that is still fresh enough to be of use?"""
        while self.queue and self.queue[0][0] < now - QUEUE_SECONDS:
            self.queue.popleft()
            self.dropped += 1
        return bool(self.queue)

    def take(self, connection: Connection, epoch: int, now: float) -> None:
        """This is the connection from now on; what waits goes out."""
        connection.peer = self.name
        connection.traffic = self.traffic.add(connection.traffic)
        self.connection, self.epoch = connection, epoch
        self.connects += 1
        self.listens |= connection.listens
        if self.waiting(now):
            for _, content in self.queue:
                connection.send(content)
            self.queue.clear()

    def hand_over(self, successor: Connection) -> None:
        """The connection that stands has carried our last frame; its successor's frames wait for its last one."""
        assert self.connection is not None
        self.former, self.moving = self.connection, 0
        self.former.send(MOVED)
        successor.held = []

    def status(self) -> dict[str, Any]:
        """For the operator."""
        connection, traffic = self.connection, self.traffic
        over = "" if connection is None else "unix" if connection.seen is None else "tls"
        return {
            "up": connection is not None,
            "over": over,
            "epoch": self.epoch,
            "connects": self.connects,
            "queued": len(self.queue),
            "dropped": self.dropped,
            "frames_out": traffic.frames_out,
            "frames_in": traffic.frames_in,
            "bytes_out": traffic.bytes_out,
            "bytes_in": traffic.bytes_in,
        }
