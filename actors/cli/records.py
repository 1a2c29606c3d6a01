"""`rayswitch cdr`: call detail records, read from the store whether the switch is up or not.

`--day` is for a file a day: `rayswitch cdr --day yesterday --csv`.
"""

import re
import sys
import time
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from actors.cdr_csv import write
from actors.cli.human import duration, moment
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, show_json, show_table
from rayswitch.store import CdrFilter, Store, cdrs

__all__ = ["cdr"]

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _with_result(row: dict[str, Any]) -> dict[str, Any]:
    """The row, and how the call ended in a few words."""
    result = f"{row['sip_status']} {row['cause']}".strip() if row["sip_status"] else row["cause"]
    return row | {"result": result, "line": row["went_by"] or row["came_by"]}


COLUMNS = (
    Column("start", "start", moment),
    Column("leg", "leg"),
    Column("from", "caller"),
    Column("dialled", "dialled"),
    Column("reached", "reached"),
    Column("line", "line"),
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


def whole_day(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[float, float] | None:
    """From midnight to midnight (local time), in Unix seconds."""
    if text is None:
        return None
    try:
        today = datetime.now().astimezone().date()
        day = today - timedelta(DAYS[text]) if text in DAYS else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"expected 2026-01-31, today or yesterday, got {text!r}") from None
    begin, end = (datetime.combine(day + timedelta(days), clock.min).timestamp() for days in (0, 1))
    return begin, end


DAYS = {"today": 0, "yesterday": 1}
"""Days ago."""


@click.command()
@click.option("--number", metavar="NUMBER", help="Only calls from or to it.")
@click.option("--since", metavar="TIME", callback=point_in_time, help="Begun then or later; see above.")
@click.option("--until", metavar="TIME", callback=point_in_time, help="Begun before then.")
@click.option("--day", metavar="DAY", callback=whole_day, help="Begun on that day: 2026-01-31, today or yesterday.")
@click.option("--call", metavar="ID", help="All rows of one call.")
@click.option("--legs", is_flag=True, help="Also the rows of the half calls.")
@click.option("-n", "limit", type=click.IntRange(0), default=50, show_default=True, help="Most rows; 0: all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, all rows unless -n is given.")
@config_option
@json_option
@click.pass_context
def cdr(
    context: click.Context,
    number: str | None,
    since: float | None,
    until: float | None,
    day: tuple[float, float] | None,
    call: str | None,
    legs: bool,
    limit: int,
    as_csv: bool,
    file: Path | None,
    json: bool,
) -> None:
    """Show call detail records, the newest first.

    TIME is a local time such as 2026-01-31 or 2026-01-31T12:00, or so long ago: 90s, 30m, 2h, 7d.
    """
    since, until = day or (since, until)
    if as_csv and context.get_parameter_source("limit") is ParameterSource.DEFAULT:
        limit = 0
    wanted = CdrFilter(number, since, until, call, None if legs or call else "call", limit or None)
    with Store.open(configuration(file).store) as store:
        if as_csv:
            write(sys.stdout, cdrs(store, wanted))
            return
        rows = list(cdrs(store, wanted))
    if json:
        show_json(rows)
    else:
        show_table(COLUMNS, [_with_result(row) for row in rows], "no calls")
