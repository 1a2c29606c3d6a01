"""What is heard of a stream, against sequences whose figures are known."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.rtp.reception import SWITCH, Reception


def rtp(sequence: int, stamp: int, payload_type: int = 0, marker: bool = False) -> bytes:
    return struct.pack("!BBHII", 0x80, payload_type | marker << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1) + bytes(
        160
    )


def hear(reception: Reception, packets: list[tuple[bytes, float]]) -> dict[str, Any]:
    for data, now in packets:
        reception.packet(data, len(data), now)
    return reception.figures()


def steady(numbers: list[int], payload_type: int = 0, ticks: int = 160) -> list[tuple[bytes, float]]:
    return [(rtp(number, number * ticks, payload_type), number * 0.02) for number in numbers]


def test_a_steady_stream() -> None:
    assert hear(Reception(), steady(list(range(100)))) == {"packets": 100, "bytes": 17200, "lost": 0, "jitter": 0.0}


@pytest.mark.parametrize("first", [0, 65000, 65535])
def test_loss_over_the_wrap_of_the_sequence_number(first: int) -> None:
    numbers = [number for number in range(first, first + 1000) if number % 10 != 3]
    assert hear(Reception(), steady(numbers))["lost"] == sum(n % 10 == 3 for n in range(first, first + 1000))


def test_late_packets_are_not_lost() -> None:
    assert hear(Reception(), steady([0, 1, 2, 5, 3, 4, 6]))["lost"] == 0


def test_a_sender_that_starts_anew_has_lost_nothing() -> None:
    figures = hear(Reception(), steady(list(range(50))) + steady(list(range(30000, 30050))))
    assert (figures["packets"], figures["lost"]) == (100, 0)


def test_jitter_converges_to_the_mean_difference() -> None:
    packets = [(rtp(n, n * 160), n * 0.02 + (0.004 if n % 2 else 0.0)) for n in range(400)]
    assert hear(Reception(), packets)["jitter"] == pytest.approx(4.0, abs=0.05)


def test_the_clock_of_a_dynamic_type_is_measured() -> None:
    packets = [(rtp(n, n * 960, 111), n * 0.02 + (0.004 if n % 2 else 0.0)) for n in range(600)]
    assert hear(Reception(), packets)["jitter"] == pytest.approx(4.0, abs=0.1)


def test_marker_and_timestamp_wrap_are_no_jitter() -> None:
    base = 0xFFFFFFFF - 320
    packets = [(rtp(n, base + n * 160, 0, n % 7 == 0), n * 0.02) for n in range(50)]
    assert hear(Reception(), packets)["jitter"] == 0.0


def test_an_event_does_not_change_the_codec_but_a_codec_does() -> None:
    reception = Reception()
    hear(reception, steady(list(range(20))) + [(rtp(20 + n, 3200, 101), 0.4 + n * 0.02) for n in range(30)])
    assert reception.payload_type == 0
    hear(reception, steady(list(range(50, 50 + SWITCH)), 8))
    assert reception.payload_type == 8


def test_what_is_no_rtp_counts_as_octets() -> None:
    junk = [(b"", 0.0), (b"\r\n", 0.0), (b"\x00" * 40, 0.0)]
    assert hear(Reception(), junk) == {"packets": 3, "bytes": 42, "lost": 0, "jitter": 0.0}


@given(st.lists(st.tuples(st.binary(max_size=40), st.floats(0, 1e6))))
def test_no_packet_raises(packets: list[tuple[bytes, float]]) -> None:
    assert hear(Reception(), packets)["packets"] == len(packets)


@given(st.lists(st.integers(0, 40), min_size=1))
def test_lost_is_never_negative_and_packets_are_right(numbers: list[int]) -> None:
    figures = hear(Reception(), steady(numbers))
    assert figures["packets"] == len(numbers)
    assert 0 <= figures["lost"] <= 41


def test_another_source_is_a_new_beginning() -> None:
    other = [(data[:8] + b"\0\0\0\2" + data[12:], now + 1.0) for data, now in steady(list(range(70, 120)))]
    assert hear(Reception(), steady(list(range(50))) + other)["lost"] == 0


def test_a_packet_that_came_twice_is_no_jitter() -> None:
    packets = steady(list(range(50)))
    assert hear(Reception(), packets[:20] + packets[19:]) == {"packets": 51, "bytes": 8772, "lost": 0, "jitter": 0.0}


def test_a_short_packet_is_not_taken_for_what_the_buffer_held_before() -> None:
    reception = Reception()
    hear(reception, steady(list(range(10))))
    reception.packet(rtp(10, 1600), 11, 0.2)
    assert (reception.received, reception.strange) == (10, 1)


def plainly(packets: list[tuple[int, int, float]]) -> tuple[int, float]:
    """Lost and jitter (ms) as RFC 3550 A.3 and A.8 say it, of (number, timestamp, arrival) that do not wrap."""
    jitter, highest, before = 0.0, packets[0][0], packets[0]
    for number, stamp, arrival in packets[1:]:
        if number > highest:
            highest = number
            off = abs(arrival - before[2] - (stamp - before[1]) / 8000)
            jitter += (off - jitter) / 16
            before = (number, stamp, arrival)
    return max(0, highest - packets[0][0] + 1 - len(packets)), round(jitter * 1000, 2)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([160, 160, 160, 240]), st.integers(0, 40)), min_size=1),
    st.sampled_from([0, 65500]),
    st.sampled_from([0, 0xFFFFFF00]),
    st.sets(st.integers(0, 40)),
)
def test_short_cuts_change_no_figure(
    steps: list[tuple[int, int, int]], first: int, base: int, marked: set[int]
) -> None:
    """Steady stretches, losses, marks, other packet lengths, late packets, wraps: as if each were taken apart."""
    number, stamp, plan = 0, 0, []
    for lost, length, late in steps:
        for _ in range(4):
            number, stamp = number + 1, stamp + length
            plan.append((number, stamp, stamp / 8000 + late / 1000))
        number, stamp = number + lost % 4, stamp + lost % 4 * length
        if lost == 30:
            plan.append(plan[-3])
    arrived = [
        (rtp(first + number, base + stamp, 0, number in marked), arrival + 1.0) for number, stamp, arrival in plan
    ]
    figures = hear(Reception(), arrived)
    assert (figures["lost"], figures["jitter"]) == (plainly(plan)[0], pytest.approx(plainly(plan)[1], abs=0.02))
