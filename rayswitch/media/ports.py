"""The port range of a media gateway: even/odd pairs, never given twice, quiet for a while after use.

The quarantine keeps packets of a call that just ended out of the next one (FEATURES §6: 2 s).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class PortPool:
    """Even ports of `ports`; each stands for itself and the odd one after it."""

    __slots__ = ("free", "out", "quarantine", "resting")

    def __init__(self, ports: range, quarantine: float = 2.0) -> None:
        """`quarantine` in seconds."""
        self.free = deque(port for port in ports if port % 2 == 0 and port + 1 in ports)
        self.resting: deque[tuple[float, int]] = deque()
        self.out: set[int] = set()
        self.quarantine = quarantine

    def take(self, now: float) -> int | None:
        """The port that was free the longest, None when there is none."""
        while self.resting and self.resting[0][0] <= now:
            self.free.append(self.resting.popleft()[1])
        if not self.free:
            return None
        port = self.free.popleft()
        self.out.add(port)
        return port

    def claim(self, port: int) -> bool:
        """Take this very port (after a restart of its gateway); False when somebody has it."""
        if port in self.out:
            return False
        self.free = deque(other for other in self.free if other != port)
        self.resting = deque(entry for entry in self.resting if entry[1] != port)
        self.out.add(port)
        return True

    def give_back(self, ports: Iterable[int], now: float) -> None:
        """Into quarantine; a port that is not out is ignored."""
        for port in ports:
            if port in self.out:
                self.out.remove(port)
                self.resting.append((now + self.quarantine, port))
