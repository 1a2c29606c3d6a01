"""What is heard of one RTP stream (RFC 3550 §6.4.1, A.1, A.3, A.8): packets, octets, lost, jitter.

It runs for every packet, so `packet` is short when the packet is the one that was expected: next sequence number, same
payload type, no marker. All else goes through `irregular`. Jitter needs the clock of the payload: known for static
types (RFC 3551 §6), measured from the stream itself for dynamic ones. It is kept in seconds, not in clock ticks, so
that it outlives a change of codec.
"""

from __future__ import annotations

from struct import Struct

HEADER = Struct("!BBHI4x")
"""V/P/X/CC, M/PT, sequence number, timestamp, SSRC (RFC 3550 §5.1)."""
unpack = HEADER.unpack_from

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
NEVER = 0x10000


class Reception:
    """One direction of one stream; `jitter` in seconds, `tick` in seconds per timestamp unit (0: not known yet)."""

    __slots__ = (
        "arrival", "base", "bytes", "cycles", "expected_before", "expecting", "highest", "jitter", "origin", "other",
        "others", "payload_type", "received", "stamp", "strange", "tick",
    )  # fmt: skip

    def __init__(self) -> None:
        self.received = self.strange = self.bytes = 0
        self.base = -1
        self.expecting = NEVER
        self.highest = self.cycles = self.expected_before = 0
        self.payload_type = -1
        self.stamp = self.other = self.others = 0
        self.tick = self.arrival = self.jitter = 0.0
        self.origin = (0.0, 0, 0)

    def packet(self, data: bytes | bytearray, size: int, now: float) -> None:
        """Count the first `size` octets of `data`, a packet that came at `now` (seconds). What is no RTP counts as a
        packet and octets only.
        """
        self.bytes += size
        if size < HEADER.size:
            self.strange += 1
            return
        lead, kind, sequence, stamp = unpack(data)
        if sequence != self.expecting or kind != self.payload_type:
            self.irregular(lead, kind, sequence, stamp, now)
            return
        self.received += 1
        self.highest = sequence
        self.expecting = sequence + 1
        off = now - self.arrival - (stamp - self.stamp) * self.tick
        self.arrival = now
        self.stamp = stamp
        if off < 0.0:
            off = -off
        if off < ABSURD:
            self.jitter += (off - self.jitter) * 0.0625

    def irregular(self, lead: int, kind: int, sequence: int, stamp: int, now: float) -> None:
        """A packet that is first, marked, late, of another type, or no RTP; all while the clock is unknown."""
        if lead >> 6 != 2:
            self.strange += 1
            return
        self.received += 1
        payload_type = kind & 0x7F
        step = (sequence - self.highest) & 0xFFFF
        if self.base < 0 or MAX_DROPOUT <= step <= 0x10000 - MAX_MISORDER:
            self.begin(sequence, payload_type, stamp, now)
        elif step < MAX_DROPOUT:
            if sequence < self.highest:
                self.cycles += 0x10000
            self.highest = sequence
            if payload_type == self.payload_type:
                self.vary(stamp, now)
            else:
                self.observe_other(payload_type, stamp, now)
        self.expecting = self.highest + 1 if self.tick else NEVER

    def begin(self, sequence: int, payload_type: int, stamp: int, now: float) -> None:
        """The first packet, or a sender that started anew."""
        self.expected_before = self.expected()
        self.base = self.highest = sequence
        self.cycles = 0
        self.listen_to(payload_type, stamp, now)

    def listen_to(self, payload_type: int, stamp: int, now: float) -> None:
        """Measure jitter on this payload type from now on."""
        self.payload_type = payload_type
        self.tick = 0.0 if payload_type >= DYNAMIC else 1.0 / STATIC_CLOCKS.get(payload_type, 8000)
        self.stamp, self.arrival, self.origin = stamp, now, (now, stamp, self.received)
        self.others = 0

    def vary(self, stamp: int, now: float) -> None:
        """Interarrival jitter (A.8), and the clock when it is not known yet."""
        if self.tick:
            off = abs(now - self.arrival - ((stamp - self.stamp) & 0xFFFFFFFF) * self.tick)
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
        return self.expected_before + self.cycles + self.highest - self.base + 1

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
