"""Longest-prefix look-up: an immutable trie over the characters of numbers.

A node is a dict from the next character to what lies below, with the value of the prefix that ends there under "". A
branch with a single prefix in it is not spelled out: it is a pair (rest of the prefix, value), so 100,000 prefixes have
some 30,000 nodes and a look-up ends after a few steps. `put` and `without` copy the nodes on their way and share the
rest, so a change costs microseconds, and whoever holds the old trie keeps it as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

V = TypeVar("V")

Node = Any
"""dict, or (rest, value)."""


class Trie(Generic[V]):
    """Values by prefix; "" is the prefix of every number. A value may be anything but None."""

    __slots__ = ("root",)

    def __init__(self, root: Node = None) -> None:
        self.root: Node = {} if root is None else root

    @classmethod
    def of(cls, items: Iterable[tuple[str, V]]) -> Trie[V]:
        """A trie of (prefix, value); of two values for one prefix the later counts."""
        root: Node = {}
        for prefix, value in items:
            put(root, prefix, 0, value, copy=False)
        return cls(root)

    def find(self, number: str) -> V | None:
        """The value of the longest prefix of `number`."""
        node: Any = self.root
        found: Any = None
        for place, sign in enumerate(number):
            if node.__class__ is tuple:
                return node[1] if number.startswith(node[0], place) else found  # type: ignore[no-any-return]
            found = node.get("", found)
            node = node.get(sign)
            if node is None:
                return found  # type: ignore[no-any-return]
        if node.__class__ is tuple:
            return found if node[0] else node[1]  # type: ignore[no-any-return]
        return node.get("", found)  # type: ignore[no-any-return]

    def all(self, number: str) -> list[V]:
        """The values of all prefixes of `number`, the longest first."""
        node, found = self.root, []
        for place in range(len(number) + 1):
            if node.__class__ is tuple:
                if number.startswith(node[0], place):
                    found.append(node[1])
                break
            if "" in node:
                found.append(node[""])
            node = node.get(number[place]) if place < len(number) else None
            if node is None:
                break
        return found[::-1]

    def get(self, prefix: str) -> V | None:
        """The value of this very prefix."""
        node: Any = self.root
        for place, sign in enumerate(prefix):
            if node.__class__ is tuple:
                return node[1] if node[0] == prefix[place:] else None
            node = node.get(sign)
            if node is None:
                return None
        if node.__class__ is tuple:
            return None if node[0] else node[1]
        return node.get("")  # type: ignore[no-any-return]

    def put(self, prefix: str, value: V) -> Trie[V]:
        """The same with `value` for `prefix`."""
        return Trie(put(self.root, prefix, 0, value))

    def without(self, prefix: str) -> Trie[V]:
        """The same without `prefix`, which may be missing anyway."""
        return self if self.get(prefix) is None else Trie(removed(self.root, prefix, 0))

    def items(self) -> Iterator[tuple[str, V]]:
        """(prefix, value) of all."""
        return below(self.root, "")

    def __len__(self) -> int:
        return sum(1 for _ in self.items())

    def __bool__(self) -> bool:
        return bool(self.root)


def put(node: Node, prefix: str, place: int, value: Any, copy: bool = True) -> Node:
    """`node` with `value` for what `prefix` has from `place` on; without `copy` the dicts are changed themselves."""
    if node is None:
        return prefix[place:], value
    if node.__class__ is tuple:
        rest, other = node
        if rest == prefix[place:]:
            return rest, value
        node = {rest[0]: (rest[1:], other)} if rest else {"": other}
    elif copy:
        node = dict(node)
    if place == len(prefix):
        node[""] = value
    else:
        node[prefix[place]] = put(node.get(prefix[place]), prefix, place + 1, value, copy)
    return node


def removed(node: Node, prefix: str, place: int) -> Node:
    """`node` without what `prefix` has from `place` on, which is there; None when nothing is left."""
    if node.__class__ is tuple:
        return None
    node = dict(node)
    sign = prefix[place] if place < len(prefix) else ""
    rest = removed(node[sign], prefix, place + 1) if sign else None
    if rest is None:
        del node[sign]
    else:
        node[sign] = rest
    return node or (None if place else {})


def below(node: Node, before: str) -> Iterator[tuple[str, Any]]:
    """(prefix, value) of all that lies below a node."""
    if node.__class__ is tuple:
        yield before + node[0], node[1]
        return
    for sign, child in node.items():
        if sign:
            yield from below(child, before + sign)
        else:
            yield before, child
