"""All records, and the way from one content to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from rayswitch.config.document import Document, of_values
from rayswitch.config.reading import Reader
from rayswitch.config.settings import plain_value
from rayswitch.records.addresses import AddressRule
from rayswitch.records.extension import Extension
from rayswitch.records.lines import Line, Trunk
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber, Dialling, Group, Refinement

__all__ = ["KINDS", "Change", "Content", "difference", "from_plain", "key_of", "plain"]

KINDS: dict[str, Any] = {
    "extensions": Extension,
    "lines": Line,
    "trunks": Trunk,
    "groups": Group,
    "dialling": Dialling,
    "caller_numbers": CallerNumber,
    "called_numbers": CalledNumber,
    "refinements": Refinement,
    "blocks": Block,
    "addresses": AddressRule,
}
"""Section of pbx.yaml, and name in the store: the class of its records. In the order in which they are written."""

Key = tuple[str, ...]
Content = Mapping[str, Mapping[Key, Any]]
"""Records by kind and key."""


class Change(NamedTuple):
    """One record that is `new` (None: removed) where `old` was (None: nothing)."""

    kind: str
    key: Key
    old: Any
    new: Any


def key_of(record: Any) -> Key:
    """What tells it from others of its kind."""
    return tuple(str(getattr(record, name)) for name in record.KEY)


def difference(old: Content, new: Content) -> list[Change]:
    """What has to change. Kinds that `new` does not have stay as they are."""
    changes = []
    for kind, wanted in new.items():
        held = old.get(kind, {})
        changes += [Change(kind, key, held[key], None) for key in held if key not in wanted]
        changes += [
            Change(kind, key, held.get(key), record) for key, record in wanted.items() if held.get(key) != record
        ]
    return changes


def plain(record: Any) -> dict[str, Any]:
    """What of a record is not as it would be anyway, and its key, as plain values."""
    rows = sorted(fields(record), key=lambda item: item.name not in record.KEY)  # the key stands first
    return {
        item.name: plain_value(item.metadata, value)
        for item in rows
        if (value := getattr(record, item.name)) != item.default or item.name in record.KEY
    }


def from_plain(kind: type, values: dict[str, Any]) -> Any:
    """The inverse of `plain`. Raises ConfigError."""
    return Reader(Document(of_values(values))).section(kind, of_values(values), "")
