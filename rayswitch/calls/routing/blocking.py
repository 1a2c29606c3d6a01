"""Call blocking: black and white list in one (FEATURES §3).

Of the records that fit both numbers the one with the longest called prefix decides, then the one with the longest
caller prefix; so a trie of called prefixes holds tries of caller prefixes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rayswitch.calls.routing.trie import Trie
from rayswitch.records.numbering import Block

Dice = Callable[[], float]
"""A number from 0 to 1, 1 left out."""


class BlockList:
    """The records, by both prefixes; immutable."""

    __slots__ = ("called",)

    def __init__(self, called: Trie[Trie[Block]] | None = None) -> None:
        self.called: Trie[Trie[Block]] = Trie() if called is None else called

    def put(self, record: Block) -> BlockList:
        """The same with this record."""
        callers = self.called.get(record.called) or Trie()
        return BlockList(self.called.put(record.called, callers.put(record.caller, record)))

    def without(self, caller: str, called: str) -> BlockList:
        """The same without the record for these prefixes."""
        callers = self.called.get(called)
        if callers is None:
            return self
        rest = callers.without(caller)
        return BlockList(self.called.put(called, rest) if rest else self.called.without(called))

    def decisive(self, caller: str, called: str) -> Block | None:
        """The record that decides."""
        return next(self.fitting(caller, called), None)

    def fitting(self, caller: str, called: str) -> Iterator[Block]:
        """All records that fit, the decisive one first."""
        for callers in self.called.all(called):
            yield from callers.all(caller)

    def __len__(self) -> int:
        return sum(len(callers) for _, callers in self.called.items())


def blocked(record: Block | None, dice: Dice) -> bool:
    """Is a call refused by this record? The dice are thrown only where chance decides."""
    if record is None or record.rate == 0:
        return False
    return record.rate == 100 or dice() * 100 < record.rate
