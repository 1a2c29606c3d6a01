"""The records of the dial plan as an immutable snapshot, and how a newer one is made of it.

A change shares everything that it does not touch with the snapshot before; a call decides over one snapshot from its
first step to its last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from rayswitch.calls.routing.blocking import BlockList
from rayswitch.calls.routing.trie import Trie
from rayswitch.records.lines import Line, Trunk
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber, Dialling, Group, Refinement
from rayswitch.records.transition import Transition

Row = tuple[type, tuple[str, ...], Any]
"""Class of a record, values of its key, and the record; None for one that was removed."""


DEFAULTS = Dialling()


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables; refinements by (which number, group)."""

    blocks: BlockList = field(default_factory=BlockList)
    callers: Trie[CallerNumber] = field(default_factory=Trie)
    called: Trie[CalledNumber] = field(default_factory=Trie)
    refinements: dict[tuple[str, str], Trie[Refinement]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    dialling: Dialling = DEFAULTS
    incoming: dict[str, int] = field(default_factory=dict)
    """How many calls may come at once by a line or trunk; without an entry any number."""

    @property
    def outgoing(self) -> CalledNumber | None:
        """The outgoing prefix as a record; None without a prefix, and without the group that it leads to."""
        prefix, group = self.dialling.outgoing_prefix, self.dialling.outgoing_group
        return outgoing(prefix, group) if prefix and group in self.groups else None

    def changed(self, rows: Iterable[Row]) -> Tables:
        """The same after these changes; rows of kinds that the dial plan does not know are for others."""
        tables = self
        for kind, key, record in rows:
            change = CHANGES.get(kind)
            if change is not None:
                tables = change(tables, key, record)
        return tables


@lru_cache(maxsize=16)
def outgoing(prefix: str, group: str) -> CalledNumber:
    """What the outgoing prefix amounts to."""
    return CalledNumber(prefix, "line group", group, transition=(Transition("delete", 0, len(prefix), ""),))


def block(tables: Tables, key: tuple[str, ...], record: Block | None) -> Tables:
    blocks = tables.blocks
    return replace(tables, blocks=blocks.put(record) if record else blocks.without(*key))


def caller_number(tables: Tables, key: tuple[str, ...], record: CallerNumber | None) -> Tables:
    return replace(tables, callers=entered(tables.callers, key[0], record))


def called_number(tables: Tables, key: tuple[str, ...], record: CalledNumber | None) -> Tables:
    return replace(tables, called=entered(tables.called, key[0], record))


def refinement(tables: Tables, key: tuple[str, ...], record: Refinement | None) -> Tables:
    number, group, prefix = key
    trie = entered(tables.refinements.get((number, group), Trie()), prefix, record)
    return replace(tables, refinements=tables.refinements | {(number, group): trie})


def group(tables: Tables, key: tuple[str, ...], record: Group | None) -> Tables:
    others = {name: other for name, other in tables.groups.items() if name != key[0]}
    return replace(tables, groups=others | {record.name: record} if record else others)


def dialling(tables: Tables, key: tuple[str, ...], record: Dialling | None) -> Tables:
    return replace(tables, dialling=record or DEFAULTS)


def outside(tables: Tables, kind: str, key: tuple[str, ...], record: Line | Trunk | None) -> Tables:
    member = f"{kind}/{key[0]}"
    others = {name: most for name, most in tables.incoming.items() if name != member}
    most = record.max_incoming if record is not None else None
    return replace(tables, incoming=others if most is None else others | {member: most})


def line(tables: Tables, key: tuple[str, ...], record: Line | None) -> Tables:
    return outside(tables, "line", key, record)


def trunk(tables: Tables, key: tuple[str, ...], record: Trunk | None) -> Tables:
    return outside(tables, "trunk", key, record)


def entered(trie: Trie[Any], prefix: str, record: Any) -> Trie[Any]:
    """A table with a record, or without."""
    return trie.without(prefix) if record is None else trie.put(prefix, record)


CHANGES: dict[type, Callable[[Tables, tuple[str, ...], Any], Tables]] = {
    Block: block,
    CallerNumber: caller_number,
    CalledNumber: called_number,
    Refinement: refinement,
    Group: group,
    Dialling: dialling,
    Line: line,
    Trunk: trunk,
}
