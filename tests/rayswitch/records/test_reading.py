"""pbx.yaml: what it may say, and what is said about mistakes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayswitch.config import ConfigError, Listener
from rayswitch.records import KINDS, Content, Extension, difference, key_of
from rayswitch.records.content import from_plain, plain
from rayswitch.records.numbering import Block, CalledNumber, Dialling, Group
from rayswitch.records.reading import Plan
from rayswitch.records.transition import Transition
from rayswitch.records.writing import written

DOCS = Path(__file__).parents[3] / "docs" / "records.md"
NOTHING: Content = {kind: {} for kind in KINDS}


def stated(text: str) -> dict[str, Any]:
    return dict(Plan(text, "pbx.yaml").merged(NOTHING))


def complaint(text: str, kept: Content = NOTHING) -> str:
    with pytest.raises(ConfigError) as caught:
        Plan(text, "pbx.yaml").merged(kept)
    return str(caught.value)


def test_the_kinds_of_a_file() -> None:
    content = stated(
        """
extensions:
  - number: 101
    name: Alice
    password: secret
    levels: [1, 2]
    max_calls: 0
    address: udp://192.0.2.7:5060
groups:
  - {name: outside, members: [line/a, trunk/b], choose: round robin}
dialling: {outgoing_prefix: 0}
called_numbers:
  - {prefix: 00, route: line group, target: outside, level: 2, transition: [delete 0 2, insert 0 +]}
blocks:
  - {caller: anonymous, called: '*'}
