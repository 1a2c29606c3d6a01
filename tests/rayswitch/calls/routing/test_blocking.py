"""Call blocking: FEATURES §3, the table of seven cases among it."""

from __future__ import annotations

import math
import random

import pytest

from rayswitch.calls.routing.blocking import BlockList, blocked
from rayswitch.records.numbering import Block

RECORDS = [Block("101", "", 100), Block("", "9", 100), Block("100", "9", 0), Block("1", "913", 0)]


def listed(*records: Block) -> BlockList:
    blocks = BlockList()
    for record in records:
        blocks = blocks.put(record)
    return blocks


def never() -> float:
    raise AssertionError("chance has no say here")


@pytest.mark.parametrize(
    ("caller", "called", "decides", "refused"),
    [
        ("101", "100", 0, True),
        ("101", "913800", 3, False),
        ("100", "974413800", 2, False),
        ("102", "974413800", 1, True),
        ("102", "913800", 3, False),
        ("1011", "913800", 3, False),
        ("200", "913800", 1, True),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_seven_cases(caller: str, called: str, decides: int, refused: bool, order: int) -> None:
    record = listed(*RECORDS[::order]).decisive(caller, called)
    assert record == RECORDS[decides]
    assert blocked(record, never) is refused


def test_who_fits_no_record_gets_through() -> None:
    record = listed(*RECORDS).decisive("200", "100")
    assert record is None and not blocked(record, never)


def test_a_record_that_is_taken_out_decides_no_more() -> None:
    blocks = listed(*RECORDS)
    assert len(blocks) == 4
    without = blocks.without("1", "913").without("nobody", "9").without("1", "4")
    assert without.decisive("200", "913800") == without.decisive("101", "913800") == RECORDS[1]
    assert len(without) == 3 and len(blocks) == 4
    assert len(listed(RECORDS[0]).without("101", "").called) == 0


@pytest.mark.parametrize("rate", [1, 30, 99])
def test_a_rate_is_kept_within_the_error_of_chance(rate: int) -> None:
    chance, calls = random.Random(30), 20_000
    refused = sum(blocked(Block("", "", rate), chance.random) for _ in range(calls))
    expected, deviation = calls * rate / 100, math.sqrt(calls * rate / 100 * (1 - rate / 100))
    assert abs(refused - expected) < 3 * deviation
