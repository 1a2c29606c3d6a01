"""Overload control: who is told 503 so that the others are served in time (RFC 7339 names the problem, RFC 5390 why).

The delay of a message is the time that what stands before it takes: how much is queued, times how long one takes.  Both
are measured, the second as a mean that follows slowly; and so is how late the loop comes to its timers, which tells of
work that stands in no queue of ours; the smaller of two such looks counts, for one long turn, or a moment without the
processor, is no overload.  Between `low` and `high` seconds of delay a growing share of
what is new is refused, evenly spread and without dice; above `high` all of it.  Nothing inside a dialog and no response
is ever refused: it belongs to work that was accepted.  Who has answered a challenge already is refused later than who
comes fresh, because most of his work is done.
"""

from __future__ import annotations

FOLLOW = 0.05
"""Weight of the newest measurement in the mean."""
FIRST_GUESS = 0.0003
"""Seconds for a message, before any was measured."""


class Overload:
    """`low`, `high`: seconds of delay at which refusing begins, and where everything new is refused."""

    __slots__ = ("behind", "high", "latest", "low", "queue", "refused", "saved", "seconds")

    def __init__(self, low: float = 0.05, high: float = 0.15) -> None:
        self.low = low
        self.high = high
        self.seconds = FIRST_GUESS
        self.queue = 0.0
        self.latest = self.behind = 0.0
        self.saved = 0.0
        """Share of a refusal that is still owed."""
        self.refused = 0

    def worked(self, messages: int, seconds: float) -> None:
        """So many messages took so long."""
        if messages:
            self.seconds += FOLLOW * (seconds / messages - self.seconds)

    def queued(self, messages: float) -> None:
        """So many wait now."""
        self.queue = messages * self.seconds

    def late(self, seconds: float) -> None:
        """A timer came so much later than it was due."""
        self.behind = max(0.0, min(seconds, self.latest))
        self.latest = seconds

    @property
    def delay(self) -> float:
        """Seconds that a message has to wait for its turn."""
        return max(self.queue, self.behind)

    def refuses(self, proved: bool) -> bool:
        """Is a new request to be refused?  `proved`: it has answered a challenge."""
        low = (self.low + self.high) / 2 if proved else self.low
        delay = self.delay
        if delay <= low:
            return False
        self.saved += min(1.0, (delay - low) / (self.high - low))
        if self.saved < 1.0:
            return False
        self.saved -= 1.0
        self.refused += 1
        return True
