"""mss_var_param.ini: the variables of a miniSIPServer that mean something here, for lines.

    [sip]
    gVarSipRegSameDialog=0

A variable that we know has to be in its section and to have a value that it can have; what we do not know is named, not
refused: most of that file is about things that are settings of their own here, or not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from rayswitch.config import ConfigError
from rayswitch.records.lines import Line

__all__ = ["Imported", "lines_with", "read_variables"]


class Variable(NamedTuple):
    """A known one: its section, the field of a line that it sets, and what its values mean."""

    section: str
    field: str
    values: Mapping[str, str]


KNOWN = {"gVarSipRegSameDialog": Variable("sip", "register_same_dialog", {"0": "false", "1": "true"})}


class Imported(NamedTuple):
    """What a file says of lines, and what of it was not understood, as (line, text)."""

    fields: dict[str, str]
    left_out: list[tuple[int, str]]


def read_variables(text: str, file: str) -> Imported:
    """Raises ConfigError for a line that is none, and for a known variable in a wrong place or with a wrong value."""
    imported = Imported({}, [])
    seen: dict[str, int] = {}
    for number, section, name, value in rows(text, file):
        variable = KNOWN.get(name)
        key = f"[{section}] {name}" if section else name
        if variable is None:
            close = get_close_matches(name, KNOWN, n=1, cutoff=0.8)
            imported.left_out.append((number, key + (f" (did you mean {close[0]}?)" if close else "")))
            continue
        if section.lower() != variable.section:
            raise ConfigError(f"expected in section [{variable.section}], got it in [{section}]", file, number, name)
        if name in seen:
            raise ConfigError(f"expected once, it is in line {seen[name]} already", file, number, key)
        if value not in variable.values:
            raise ConfigError(f"expected {' or '.join(variable.values)}, got {value!r}", file, number, key)
        seen[name] = number
        imported.fields[variable.field] = variable.values[value]
    return imported


def rows(text: str, file: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, section, name, value) of every variable."""
    section = ""
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if line[0] == "[":
            if line[-1] != "]" or not line[1:-1].strip():
                raise ConfigError(f"expected a section such as [sip], got {line!r}", file, number)
            section = line[1:-1].strip()
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"expected a section, or a variable such as name=value, got {line!r}", file, number)
        yield number, section, name.strip(), value.partition(";")[0].strip()


def lines_with(imported: Imported, lines: Mapping[Any, Line]) -> dict[Any, Line]:
    """All lines, as the file wants them: there its variables were those of the whole system."""
    fields: dict[str, Any] = dict(imported.fields)
    return {key: replace(line, **fields) for key, line in lines.items()}
