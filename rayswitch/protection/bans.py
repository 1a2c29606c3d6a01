"""Who is banned, and until when.  Times are unix seconds: a ban outlives processes and is shared by gateways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Ban(NamedTuple):
    """`address` (numeric host) is not listened to until `until`; `reason` for people, `made` when it began."""

    address: str
    until: float
    reason: str
    made: float


class Bans:
    """The bans that a gateway knows; `most` of them at a time, of which the oldest go first."""

    __slots__ = ("by_address", "most")

    def __init__(self, most: int = 100_000) -> None:
        self.by_address: dict[str, Ban] = {}
        self.most = most

    def add(self, ban: Ban) -> bool:
        """Take it over; False when it changes nothing (we know one that lasts as long)."""
        known = self.by_address.get(ban.address)
        if known is not None and known.until >= ban.until:
            return False
        self.by_address.pop(ban.address, None)  # the newest stands last
        self.by_address[ban.address] = ban
        if len(self.by_address) > self.most:
            del self.by_address[next(iter(self.by_address))]
        return True

    def lift(self, address: str) -> bool:
        """End a ban; False when there was none."""
        return self.by_address.pop(address, None) is not None

    def expire(self, now: float) -> list[str]:
        """Forget those that are over; their addresses."""
        over = [address for address, ban in self.by_address.items() if ban.until <= now]
        for address in over:
            del self.by_address[address]
        return over

    def newest(self, count: int) -> Iterable[str]:
        """Addresses of the `count` bans that were made last."""
        return list(self.by_address)[-count:]
