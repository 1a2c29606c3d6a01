"""Round trips from reports: who said what when is invented here."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.rtp.reports import REMEMBERED, Reports

BYE = struct.pack("!BBHI", 0x81, 203, 1, 7)


def block(stamp: int, kept: float) -> bytes:
    return struct.pack("!IIIIII", 1, 0, 0, 0, stamp, int(kept * 65536))


def sender_report(stamp: int, *blocks: bytes) -> bytes:
    body = struct.pack("!IQIII", 7, stamp << 16, 0, 0, 0) + b"".join(blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 200, len(body) // 4) + body


def receiver_report(*blocks: bytes) -> bytes:
    body = struct.pack("!I", 7) + b"".join(blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 201, len(body) // 4) + body


def sides() -> tuple[Reports, Reports]:
    alice, bob = Reports(), Reports()
    alice.partner, bob.partner = bob, alice
    return alice, bob


def hear(side: Reports, data: bytes, now: float) -> None:
    side.packet(data + b"\xaa" * 40, len(data), now)


def test_a_receiver_report_tells_the_way_to_who_sent_it() -> None:
    alice, bob = sides()
    hear(alice, sender_report(0xABCD1234), 10.0)
    hear(bob, receiver_report(block(5, 0.1), block(0xABCD1234, 1.5)) + BYE, 11.54)
    assert bob.figures() == {"round_trip": pytest.approx(40.0, abs=0.1)}
    assert alice.figures() == {"round_trip": None}


def test_both_ways_with_sender_reports() -> None:
    alice, bob = sides()
    hear(alice, sender_report(1), 0.0)
    hear(bob, BYE + sender_report(2, block(1, 3.0)), 3.02)
    hear(alice, sender_report(3, block(2, 2.0)), 5.03)
    assert alice.round_trip == pytest.approx(0.01, abs=0.001)
    assert bob.round_trip == pytest.approx(0.02, abs=0.001)


@pytest.mark.parametrize("stamp", [0, 9])
def test_what_was_not_passed_on_is_not_believed(stamp: int) -> None:
    alice, bob = sides()
    hear(alice, sender_report(1), 0.0)
    hear(bob, receiver_report(block(stamp, 0.0)), 0.5)
    assert bob.round_trip is None


@pytest.mark.parametrize("kept", [2.0, 0.0])
def test_impossible_times_are_not_believed(kept: float) -> None:
    alice, bob = sides()
    hear(alice, sender_report(1), 0.0)
    hear(bob, receiver_report(block(1, kept)), 1.0 if kept else 100.0)
    assert bob.round_trip is None


def test_few_reports_are_remembered() -> None:
    alice, bob = sides()
    for stamp in range(1, 1000):
        hear(alice, sender_report(stamp), float(stamp))
    assert len(bob.passed) == REMEMBERED


def test_a_block_that_is_cut_off_is_not_read() -> None:
    alice, bob = sides()
    hear(alice, sender_report(1), 0.0)
    hear(bob, struct.pack("!BBH", 0x81, 201, 6) + receiver_report(block(1, 0.0))[4:-4], 0.1)
    assert bob.round_trip is None


@given(st.lists(st.tuples(st.booleans(), st.one_of(st.binary(max_size=80), st.integers(0, 3).map(sender_report)))))
def test_no_packet_raises(packets: list[tuple[bool, bytes]]) -> None:
    pair = sides()
    for number, (which, data) in enumerate(packets):
        hear(pair[which], data, float(number))
        pair[which].packet(data, len(data), float(number))
