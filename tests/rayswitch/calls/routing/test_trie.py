"""Longest-prefix look-up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.routing import best, numbers, prefixes
from rayswitch.calls.routing.trie import Trie

NUMBERS = st.text("019*", max_size=6)
TABLES = st.dictionaries(NUMBERS, st.integers(), max_size=30)


def fitting(table: dict[str, int], number: str) -> list[int]:
    """What a trie should find, the slow way."""
    return [table[number[:end]] for end in range(len(number), -1, -1) if number[:end] in table]


@given(TABLES, NUMBERS)
def test_it_finds_what_a_search_through_all_prefixes_finds(table: dict[str, int], number: str) -> None:
    trie = Trie.of(table.items())
    expected = fitting(table, number)
    assert trie.all(number) == expected
    assert trie.find(number) == (expected[0] if expected else None)
    assert trie.get(number) == table.get(number)
    assert dict(trie.items()) == table and len(trie) == len(table) and bool(trie) == bool(table)


@given(TABLES, st.lists(st.tuples(NUMBERS, st.none() | st.integers()), max_size=30))
def test_a_change_gives_another_trie_and_leaves_the_old_one_alone(
    table: dict[str, int], changes: list[tuple[str, int | None]]
) -> None:
    trie = before = Trie.of(table.items())
    now = dict(table)
    for prefix, value in changes:
        trie = trie.without(prefix) if value is None else trie.put(prefix, value)
        now = {key: old for key, old in now.items() if key != prefix} | ({} if value is None else {prefix: value})
    assert dict(trie.items()) == now
    assert dict(before.items()) == table
    assert bool(trie) == bool(now)


def test_100_000_prefixes_are_looked_up_in_less_than_five_microseconds() -> None:
    table = prefixes(100_000)
    trie = Trie.of((prefix, prefix) for prefix in table)
    assert len(trie) == 100_000
    assert best(trie.find, numbers(table, 2000)) < 5
