"""pbx.yaml: a section for each kind of record, each a list of records (`dialling` is one).

    extensions:
      - {number: 101, name: Alice, password: …, levels: [1, 2]}
    groups:
      - {name: outside, members: [trunk/carrier]}
    called_numbers:
      - {prefix: 00, route: line group, target: outside, level: 2}
    blocks:
      - {caller: 101, called: '*', rate: 100}

A section that is not there says nothing: what is kept of its kind stays. An empty one (`blocks: []`) removes all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from rayswitch.config.document import ConfigError, Node, read
from rayswitch.config.reading import Reader
from rayswitch.records.checks import CHECKS
from rayswitch.records.content import KINDS, Content, Key, key_of

__all__ = ["Plan"]

Places = dict[tuple[str, Key], tuple[int, str]]


class Plan:
    """What a file states. Raises ConfigError for the first thing that is wrong with it."""

    def __init__(self, text: str, file: str) -> None:
        self.document = read(text, file)
        self.places: Places = {}
        """Line and name of each record."""
        self.content: dict[str, dict[Key, Any]] = {}
        for name, node in self.sections():
            kind = self.kind_of(name)
            self.content[kind] = self.section(kind, node)

    def sections(self) -> list[tuple[Node, Node]]:
        root = self.document.root
        if root.value is None:
            return []
        if root.pairs is None:
            raise self.document.error(f"expected sections such as `extensions:`, got {root.shown()}", root.line)
        return root.pairs

    def kind_of(self, name: Node) -> str:
        kind = name.value if isinstance(name.value, str) else ""
        if kind not in KINDS:
            close = get_close_matches(kind, KINDS, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(KINDS)}"
            raise self.document.error(f"unknown section, {hint}", name.line, kind)
        if kind in self.content:
            raise self.document.error("expected once, got it a second time", name.line, kind)
        return kind

    def section(self, kind: str, node: Node) -> dict[Key, Any]:
        found: dict[Key, Any] = {}
        for node_of_one, label in self.items(kind, node):
            record = self.record(kind, node_of_one, label)
            key = key_of(record)
            if key in found:
                line = self.places[kind, key][0]
                raise self.document.error(f"the same record is in line {line} already", node_of_one.line, label)
            found[key] = record
            self.places[kind, key] = (node_of_one.line, label)
        return found

    def items(self, kind: str, node: Node) -> list[tuple[Node, str]]:
        """The nodes of single records, with their names in complaints."""
        if not KINDS[kind].KEY:
            return [(node, kind)] if node.value is not None else []
        if not isinstance(node.value, list | None):
            raise self.document.error(f"expected a list of records, got {node.shown()}", node.line, kind)
        return [(item, f"{kind}[{number}]") for number, item in enumerate(node.value or [], 1)]

    def record(self, kind: str, node: Node, label: str) -> Any:
        cls = KINDS[kind]
        if node.pairs is None:
            raise self.document.error(f"expected keys, got {node.shown()}", node.line, label)
        record = Reader(self.document).section(cls, node, f"{label}.")
        given = {key.value for key, _ in node.pairs}
        for item in fields(cls):
            if item.name in cls.KEY and item.name not in given and item.default == "":
                expected = item.metadata["kind"].expected
                raise self.document.error(f"expected {expected}, got nothing", node.line, f"{label}.{item.name}")
        return record

    def merged(self, kept: Content) -> dict[str, Mapping[Key, Any]]:
        """All that there will be: what the file states, and what is kept of the kinds that it is silent about.

        Raises ConfigError when records contradict each other then.
        """
        result: dict[str, Mapping[Key, Any]] = {kind: self.content.get(kind, kept.get(kind, {})) for kind in KINDS}
        for check in CHECKS:
            complaint = check(result)
            if complaint:
                raise self.complaint(*complaint)
        return result

    def complaint(self, kind: str, key: Key, name: str, problem: str) -> ConfigError:
        """About a record of the file, or one that is kept."""
        line, label = self.places.get((kind, key), (0, f"{kind} {' '.join(key)} (kept)"))
        return self.document.error(problem, line, f"{label}.{name}")
