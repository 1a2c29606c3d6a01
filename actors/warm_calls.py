"""The warm processes of one SIP gateway: each waits for the call whose id it has already (see ``own_actors.py``).

A process tells its gateway "own.ready.call" ``[key, busy]`` when it can take its call, and again when the gateway is a
new one. The gateway also has to know which processes of single calls there are, because anybody can write their ids
into a tag: it knows those that are linked to it, and that were until a moment ago; and just after its own start, when
they have not come back to it yet, any.
"""

from collections.abc import Callable
from typing import Any

from actors.link import Links
from actors.placement import is_own

__all__ = ["WarmCalls"]

SETTLE_SECONDS = 3.0
LOST_SECONDS = 10.0
"""Ray has a process back in one second."""


class WarmCalls:
    """What is there to be taken, the oldest first."""

    def __init__(self, links: Links, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.links = links
        self.ready: dict[str, str] = {}
        """Call id by host."""
        self.lost: dict[str, float] = {}
        self.began = clock()
        links.on("own.ready.call", self._offered)
        links.on_down(self._down)

    def take(self) -> tuple[str, str] | None:
        """(host, call id) of a process that is up and idle; None when there is none left."""
        if not self.ready:
            return None
        host = next(iter(self.ready))
        return host, self.ready.pop(host)

    def knows(self, host: str) -> bool:
        """Is there such a process, as far as we can know?"""
        if not is_own(host):
            return False
        now = self.clock()
        return self.links.alive(host) or now < max(self.began + SETTLE_SECONDS, self.lost.get(host, 0.0))

    def _offered(self, peer: str, payload: list[Any]) -> None:
        key, busy = payload
        if not busy:
            self.ready[peer] = key

    def _down(self, peer: str) -> None:
        if not is_own(peer):
            return
        now = self.clock()
        self.ready.pop(peer, None)
        self.lost.pop(peer, None)
        while self.lost and next(iter(self.lost.values())) < now:
            del self.lost[next(iter(self.lost))]
        self.lost[peer] = now + LOST_SECONDS