"""
    )
    options = {"levels": (1, 2), "max_calls": 0, "address": Listener("udp", "192.0.2.7", 5060)}
    assert content["extensions"] == {
        ("101",): Extension(number="101", name="Alice", password="secret", **options)  # type: ignore[arg-type]
    }
    assert content["groups"]["outside",] == Group("outside", ("line/a", "trunk/b"), "round robin")
    assert content["dialling"][()] == Dialling("0")
    transition = (Transition("delete", 0, 2, ""), Transition("insert", 0, 0, "+"))
    assert content["called_numbers"]["00",] == CalledNumber("00", "line group", "outside", 2, transition)
    assert content["blocks"]["anonymous", ""] == Block("anonymous", "", 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "pbx.yaml:1: expected sections such as `extensions:`, got a list"),
        ("block: []", "pbx.yaml:1: block: unknown section, did you mean 'blocks'?"),
        ("blocks: []\nblocks: []", "pbx.yaml:2: blocks: expected once, got it a second time"),
        ("blocks:\n  a: b", "pbx.yaml:2: blocks: expected a list of records, got keys"),
        ("blocks:\n  - a", "pbx.yaml:2: blocks[1]: expected keys, got 'a'"),
        ("dialling: []", "pbx.yaml:1: dialling: expected keys, got a list"),
        ("blocks:\n  - {caller: 1, caled: 2}", "pbx.yaml:2: blocks[1].caled: unknown key, did you mean 'called'?"),
        (
            "blocks:\n  - {caller: 1, called: 2, rate: 101}",
            "pbx.yaml:2: blocks[1].rate: expected a whole number from 0 to 100, got '101'",
        ),
        (
            "blocks:\n  - caller: 1",
            "pbx.yaml:2: blocks[1].called: expected the beginning of a number (digits, letters and + * # - _ .), or *"
            " for any number, got nothing",
        ),
        (
            "blocks:\n  - {caller: 1, called: 2}\n  - {caller: 1, called: 2, rate: 0}",
            "pbx.yaml:3: blocks[2]: the same record is in line 2 already",
        ),
        (
            "called_numbers:\n  - {prefix: 1, transition: replace 0 1}",
            "pbx.yaml:2: called_numbers[1].transition: expected replace START LENGTH TEXT, insert START TEXT or delete"
            " START LENGTH, got 'replace 0 1'",
        ),
        (
            "groups:\n  - {name: a, members: line/x}\ncalled_numbers:\n  - {prefix: 1, route: line group, target: b}",
            "pbx.yaml:4: called_numbers[1].target: expected the name of a group (a), got 'b'",
        ),
        (
            "refinements:\n  - {group: b, prefix: 1}",
            "pbx.yaml:2: refinements[1].group: expected the name of a group (there is none yet), got 'b'",
        ),
        ("groups:\n  - name: a", "pbx.yaml:2: groups[1].members: expected line/NAME or trunk/NAME, got nothing"),
        (
            "extensions:\n  - {number: 1, password: x, ha1: y}",
            "pbx.yaml:2: extensions[1].ha1: expected the HA1 by MD5 and by SHA-256 in hex, with a space between, got"
            " another",
        ),
        (
            f"extensions:\n  - {{number: 1, password: x, ha1: {'a' * 32} {'b' * 64}}}",
            "pbx.yaml:2: extensions[1].ha1: expected either password or ha1, got both",
        ),
    ],
)
def test_a_mistake_is_named(text: str, expected: str) -> None:
    assert complaint(text) == expected


def test_a_record_that_is_kept_and_loses_what_it_needs_is_named_too() -> None:
    kept = stated("groups:\n  - {name: a, members: line/x}\nrefinements:\n  - {group: a, prefix: 0}")
    problem = complaint("groups: []", kept)
    assert problem == (
        "pbx.yaml: refinements called a 0 (kept).group: expected the name of a group (there is none yet), got 'a'"
    )


def test_a_section_is_the_whole_of_its_kind_and_silence_keeps() -> None:
    kept = stated("blocks:\n  - {caller: 1, called: 2}\naddresses:\n  - network: 192.0.2.0/24")
    plan = Plan("blocks:\n  - {caller: 1, called: 3, note: new}", "pbx.yaml")
    changes = difference(kept, plan.merged(kept))
    assert [(change.kind, change.key, change.new is None) for change in changes] == [
        ("blocks", ("1", "2"), True),
        ("blocks", ("1", "3"), False),
    ]
    assert not difference(kept, Plan("", "pbx.yaml").merged(kept))


SIGNS = st.text("0123456789+*#ab", min_size=1, max_size=8).filter(lambda text: text != "*")  # that is: any
NOTES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=20)
TRANSITIONS = st.lists(
    st.builds(lambda start, text: Transition("insert", start, 0, text), st.integers(0, 9), SIGNS), max_size=2
)
CALLED = st.builds(
    lambda prefix, level, transition, status, note: CalledNumber(
        prefix, "reject", "", level, tuple(transition), status, note
    ),
    SIGNS | st.just(""),
    st.integers(0, 9),
    TRANSITIONS,
    st.integers(400, 699),
    NOTES,
)
BLOCKS = st.builds(Block, SIGNS | st.just(""), SIGNS | st.just(""), st.integers(0, 100), NOTES)
EXTENSIONS = st.builds(
    lambda number, name, levels, limit: Extension(
        number=number, name=name, levels=tuple(levels), max_calls=limit, ha1=f"{'0' * 32} {'f' * 64}"
    ),
    st.from_regex(r"[0-9]{1,6}|[a-z]{1,6}", fullmatch=True),
    NOTES,
    st.lists(st.integers(1, 9), max_size=3),
    st.none() | st.integers(0, 10_000),
)


@settings(max_examples=60)
@given(st.lists(CALLED, max_size=4), st.lists(BLOCKS, max_size=4), st.lists(EXTENSIONS, max_size=4))
def test_what_is_written_reads_as_the_same(
    called: list[CalledNumber], blocks: list[Block], extensions: list[Extension]
) -> None:
    groups: dict[str, list[Any]] = {"called_numbers": called, "blocks": blocks, "extensions": extensions}
    content = {**NOTHING, **{kind: {key_of(record): record for record in rows} for kind, rows in groups.items()}}
    assert Plan(written(content), "again").merged(NOTHING) == content
    for rows in content.values():
        for record in rows.values():
            assert from_plain(type(record), plain(record)) == record


def documented(kind: str) -> list[str]:
    """The rows that docs/records.md must have."""
    rows = []
    for item in fields(KINDS[kind]):
        meta = item.metadata
        values = item.default if meta["several"] else (item.default,)
        default = ", ".join(f"`{meta['kind'].plain(one)}`" for one in values if one not in ("", None))
        expected = meta["kind"].expected + (", or a list" if meta["several"] else "")
        name = f"**`{item.name}`**" if item.name in KINDS[kind].KEY else f"`{item.name}`"
        rows.append(f"| {name} | {default} | {expected} | {meta['meaning']} |")
    return rows


def test_docs_and_code_name_the_same_kinds_and_keys() -> None:
    said: dict[str, list[str]] = {}
    for part in DOCS.read_text().split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        if heading.strip("`") in KINDS:
            said[heading.strip("`")] = [line for line in text.splitlines() if line.startswith(("| `", "| **`"))]
    assert said == {kind: documented(kind) for kind in KINDS}


def test_the_example_of_the_docs_is_valid() -> None:
    example = DOCS.read_text().split("```yaml\n")[1].split("```")[0]
    assert len(stated(example)["called_numbers"]) > 1
