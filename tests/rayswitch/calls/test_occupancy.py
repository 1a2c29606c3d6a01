"""Counting calls against limits."""

from __future__ import annotations

from rayswitch.calls.occupancy import Occupancy

BOB = "bob@example.com"


def seize(counted: Occupancy, call: str, out: bool, most: int | None, most_out: int | None = None) -> bool:
    return counted.seize(BOB, (call, out), "s0", most, most_out)


def test_calls_in_and_out_count_together() -> None:
    counted = Occupancy()
    assert seize(counted, "1", True, 2) and seize(counted, "2", False, 2)
    assert not seize(counted, "3", True, 2) and not seize(counted, "4", False, 2)
    assert counted.count(BOB) == (2, 1)
    counted.free(BOB, ("1", True))
    assert seize(counted, "5", False, 2)


def test_outgoing_calls_have_a_limit_of_their_own() -> None:
    counted = Occupancy()
    assert seize(counted, "1", True, None, 1) and not seize(counted, "2", True, None, 1)
    assert seize(counted, "3", False, None, 1) and seize(counted, "4", False, None)
    assert counted.count(BOB) == (3, 1)


def test_a_limit_of_0_lets_nobody_in() -> None:
    counted = Occupancy()
    assert not seize(counted, "1", True, 0) and not seize(counted, "1", True, None, 0)
    assert seize(counted, "1", False, None, 0)


def test_what_is_told_twice_counts_once() -> None:
    counted = Occupancy()
    assert seize(counted, "1", True, 1) and seize(counted, "1", True, 1)
    assert counted.count(BOB) == (1, 1)
    assert seize(counted, "1", False, 2), "a call to oneself is two uses"
    counted.free(BOB, ("1", True))
    counted.free(BOB, ("1", True))
    counted.free("nobody", ("1", True))
    assert counted.count(BOB) == (1, 0)


def test_a_host_that_comes_back_has_what_it_says_and_no_more() -> None:
    counted = Occupancy()
    for call in "12":
        seize(counted, call, True, None)
    counted.hold(BOB, ("3", False), "s1")
    counted.hold("carol", ("4", False), "s0")
    counted.holding("s0", [(BOB, ("2", True)), (BOB, ("5", False))])
    assert counted.count(BOB) == (3, 1) and counted.count("carol") == (0, 0)
    assert sorted(counted.rows()) == [[BOB, 3, 1]]
    counted.holding("s0", [])
    counted.holding("s1", [])
    assert counted.uses == {}
