"""The guard of a gateway: whom is listened to, before anything is parsed.

In this order: the list of those who are always let through, the list of those who never are, the bans, the limits of
rate.  The first look-up is the dearest that an honest packet pays; its answer is kept for each address until a list or
a ban changes.
"""

from __future__ import annotations

from rayswitch.protection.addresses import Networks
from rayswitch.protection.bans import Ban, Bans
from rayswitch.protection.buckets import Buckets
from rayswitch.protection.failures import Failures

ALL = ""
REMEMBERED = 50_000

ACCEPTED, REJECTED, NEITHER = "accept", "reject", ""


class Guard:
    """Lists, bans and limits together; counts what it keeps away."""

    def __init__(self, failures: Failures, ban_seconds: float, each: Buckets, total: Buckets) -> None:
        """`each` limits every source, `total` all of them together; a ban lasts `ban_seconds`, 0: nobody is banned."""
        self.failures = failures
        self.ban_seconds = ban_seconds
        self.each = each
        self.total = total
        self.bans = Bans()
        self.accept = Networks()
        self.reject = Networks()
        self.verdicts: dict[str, str] = {}
        self.banned = self.rejected = self.limited = 0

    def lists(self, accept: Networks, reject: Networks) -> None:
        """The address lists from now on."""
        self.accept, self.reject = accept, reject
        self.verdicts.clear()

    def admits(self, host: str, now: float) -> bool:
        """Is a message from `host` to be looked at?  `now` in monotonic seconds."""
        if host in self.bans.by_address:
            self.banned += 1
            return False
        verdict = self.verdicts.get(host)
        if verdict is None:
            verdict = self.verdict(host)
        if verdict == ACCEPTED:
            return True
        if verdict == REJECTED:
            self.rejected += 1
            return False
        if self.each.takes(host, now) and self.total.takes(ALL, now):
            return True
        self.limited += 1
        return False

    def verdict(self, host: str) -> str:
        """What the lists say."""
        if len(self.verdicts) >= REMEMBERED:
            self.verdicts.clear()
        found = ACCEPTED if host in self.accept else REJECTED if host in self.reject else NEITHER
        self.verdicts[host] = found
        return found

    def failed(self, host: str, reason: str, wall: float) -> Ban | None:
        """An authentication of `host` failed that may be held against it; the ban, if that was one too many.

        `wall` in unix seconds.
        """
        if not self.ban_seconds or host in self.accept or not self.failures.failed(host, wall):
            return None
        ban = Ban(host, wall + self.ban_seconds, reason, wall)
        return ban if self.ban(ban) else None

    def ban(self, ban: Ban) -> bool:
        """Take over a ban, our own or another's; those on the list of the accepted are never banned."""
        return ban.address not in self.accept and self.bans.add(ban)

    def counters(self) -> dict[str, int]:
        """Messages kept away since the start, by what; and how many are banned."""
        return {
            "banned": self.banned,
            "rejected": self.rejected,
            "limited": self.limited,
            "bans": len(self.bans.by_address),
        }
