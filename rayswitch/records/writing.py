"""Content → pbx.yaml, which `reading` makes the same content of again."""

from __future__ import annotations

from typing import Any

from rayswitch.records.content import KINDS, Content, plain

__all__ = ["written"]


def written(content: Content) -> str:
    """The text of the file; kinds without records are left out."""
    import yaml

    sections = [(kind, section(kind, content.get(kind, {}))) for kind in KINDS]
    texts = [
        yaml.dump({kind: values}, Dumper=dumper(), sort_keys=False, allow_unicode=True, width=120)
        for kind, values in sections
        if values
    ]
    return "\n".join(texts)


def section(kind: str, records: Any) -> Any:
    """Its records as plain values; the only one of a kind that has no key."""
    found = [plain(record) for record in records.values()]
    return found if KINDS[kind].KEY else found[0] if found else None


def dumper() -> type:
    """A record stands in a line of its own, values that look like numbers stay text."""
    import yaml

    class Rows(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
            """Lists stand indented below their section."""
            return super().increase_indent(flow, False)

        def represent_mapping(self, tag: str, mapping: Any, flow_style: Any = None) -> Any:
            """Records in braces, sections not."""
            is_section = len(self.represented_objects) <= 1
            return super().represent_mapping(tag, mapping, flow_style=not is_section)

    return Rows
