"""Round-trip times from the sender and receiver reports that pass through (RFC 3550 §6.4.1).

A sender report carries the time at which it was made; whoever heard it sends the middle of that time back in his next
report (LSR), with how long he had kept it (DLSR). The relay stands between: it knows when it passed the sender report
on, so what comes back tells the round trip between here and that phone. Both sides together are the path of the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

SENDER_REPORT, RECEIVER_REPORT = 200, 201
HEADER = Struct("!BBH")
"""V/P/RC, packet type, length in words less one (§6.4.1)."""
NTP_MIDDLE = Struct("!10xI")
"""The middle 32 bits of the NTP timestamp of a sender report: what LSR will repeat."""
BLOCK = Struct("!16xII")
"""LSR and DLSR (1/65536 s) of a report block."""
FIRST_BLOCK = {SENDER_REPORT: 28, RECEIVER_REPORT: 8}
REMEMBERED = 8
"""Sender reports that are waited for; they come seconds apart (§6.2), the answers a moment later."""
LONGEST = 10.0
"""Seconds; what claims to have travelled longer is wrong."""


class Reports:
    """What the RTCP of one side tells; `round_trip` in seconds, None before it is known.

    `partner` is the other side's: what is heard here is passed on there.
    """

    __slots__ = ("partner", "passed", "round_trip")

    def __init__(self) -> None:
        self.partner: Reports | None = None
        self.passed: dict[int, float] = {}
        self.round_trip: float | None = None

    def packet(self, data: bytes | bytearray, size: int, now: float) -> None:
        """Look through the first `size` octets of `data`, a compound packet that came at `now` (seconds) and is passed
        on. Raises nothing, whatever they are.
        """
        for kind, count, start, end in compound(data, size):
            if kind == SENDER_REPORT and end - start >= FIRST_BLOCK[kind] and self.partner is not None:
                self.partner.passes(NTP_MIDDLE.unpack_from(data, start)[0], now)
            first = start + FIRST_BLOCK[kind]
            for block in range(first, min(first + 24 * count, end - 23), 24):
                stamp, kept = BLOCK.unpack_from(data, block)
                self.answered(stamp, kept, now)

    def passes(self, stamp: int, now: float) -> None:
        """A sender report of the other side goes to this side."""
        while len(self.passed) >= REMEMBERED:
            del self.passed[next(iter(self.passed))]
        self.passed[stamp] = now

    def answered(self, stamp: int, kept: int, now: float) -> None:
        """This side has heard the sender report `stamp`, and kept it for `kept` / 65536 s."""
        passed = self.passed.get(stamp)
        if passed is not None and stamp:
            took = now - passed - kept / 65536
            if -0.001 < took < LONGEST:  # clocks of two machines run apart by that much while a report is kept
                self.round_trip = max(took, 0.0)

    def figures(self) -> dict[str, float | None]:
        """round_trip in milliseconds."""
        return {"round_trip": None if self.round_trip is None else round(self.round_trip * 1000, 2)}


def compound(data: bytes | bytearray, size: int) -> Iterator[tuple[int, int, int, int]]:
    """(packet type, number of blocks, start, end) of each report of a compound packet, up to the first nonsense."""
    start = 0
    while start + HEADER.size <= size:
        lead, kind, words = HEADER.unpack_from(data, start)
        end = start + 4 * (words + 1)
        if lead >> 6 != 2 or end > size:
            return
        if kind in FIRST_BLOCK:
            yield kind, lead & 0x1F, start, end
        start = end
