"""`rayswitch cdr`: call detail records, read from the store whether the switch is up or not."""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from actors.cli.human import duration, moment
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, show_json, show_table
from rayswitch.store import CdrFilter, Store, cdrs

__all__ = ["cdr"]

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _with_result(row: dict[str, Any]) -> dict[str, Any]:
    """The row, and how the call ended in a few words."""
    return row | {"result": f"{row['sip_status']} {row['cause']}".strip() if row["sip_status"] else row["cause"]}


COLUMNS = (
    Column("start", "start", moment),
    Column("leg", "leg"),
    Column("from", "caller"),
    Column("dialled", "dialled"),
    Column("reached", "reached"),
    Column("talked", "duration", duration, figure=True),
    Column("released by", "release_side"),
    Column("result", "result"),
    Column("codec", "codec"),
)


def point_in_time(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Unix seconds of ``2026-01-31T12:00`` (local time), or of so long ago: ``30m``, ``2h``, ``7d``."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.BadParameter(f"expected 2026-01-31T12:00, or 30m, 2h, 7d ago, got {text!r}") from None


@click.command()
@click.option("--number", metavar="NUMBER", help="Only calls from or to it.")
@click.option("--since", metavar="TIME", callback=point_in_time, help="Begun then or later; see above.")
@click.option("--until", metavar="TIME", callback=point_in_time, help="Begun before then.")
@click.option("--call", metavar="ID", help="All rows of one call.")
@click.option("--legs", is_flag=True, help="Also the rows of the half calls.")
@click.option("-n", "limit", type=click.IntRange(0), default=50, show_default=True, help="Most rows; 0: all.")
@config_option
@json_option
def cdr(
    number: str | None,
    since: float | None,
    until: float | None,
    call: str | None,
    legs: bool,
    limit: int,
    file: Path | None,
    json: bool,
) -> None:
    """Show call detail records, the newest first.

    TIME is a local time such as 2026-01-31 or 2026-01-31T12:00, or so long ago: 90s, 30m, 2h, 7d.
    """
    wanted = CdrFilter(number, since, until, call, None if legs or call else "call", limit or None)
    with Store.open(configuration(file).store) as store:
        rows = list(cdrs(store, wanted))
    if json:
        show_json(rows)
    else:
        show_table(COLUMNS, [_with_result(row) for row in rows], "no calls")
