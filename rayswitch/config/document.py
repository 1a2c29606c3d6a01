"""A YAML file as nodes that remember their line, so that every complaint can name it.

Scalars stay text: the kinds read them.  Only the shape is YAML's business: mappings, lists, text, nothing.
"""

from dataclasses import dataclass
from typing import Any

__all__ = ["ConfigError", "Document", "Node", "of_values", "read"]


class ConfigError(Exception):
    """A configuration that cannot be used: str() is "FILE:LINE: KEY: expected this, got that"."""

    def __init__(self, problem: str, file: str = "", line: int = 0, key: str = "") -> None:
        place = f"{file}:{line}" if file and line else file
        super().__init__(": ".join(part for part in (place, key, problem) if part))
        self.problem, self.file, self.line, self.key = problem, file, line, key


@dataclass(slots=True)
class Node:
    """`value`: str, None (nothing was written), a list of nodes, or pairs of nodes; `line` counts from 1."""

    value: Any
    line: int

    @property
    def pairs(self) -> "list[tuple[Node, Node]] | None":
        """The entries of a mapping, or None when this is none."""
        return list(self.value.items()) if isinstance(self.value, _Pairs) else None

    def shown(self) -> str:
        """The value in words that follow "got"."""
        if isinstance(self.value, str):
            return repr(self.value)
        return "nothing" if self.value is None else "keys" if isinstance(self.value, _Pairs) else "a list"


class _Pairs:
    """The entries of a mapping in order; keys that are written twice are still two."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[tuple[Node, Node]]) -> None:
        self.entries = entries

    def items(self) -> list[tuple[Node, Node]]:
        return self.entries


@dataclass(slots=True)
class Document:
    """The root node of `file` (as the user named it; "" for values that came from no file)."""

    root: Node
    file: str = ""

    def error(self, problem: str, line: int, key: str = "") -> ConfigError:
        """The complaint about `key` in `line` of this file."""
        return ConfigError(problem, self.file, line, key)


def read(text: str, file: str) -> Document:
    """The document in `text`. Raises ConfigError when it is not YAML."""
    import yaml

    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"expected YAML, but {error.problem or error.context}", file, line) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"expected YAML, but {error}".replace("\n", " "), file) from None
    except RecursionError:
        raise ConfigError("expected YAML, but it is nested too deep", file) from None
    return Document(_node(root, 0) if root else Node(None, 1), file)


_DEEPEST = 8  # the tree of settings has four levels; an alias to its own parent would go on for ever


def _node(node: Any, depth: int) -> Node:
    line = node.start_mark.line + 1
    if depth > _DEEPEST:
        return Node(None, line)
    if node.id == "mapping":
        return Node(_Pairs([(_node(k, depth + 1), _node(v, depth + 1)) for k, v in node.value]), line)
    if node.id == "sequence":
        return Node([_node(item, depth + 1) for item in node.value], line)
    return Node(None if node.tag == "tag:yaml.org,2002:null" else node.value, line)


def of_values(value: Any) -> Node:
    """Nodes of plain values, all in line 0."""
    if isinstance(value, dict):
        return Node(_Pairs([(Node(str(key), 0), of_values(inner)) for key, inner in value.items()]), 0)
    if isinstance(value, list | tuple):
        return Node([of_values(item) for item in value], 0)
    return Node(None if value is None else str(value), 0)
