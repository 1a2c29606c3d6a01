"""The port range of a media gateway: even/odd pairs (RFC 3550 §11), never given twice, quiet for a while after use.

The quarantine keeps packets of a call that just ended out of the next one. Ports are given in turn, so the one that
was free the longest comes first; `offset` turns the order, so that a gateway that was restarted begins elsewhere than
its predecessor did and seldom leases a port that a running session is about to claim.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable


class PortPool:
    """Even ports of `ports`; each stands for itself and the odd one after it."""

    __slots__ = ("free", "out", "ports", "quarantine", "resting")

    def __init__(self, ports: range, quarantine: float = 2.0, offset: int = 0) -> None:
        """`quarantine` in seconds; `offset` in ports."""
        pairs = [port for port in ports if port % 2 == 0 and port + 1 in ports]
        turn = offset % len(pairs) if pairs else 0
        self.ports = frozenset(pairs)
        self.free: OrderedDict[int, None] = OrderedDict.fromkeys(pairs[turn:] + pairs[:turn])
        self.resting: OrderedDict[int, float] = OrderedDict()
        self.out: set[int] = set()
        self.quarantine = quarantine

    def take(self, now: float) -> int | None:
        """The port that was free the longest, None when there is none."""
        self.wake(now)
        if not self.free:
            return None
        port, _ = self.free.popitem(last=False)
        self.out.add(port)
        return port

    def wake(self, now: float) -> None:
        """Free those whose quarantine is over."""
        while self.resting:
            port, until = next(iter(self.resting.items()))
            if until > now:
                return
            del self.resting[port]
            self.free[port] = None

    def claim(self, port: int) -> bool:
        """Take this very port, quarantined or not, even of a range of former days; False when somebody has it."""
        if port in self.out:
            return False
        self.free.pop(port, None)
        self.resting.pop(port, None)
        self.out.add(port)
        return True

    def give_back(self, ports: Iterable[int], now: float) -> None:
        """Into quarantine; a port that is not out is ignored, one that is not of the range is forgotten."""
        for port in ports:
            if port in self.out:
                self.out.remove(port)
                if port in self.ports:
                    self.resting[port] = now + self.quarantine
