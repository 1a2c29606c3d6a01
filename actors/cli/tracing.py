"""`rayswitch trace`: the SIP messages of the running switch while they come and go.

The gateways mask credentials before a message leaves them: what arrives here can be shown and passed on.
"""

import shutil
import sys
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Any

import click

from actors.cli import control
from actors.cli.ladder import Ladder
from actors.cli.options import config_option, configuration, json_option

__all__ = ["trace"]

PIPE_WIDTH = 160


@click.command()
@click.option("-n", "count", type=click.IntRange(0), default=0, help="Stop after so many messages; 0: never.")
@click.option("--full", is_flag=True, help="Print the whole messages under their arrows.")
@config_option
@json_option
def trace(count: int, full: bool, file: Path | None, json: bool) -> None:
    """Show live SIP messages as a ladder, or with --json one object a line. Ctrl-C ends it."""
    draw = _json_line if json else _drawing(full)
    seen = 0

    def each(entry: Any) -> bool:
        nonlocal seen
        seen += 1
        draw(entry)
        return seen != count

    try:
        control.follow(configuration(file), "trace", {}, each)
    except KeyboardInterrupt:
        pass
    if count and seen < count:
        raise control.ControlError(f"the switch ended after {seen} of {count} messages")


def _json_line(entry: Any) -> None:
    print(dumps(entry), flush=True)


def _drawing(full: bool) -> Callable[[Any], None]:
    ladder = Ladder(shutil.get_terminal_size((PIPE_WIDTH, 0)).columns if sys.stdout.isatty() else PIPE_WIDTH)

    def draw(entry: Any) -> None:
        lines = ladder.lines(entry)
        if full:
            lines += ["", *("    " + line for line in entry["text"].splitlines()), ""]
        for line in lines:
            print(_printable(line), flush=True)

    return draw


def _printable(line: str) -> str:
    """What came from the network must not steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
