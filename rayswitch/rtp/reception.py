"""What is heard of one RTP stream (RFC 3550 §6.4.1, A.1, A.3, A.8): packets, octets, lost, jitter.

It runs for every packet, so `packet` looks at one number only: the first eight octets. Those of a regular packet are
those of the packet before, with the sequence number one higher and the timestamp a packet's length on; then nothing has
to be taken apart, and what follows (highest sequence number, timestamp, arrival) is worked out when somebody asks. All
else (first, marked, late, after a loss, another type, a wrap) goes through `irregular`. Jitter needs the clock of the
payload: known for static types (RFC 3551 §6), measured from the stream itself for dynamic ones. It is kept in seconds,
not in clock ticks, so that it outlives a change of codec.
"""

from __future__ import annotations

from struct import Struct

HEADER = 12
"""Octets of the fixed header (RFC 3550 §5.1): what every packet has."""
unpack = Struct("!Q").unpack_from
"""V/P/X/CC, M/PT, sequence number, timestamp: the lead of a packet."""
unpack_source = Struct("!8xI").unpack_from
"""SSRC."""
MARKER = 1 << 55
NEXT = 1 << 32
"""One sequence number in a lead."""

CLOCKS = (8000, 16000, 24000, 32000, 44100, 48000, 90000)
STATIC_CLOCKS = {6: 16000, 10: 44100, 11: 44100, 14: 90000, 16: 11025, 17: 22050} | dict.fromkeys(range(25, 35), 90000)
"""Payload types below 96 whose clock is not 8 kHz."""
DYNAMIC = 96
MEASURE = 50
"""Packets after which the clock of a dynamic type is taken as known."""
MAX_DROPOUT = 3000
"""A larger step of the sequence number is a new beginning, not a loss (A.1)."""
MAX_MISORDER = 100
"""As far back a packet is late, farther back it is a new beginning (A.1)."""
SWITCH = 10
"""So many timestamps of another payload type are a change of codec; a DTMF event has one timestamp (RFC 4733 §2.5)."""
ABSURD = 2.0
"""Seconds: a larger difference is a new timestamp base, not jitter."""
NEVER = -1


