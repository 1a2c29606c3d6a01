"""Token buckets: how many messages a second a source may send, and all of them together.

A bucket is a number of tokens and when it was looked at last; it fills at `rate` a second up to `burst`.  The table is
bounded: when it is full, buckets that are full again are forgotten, and when there are none, all are, for forged
sources could fill any table.
"""

from __future__ import annotations


class Buckets:
    """One bucket for each source; `rate` in messages a second, 0 for no limit; `burst` in messages."""

    __slots__ = ("burst", "levels", "most", "rate")

    def __init__(self, rate: float, burst: float, most: int = 50_000) -> None:
        self.rate = rate
        self.burst = burst
        self.most = most
        self.levels: dict[str, tuple[float, float]] = {}

    def takes(self, source: str, now: float) -> bool:
        """Is there a token for one more message of `source` at `now` (monotonic seconds)?  Takes it."""
        if not self.rate:
            return True
        level, last = self.levels.get(source) or self.fresh(now)
        level = min(self.burst, level + (now - last) * self.rate)
        if level < 1.0:
            self.levels[source] = (level, now)
            return False
        self.levels[source] = (level - 1.0, now)
        return True

    def fresh(self, now: float) -> tuple[float, float]:
        """A full bucket, and room for it."""
        if len(self.levels) >= self.most:
            self.forget(now)
        return self.burst, now

    def forget(self, now: float) -> None:
        """Those that have filled up since say nothing."""
        need = {
            source: (level, last)
            for source, (level, last) in self.levels.items()
            if level + (now - last) * self.rate < self.burst
        }
        self.levels = need if len(need) < self.most else {}
