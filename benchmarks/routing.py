"""The dial plan alone: a look-up among 100,000 prefixes, a whole decision over filled tables, a change.

`python -m benchmarks.routing` prints microseconds; the budget of a look-up is 5 µs.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from rayswitch.calls.directory import Account, Directory
from rayswitch.calls.routing.pipeline import decide
from rayswitch.calls.routing.route import Dialled
from rayswitch.calls.routing.tables import Row, Tables
from rayswitch.calls.routing.trie import Trie
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber, Group, Refinement
from rayswitch.records.transition import Transition

DIGITS = "0123456789"
PREFIXES = 100_000
BUDGET = 5.0


def prefixes(count: int, seed: int = 4) -> list[str]:
    """`count` different prefixes of 4 to 10 digits."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(DIGITS, k=chance.randint(4, 10)))] = None
    return list(found)


def numbers(table: Sequence[str], count: int) -> list[str]:
    """Dialled numbers, each with a prefix of the table."""
    chance = random.Random(5)
    return [prefix + "4711" for prefix in chance.choices(table, k=count)]


def records(routes: int, blocks: int, lines: int) -> list[Row]:
    """Rows for all tables of the dial plan; the groups hold the lines by tens."""
    groups = [
        Group(f"g{n}", tuple(f"line/l{m}" for m in range(n * 10, n * 10 + 10)), "round robin")
        for n in range(lines // 10)
    ]
    out = Transition("delete", 0, 1, "")
    called = [
        CalledNumber(prefix, "line group", f"g{n % len(groups)}", n % 3, (out,))
        for n, prefix in enumerate(prefixes(routes))
    ]
    blocked = [
        Block(caller, called, n % 2 * 30)
        for n, (caller, called) in enumerate(zip(prefixes(blocks, 6), prefixes(blocks, 7), strict=True))
    ]
    callers = [CallerNumber(prefix, (Transition("insert", 0, 0, "0"),)) for prefix in prefixes(100, 8)]
    refined = [
        Refinement(which, group.name, prefix, (Transition("insert", 0, 0, "0086"),))
        for which in ("caller", "called")
        for group in groups
        for prefix in prefixes(10, 9)
    ]
    return [row(record) for record in (*groups, *called, *blocked, *callers, *refined)]


def row(record: Any) -> Row:
    """A record as a change."""
    return type(record), tuple(getattr(record, name) for name in record.KEY), record


def directory(count: int) -> Directory:
    """Extensions from 10000 on."""
    made = Directory("rayswitch.local")
    made.apply(1, ((str(10000 + n), Account("", bytes(16), bytes(32))) for n in range(count)))
    return made


def best(step: Callable[[str], object], words: Sequence[str], rounds: int = 30) -> float:
    """Microseconds of one call of `step`: the best of some rounds, since other work only adds to it."""
    least = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for word in words:
            step(word)
        least = min(least, time.perf_counter() - began)
    return least / len(words) * 1e6


def main() -> int:
    table = prefixes(PREFIXES)
    tracemalloc.start()
    trie = Trie.of((prefix, prefix) for prefix in table)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    began = time.perf_counter()
    Trie.of((prefix, prefix) for prefix in table)
    built = time.perf_counter() - began
    sample = numbers(table, 5000)
    look_up = best(trie.find, sample)
    tables = Tables().changed(records(1000, 1000, 100))
    people = directory(10_000)
    outside, inside = numbers([prefix for prefix, _ in tables.called.items()], 1000), list(people.accounts)[:1000]
    chance = random.Random(1)
    rows = [
        (f"look-up among {PREFIXES:,} prefixes (budget {BUDGET:g})", look_up),
        ("all prefixes of a number", best(trie.all, sample)),
        ("a prefix more", best(lambda prefix: trie.put(prefix, prefix), sample[:500])),
        (
            "decision, to an extension",
            best(lambda n: decide(tables, people, Dialled("10001", n, "10001"), chance.random), inside),
        ),
        (
            "decision, to a group",
            best(lambda n: decide(tables, people, Dialled("10001", n, "10001"), chance.random), outside),
        ),
    ]
    for name, cost in rows:
        print(f"{name:48} {cost:7.2f} µs")
    print(f"{'built from nothing':48} {built:7.2f} s, {size / 1e6:.0f} MB")
    return int(look_up > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
