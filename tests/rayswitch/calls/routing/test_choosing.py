"""The order in which the members of a group are tried."""

from __future__ import annotations

from rayswitch.calls.routing.choosing import Chooser
from rayswitch.records.numbering import Group

ABC = ("line/a", "line/b", "trunk/c")


def firsts(chooser: Chooser, group: Group, count: int, loads: list[int] | None = None) -> str:
    return "".join(chooser.order(group, loads or ())[0][-1] for _ in range(count))


def test_in_order_the_first_is_always_the_first() -> None:
    assert firsts(Chooser(), Group("g", ABC, "order"), 4) == "aaaa"


def test_in_turn_each_is_first_once_and_the_others_follow() -> None:
    chooser, group = Chooser(), Group("g", ABC, "round robin")
    assert firsts(chooser, group, 5) == "abcab"
    assert chooser.order(group) == ["trunk/c", "line/a", "line/b"]
    assert firsts(chooser, Group("other", ABC[:2], "round robin"), 3) == "aba"


def test_the_least_loaded_comes_first_and_equal_ones_in_turn() -> None:
    chooser, group = Chooser(), Group("g", ABC, "least loaded")
    assert chooser.order(group, [2, 0, 1]) == ["line/b", "trunk/c", "line/a"]
    assert set(firsts(chooser, group, 3, [1, 5, 1])) == {"a", "c"}
    assert firsts(Chooser(), group, 3) == "abc"  # nobody knows the loads
