"""Output: a rich table on a terminal, plain aligned columns into a pipe, JSON when asked.

rich is imported when there is a terminal to paint on, and not before: it costs more than most commands.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Column", "columns_for", "complain", "say", "show_fields", "show_json", "show_table"]


class Column(NamedTuple):
    """Heading, key of the row, how its value is written, and whether it is a figure (set to the right)."""

    heading: str
    key: str
    form: Callable[[Any], str] = lambda value: "" if value is None else str(value)
    figure: bool = False


Row = Mapping[str, Any]


def say(text: str) -> None:
    """A line for the person who gave the command."""
    print(text, flush=True)


def complain(text: str) -> None:
    """A line about what went wrong."""
    print(f"rayswitch: {text}", file=sys.stderr, flush=True)


def show_json(value: Any) -> None:
    """One JSON document; bytes that are no UTF-8 come out escaped."""
    print(json.dumps(value, indent=2))


def show_table(columns: Sequence[Column], rows: Iterable[Row], nothing: str) -> None:
    """The rows, or the sentence `nothing` when there is none."""
    texts = [[_clean(column.form(row.get(column.key))) for column in columns] for row in rows]
    if not texts:
        say(nothing)
    elif sys.stdout.isatty():
        _paint(columns, texts)
    else:
        _write(columns, texts)


def columns_for(known: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """Those of `known` that any row has, then a plain column for each further key."""
    present = dict.fromkeys(key for row in rows for key in row)
    named = {column.key for column in known}
    return [c for c in known if c.key in present] + [
        Column(key, key, figure=_are_figures(rows, key)) for key in present if key not in named
    ]


def show_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Name and value, one pair a line."""
    pairs = [(name, _clean(value)) for name, value in fields]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        say(f"{name:<{width}}  {value}")


def _are_figures(rows: Sequence[Row], key: str) -> bool:
    return all(isinstance(row.get(key), int | float) for row in rows)


def _clean(text: str) -> str:
    """What came from the network must not steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _write(columns: Sequence[Column], texts: list[list[str]]) -> None:
    table = [[column.heading for column in columns], *texts]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        cells = (
            text.rjust(width) if column.figure else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        print("  ".join(cells).rstrip())


def _paint(columns: Sequence[Column], texts: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.figure else "left", overflow="fold")
    for line in texts:
        table.add_row(*(Text(text) for text in line))
    Console().print(table)
