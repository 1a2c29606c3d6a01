"""What is heard of one RTP stream (RFC 3550 §6.4.1, A.1, A.3, A.8): packets, octets, lost, jitter.

It runs for every packet, so it is a few integer operations on what two fixed offsets of the header say.  Jitter needs the
clock of the payload: 8 kHz for the static audio types; of a dynamic type it is measured from the stream itself.
"""

from __future__ import annotations

from struct import Struct

HEADER = Struct("!BBHI")
"""V/P/X/CC, M/PT, sequence number, timestamp."""

CLOCKS = (8000, 16000, 24000, 32000, 44100, 48000, 90000)
DYNAMIC = 96
MEASURE = 50
"""Packets after which the clock of a dynamic type is taken as known."""
MAX_DROPOUT = 3000
"""A larger step of the sequence number is a new beginning, not a loss (A.1)."""


class Reception:
    """One direction of one stream; `jitter` in seconds."""

    __slots__ = (
        "arrival", "bytes", "clock", "cycles", "expected_before", "first", "highest", "jitter", "origin", "packets",
        "payload_type", "received", "stamp",
    )  # fmt: skip

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0
        self.received = 0
        self.first = -1
        self.highest = 0
        self.cycles = 0
        self.expected_before = 0
        self.payload_type = -1
        self.clock = 0
        self.stamp = 0
        self.arrival = 0.0
        self.origin = (0.0, 0)
        self.jitter = 0.0

    def packet(self, data: bytes, now: float) -> None:
        """Count a packet that came at `now` (seconds); anything that is no RTP counts as octets only."""
        self.packets += 1
        self.bytes += len(data)
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        _, kind, sequence, stamp = HEADER.unpack_from(data)
        self.received += 1
        step = (sequence - self.highest) & 0xFFFF
        if step < MAX_DROPOUT and self.first >= 0:
            if sequence < self.highest:
                self.cycles += 0x10000
            self.highest = sequence
        elif step <= 0x10000 - MAX_DROPOUT:
            self.begin(sequence, stamp, now, kind & 0x7F)
            return
        if kind & 0x7F == self.payload_type:
            self.vary(stamp, now)

    def begin(self, sequence: int, stamp: int, now: float, payload_type: int) -> None:
        """The first packet, or a sender that started anew."""
        if self.first >= 0:
            self.expected_before += self.expected() - self.expected_before
        self.first = self.highest = sequence
        self.cycles = 0
        self.payload_type = payload_type
        self.clock = 0 if payload_type >= DYNAMIC else 8000
        self.stamp, self.arrival, self.origin = stamp, now, (now, stamp)

    def vary(self, stamp: int, now: float) -> None:
        """Interarrival jitter (A.8)."""
        if self.clock:
            ticks = (stamp - self.stamp) & 0xFFFFFFFF
            if ticks < 0x80000000:
                off = (now - self.arrival) - ticks / self.clock
                self.jitter += ((off if off > 0 else -off) - self.jitter) / 16
        elif self.received >= MEASURE:
            self.clock = nearest_clock(now - self.origin[0], (stamp - self.origin[1]) & 0xFFFFFFFF)
        self.stamp, self.arrival = stamp, now

    def expected(self) -> int:
        """Packets that the sequence numbers say were sent."""
        if self.first < 0:
            return self.expected_before
        return self.expected_before + self.cycles + self.highest - self.first + 1

    def figures(self) -> dict[str, int | float]:
        """packets, bytes, lost, jitter in milliseconds."""
        lost = max(0, self.expected() - self.received)
        return {"packets": self.packets, "bytes": self.bytes, "lost": lost, "jitter": round(self.jitter * 1000, 2)}


def nearest_clock(seconds: float, ticks: int) -> int:
    """The usual RTP clock that comes closest to what was seen; 8000 when nothing moved."""
    if seconds <= 0 or not ticks:
        return 8000
    return min(CLOCKS, key=lambda clock: abs(clock - ticks / seconds))
