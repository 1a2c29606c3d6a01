"""Events in order of time, and servers that do one thing after another."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

Act = Callable[..., None]


class Clock:
    """Runs what was asked for, in order of its time (seconds)."""

    def __init__(self) -> None:
        self.now = 0.0
        self._coming: list[tuple[float, int, Act, tuple[Any, ...]]] = []
        self._order = count()

    def at(self, when: float, act: Act, *arguments: Any) -> None:
        """Call it then."""
        heapq.heappush(self._coming, (when, next(self._order), act, arguments))

    def run(self, until: float) -> None:
        """Everything that comes before `until`."""
        coming = self._coming
        while coming and coming[0][0] < until:
            self.now, _, act, arguments = heapq.heappop(coming)
            act(*arguments)
        self.now = until


class Server:
    """First come, first served by `cores` that share one queue; `upkeep` is the share of each that is never free."""

    def __init__(self, clock: Clock, cores: int = 1, upkeep: float = 0.0) -> None:
        self.clock = clock
        self.free = [0.0] * cores
        self.slower = 1 / max(1 - upkeep, 0.001)
        self.upkeep = min(upkeep, 1.0)
        self.worked = 0.0

    def serve(self, cost: float, then: Act, *arguments: Any) -> None:
        """Work for `cost` seconds when there is time, and go on."""
        took = cost * self.slower
        began = max(self.clock.now, heapq.heappop(self.free))
        heapq.heappush(self.free, began + took)
        self.worked += cost
        self.clock.at(began + took, then, *arguments)

    def busy(self, seconds: float) -> float:
        """Share of its cores that was used, upkeep included; more than 1 is what it did not manage."""
        return self.worked / seconds / len(self.free) + self.upkeep
