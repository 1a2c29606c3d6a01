"""CPU time and memory of a tree of processes, with what it costs while idle taken off.

A figure is (CPU while it worked - idle CPU per second × seconds) / units. The idle rate is measured just
before, for ten seconds, and is printed on a line of its own, so nothing hides in it.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from tests.interop.processes import cpu_seconds, pss_bytes

IDLE_SECONDS = 10.0
# Until the last transaction is forgotten (timers B, F, H, J: 64 × T1, RFC 3261 §17); forgetting costs CPU, too.
SETTLE_SECONDS = 34.0


class Idle(NamedTuple):
    """What a server costs while nothing happens: share of a core, and bytes of PSS."""

    cpu: float
    memory: int


def measure_idle(pids: Callable[[], list[int]], seconds: float = IDLE_SECONDS) -> Idle:
    """Watch the processes do nothing."""
    before, began = cpu_seconds(pids()), time.monotonic()
    time.sleep(seconds)
    return Idle((cpu_seconds(pids()) - before) / (time.monotonic() - began), pss_bytes(pids()))


class Meter:
    """Measures what happens inside `with`, and `settle` seconds more: `cpu` is the CPU time beyond idleness
    in seconds, `memory` the growth in bytes.
    """

    def __init__(self, pids: Callable[[], list[int]], idle: Idle, settle: float = SETTLE_SECONDS) -> None:
        self._pids, self._idle, self._settle = pids, idle, settle
        self.cpu = self.seconds = 0.0
        self.memory = 0

    def __enter__(self) -> Self:
        self._memory = pss_bytes(self._pids())
        self._cpu, self._began = cpu_seconds(self._pids()), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(self._settle)
        self.seconds = time.monotonic() - self._began
        self.cpu = cpu_seconds(self._pids()) - self._cpu - self._idle.cpu * self.seconds
        self.memory = pss_bytes(self._pids()) - self._memory
