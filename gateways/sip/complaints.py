"""What the gateway writes to the log about the network: bounded, because the network could fill a disk with it."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

SOURCES = 1000
IN_ALL = 20
"""Lines a second: source addresses can be forged."""


class Complaints:
    """One line a second for each source, and not more than IN_ALL for all together."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self.second = 0
        self.lines = 0
        self.withheld = 0

    def write(self, now: float, source: str, text: str, *values: object, trace: bool = False) -> None:
        """Log `text % values`, with the current traceback if `trace`, unless too much was said already."""
        if not self.allowed(now, source):
            self.withheld += 1
            return
        log.warning(text, *values, exc_info=trace)

    def allowed(self, now: float, source: str) -> bool:
        if now - self.last.get(source, now - 1.0) < 1.0:
            return False
        if int(now) != self.second:
            self.second, self.lines = int(now), 0
        if self.lines >= IN_ALL:
            return False
        if len(self.last) >= SOURCES:
            self.last.clear()
        self.last[source] = now
        self.lines += 1
        return True
