"""Server nonces that need no memory to be recognised (RFC 7616 §5.4, RFC 3261 §22.4).

A nonce is `owner.stamp.mac`: the short id of the host that issued it, the time of issue in microseconds
(hex), and a keyed hash of both.  Any host with the same secret can tell that a nonce is genuine and whose it
is; only the owner can tell a replay, so a gateway hands the request to the owner while that one lives.

The last eight digits are a keyed hash of all that and of the address that was asked.  They play no part in
authentication (a phone may move), but who returns them from that address has shown that packets reach him
there: nobody who writes another's address into his packets can.

The owner remembers which nonce counts of a nonce were used, in a window of 64 below the highest (datagrams
overtake each other), and only for nonces that came back.  The memory is bounded: when an entry must go, every
unused nonce that is as old as it becomes stale too - the client just asks again.  Stamps never repeat, even
within one clock tick.  A nonce from before this object's first use is stale as well, since what it was used
for is not known any more.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

WINDOW = 64
MARK = 8
"""Digits of the hash of the address."""
WINDOW_MASK = (1 << WINDOW) - 1
MAX_REMEMBERED = 65536
MICROSECONDS = 1_000_000


class Nonces:
    """Issues and checks the nonces of `owner` (a short id without dots).

    `secret`: random bytes, the same in all hosts of a switch; `lifetime` in seconds, after which a nonce is
    stale; `now` is a clock in seconds that all hosts on this machine share (monotonic since boot).
    """

    def __init__(self, secret: bytes, owner: str, lifetime: float, remembered: int = MAX_REMEMBERED) -> None:
        self.owner = owner
        self._key = blake2b(secret).digest()
        self._lifetime = int(lifetime * MICROSECONDS)
        self._remembered = remembered
        self._used: dict[int, int] = {}  # stamp -> highest nc << 64 | bitmap of the 64 counts up to it
        self._last = 0
        self._floor: int | None = None  # nonces up to this stamp are stale unless they are in _used

    def issue(self, now: float, address: str = "") -> str:
        """A nonce nobody got before, for whoever is asked at `address` (a numeric host)."""
        stamp = self._last = max(int(now * MICROSECONDS), self._last + 1)
        if self._floor is None:
            self._floor = stamp - 1
        text = f"{self.owner}.{stamp:x}"
        whole = f"{text}.{self._mac(text)}"
        return whole + self._mark(whole, address)

    def returned(self, nonce: str, address: str) -> bool:
        """Did we send this very nonce to `address`?"""
        whole, mark = nonce[:-MARK], nonce[-MARK:]
        text, _, mac = whole.rpartition(".")
        if not nonce.isascii():
            return False
        return compare_digest(self._mac(text), mac) and compare_digest(self._mark(whole, address), mark)

    def check(self, nonce: str, nc: int, now: float) -> str:
        """What use number `nc` of `nonce` is: "ok" (and remembered), "stale", "replay", "foreign" (genuine,
        of another owner) or "bad" (not made with our secret)."""
        text, _, mac = nonce[:-MARK].rpartition(".")
        owner, _, digits = text.rpartition(".")
        if not nonce.isascii() or not compare_digest(self._mac(text), mac):
            return "bad"
        if owner != self.owner:
            return "foreign"
        stamp = int(digits, 16)
        tick = int(now * MICROSECONDS)
        if self._floor is None:
            self._floor = tick
        if stamp > max(tick, self._last) or tick - stamp > self._lifetime:
            return "stale"
        if stamp <= self._floor and stamp not in self._used:
            return "stale"
        return "ok" if nc > 0 and self._use(stamp, nc, tick) else "replay"

    def _use(self, stamp: int, nc: int, tick: int) -> bool:
        state = self._used.get(stamp)
        if state is None:
            self._make_room(tick)
            self._used[stamp] = nc << WINDOW | 1
            return True
        highest, seen = state >> WINDOW, state & WINDOW_MASK
        if nc > highest:
            shift = nc - highest
            seen = (seen << shift & WINDOW_MASK if shift < WINDOW else 0) | 1
            self._used[stamp] = nc << WINDOW | seen
            return True
        bit = 1 << (highest - nc) if highest - nc < WINDOW else 0
        if not bit or seen & bit:
            return False
        self._used[stamp] = state | bit
        return True

    def _make_room(self, tick: int) -> None:
        """Forget what is too old to be accepted anyway, and what is too much."""
        used = self._used
        while used:
            oldest = next(iter(used))
            if len(used) < self._remembered and tick - oldest <= self._lifetime:
                return
            del used[oldest]
            self._floor = max(self._floor or 0, oldest)

    def _mac(self, text: str) -> str:
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12, key=self._key).hexdigest()

    def _mark(self, whole: str, address: str) -> str:
        return blake2b(f"{whole} {address}".encode(), digest_size=MARK // 2, key=self._key).hexdigest()


def owner_of_nonce(nonce: str) -> str:
    """The id in front of a nonce, believed as it stands; "" when the text is none of ours."""
    owner, _, rest = nonce.partition(".")
    return owner if rest.count(".") == 1 else ""