class Reception:
    """One direction of one stream; `jitter` in seconds, `tick` in seconds per timestamp unit (0: not known yet).

    `expecting` is the lead of the next regular packet, `due` when it should come, `advance` what it has more than the
    one before.
    """

    __slots__ = (
        "advance", "arrival", "base", "bytes", "cycles", "due", "expected_before", "expecting", "highest", "jitter",
        "origin", "other", "others", "payload_type", "period", "received", "source", "stamp", "strange", "tick",
    )  # fmt: skip

    def __init__(self) -> None:
        self.received = self.strange = self.bytes = 0
        self.base = self.source = self.payload_type = -1
        self.expecting = NEVER
        self.advance = self.highest = self.cycles = self.expected_before = 0
        self.stamp = self.other = self.others = 0
        self.tick = self.arrival = self.jitter = self.due = self.period = 0.0
        self.origin = (0.0, 0, 0)

    def packet(self, data: bytes | bytearray, size: int, now: float) -> None:
        """Count the first `size` octets of `data`, a packet that came at `now` (seconds). What is no RTP counts as a
        packet and octets only.
        """
        self.bytes += size
        if size < HEADER:
            self.strange += 1
            return
        (lead,) = unpack(data)
        if lead != self.expecting:
            self.irregular(lead, unpack_source(data)[0], now)
            return
        self.received += 1
        self.expecting = lead + self.advance
        off = now - self.due
        self.due = now + self.period
        if off < 0.0:
            off = -off
        if off < ABSURD:
            self.jitter += (off - self.jitter) * 0.0625

    def irregular(self, lead: int, source: int, now: float) -> None:
        """A packet that is first, marked, late, of another type, or no RTP; all while the clock is unknown."""
        if lead >> 62 != 2:
            self.strange += 1
            return
        self.received += 1
        self.settle()
        sequence, stamp, payload_type = lead >> 32 & 0xFFFF, lead & 0xFFFFFFFF, lead >> 48 & 0x7F
        step = (sequence - self.highest) & 0xFFFF
        if self.base < 0 or source != self.source or MAX_DROPOUT <= step <= 0x10000 - MAX_MISORDER:
            self.source = source
            self.begin(sequence, payload_type, stamp, now)
        elif 0 < step < MAX_DROPOUT:
            if sequence < self.highest:
                self.cycles += 0x10000
            self.highest = sequence
            if payload_type == self.payload_type:
                self.vary(step, stamp, now)
            else:
                self.observe_other(payload_type, stamp, now)
        else:
            return  # late or twice: the next regular packet is the same as before
        self.expect(lead, payload_type, now)

    def settle(self) -> None:
        """Work out what regular packets have left behind."""
        if self.expecting != NEVER:
            last = self.expecting - self.advance
            self.highest, self.stamp = last >> 32 & 0xFFFF, last & 0xFFFFFFFF
            self.arrival = self.due - self.period

    def expect(self, lead: int, payload_type: int, now: float) -> None:
        """What the next packet should be, once clock and length of a packet are known."""
        if self.tick and self.advance and payload_type == self.payload_type:
            self.expecting = (lead & ~MARKER) + self.advance
            self.period = (self.advance - NEXT) * self.tick
            self.due = now + self.period
        else:
            self.expecting = NEVER

    def begin(self, sequence: int, payload_type: int, stamp: int, now: float) -> None:
        """The first packet, or a sender that started anew."""
        self.expected_before = self.expected()
        self.base = self.highest = sequence
        self.expecting = NEVER
        self.cycles = 0
        self.listen_to(payload_type, stamp, now)

    def listen_to(self, payload_type: int, stamp: int, now: float) -> None:
        """Measure jitter on this payload type from now on."""
        self.payload_type = payload_type
        self.tick = 0.0 if payload_type >= DYNAMIC else 1.0 / STATIC_CLOCKS.get(payload_type, 8000)
        self.stamp, self.arrival, self.origin = stamp, now, (now, stamp, self.received)
        self.advance = self.others = 0

    def vary(self, step: int, stamp: int, now: float) -> None:
        """Interarrival jitter (A.8), the length of a packet, and the clock when it is not known yet."""
        length = (stamp - self.stamp) & 0xFFFFFFFF
        if step == 1 and length < 0x80000000:
            self.advance = NEXT + length
        if self.tick:
            off = abs(now - self.arrival - length * self.tick)
            if off < ABSURD:
                self.jitter += (off - self.jitter) * 0.0625
        elif self.received - self.origin[2] >= MEASURE:
            self.tick = 1.0 / nearest_clock(now - self.origin[0], (stamp - self.origin[1]) & 0xFFFFFFFF)
        self.stamp, self.arrival = stamp, now

    def observe_other(self, payload_type: int, stamp: int, now: float) -> None:
        """A packet of another payload type: an event, or the first of a new codec."""
        if stamp != self.other:
            self.other = stamp
            self.others += 1
            if self.others == SWITCH:
                self.listen_to(payload_type, stamp, now)

    def expected(self) -> int:
        """Packets that the sequence numbers say were sent (A.3)."""
        if self.base < 0:
            return self.expected_before
        highest = self.highest if self.expecting == NEVER else (self.expecting - self.advance) >> 32 & 0xFFFF
        return self.expected_before + self.cycles + highest - self.base + 1

    def figures(self) -> dict[str, int | float]:
        """packets, bytes (payload of UDP), lost, jitter in milliseconds."""
        lost = max(0, self.expected() - self.received)
        packets = self.received + self.strange
        return {"packets": packets, "bytes": self.bytes, "lost": lost, "jitter": round(self.jitter * 1000, 2)}


def nearest_clock(seconds: float, ticks: int) -> int:
    """The usual RTP clock that comes closest to what was seen; 8000 when nothing moved."""
    if seconds <= 0 or not ticks:
        return 8000
    return min(CLOCKS, key=lambda clock: abs(clock - ticks / seconds))
