"""Failed authentications by address: so many within a window are a ban.

Nothing that the address does well resets its count, for one address may speak for many users.  Whether a failure may be
counted at all is for the caller to know: over UDP anybody can write any source address into a packet, so only who has
shown that answers reach him there (he returned a nonce that was sent to that address) can be blamed.
"""

from __future__ import annotations

from collections import deque


class Failures:
    """`count` failures within `window` seconds are too many; at most `most` addresses are remembered."""

    __slots__ = ("by_address", "count", "most", "window")

    def __init__(self, count: int, window: float, most: int = 50_000) -> None:
        self.count = count
        self.window = window
        self.most = most
        self.by_address: dict[str, deque[float]] = {}

    def failed(self, address: str, now: float) -> bool:
        """One more at `now` (seconds of any clock); True when it is one too many, and its count begins anew."""
        times = self.by_address.pop(address, None) or deque(maxlen=self.count)
        times.append(now)
        if len(times) == self.count and now - times[0] <= self.window:
            return True
        self.by_address[address] = times  # the latest stands last
        if len(self.by_address) > self.most:
            del self.by_address[next(iter(self.by_address))]
        return False
