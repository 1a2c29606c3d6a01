"""The servers of one destination, and which of them are out of order (RFC 3263 §4.3).

A server that was silent, could not be reached or answered 503 comes last for a while, each time for longer.  When all
are out of order they are tried all the same: one that is thought to be dead is better than none.
"""

from __future__ import annotations

from collections.abc import Iterable

from rayswitch.lines.resolving import Server

REST, LONGEST_REST = 60.0, 1800.0
"""Seconds that a server is tried last after its first failure, and at most."""


class Servers:
    """In the order in which names resolved; failures are kept across look-ups."""

    __slots__ = ("failed", "known")

    def __init__(self) -> None:
        self.known: list[Server] = []
        self.failed: dict[Server, tuple[float, float]] = {}
        """Until when each is out of order, and for how long that was meant."""

    def learn(self, servers: Iterable[Server]) -> None:
        """What the names resolve to now."""
        self.known = list(dict.fromkeys(servers))
        self.failed = {server: rest for server, rest in self.failed.items() if server in self.known}

    def fail(self, server: Server, now: float) -> None:
        """It did not answer, or said that it cannot."""
        _, rest = self.failed.get(server, (0.0, REST / 2))
        rest = min(2 * rest, LONGEST_REST)
        self.failed[server] = (now + rest, rest)

    def works(self, server: Server) -> None:
        """It answered."""
        self.failed.pop(server, None)

    def order(self, now: float) -> list[Server]:
        """To be tried in this order."""
        return sorted(self.known, key=lambda server: self.failed.get(server, (0.0, 0.0))[0] > now)
