"""Transitions of numbers."""

from __future__ import annotations

import pytest

from rayswitch.records.transition import TRANSITION, Transition, change


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("replace 0 1 0086", "0755123", "0086755123"),
        ("replace 3 2 xy", "0123456", "012xy56"),
        ("insert 0 9", "13800", "913800"),
        ("insert 2 *", "13800", "13*800"),
        ("insert 5 #", "13800", "13800#"),
        ("delete 0 1", "913800", "13800"),
        ("delete 3 64", "913800", "913"),
        ("delete 0 64", "913800", ""),
        ("insert 7 0", "13800", "13800"),
        ("delete 6 1", "13800", "13800"),
    ],
)
def test_what_becomes_of_a_number(text: str, number: str, expected: str) -> None:
    transition = TRANSITION.read(text)
    assert transition.apply(number) == expected
    assert TRANSITION.plain(transition) == text


def test_several_one_after_the_other() -> None:
    assert change("0755123", [Transition("delete", 0, 1, ""), Transition("insert", 0, 0, "0086")]) == "0086755123"
    assert change("0755123", ()) == "0755123"


@pytest.mark.parametrize(
    "text",
    ["", "delete", "delete 0", "delete 0 1 2", "move 0 1", "delete -1 1", "delete 0 x", "delete 0 65", "insert 0 a b",
     "insert 0 ä", "replace 0 1", "delete 0 ²"],
)  # fmt: skip
def test_what_is_no_transition(text: str) -> None:
    with pytest.raises(ValueError):
        TRANSITION.read(text)
