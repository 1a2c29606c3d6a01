"""`python -m benchmarks.scale`: measure the layouts one after another, print the table, write results/scale.json.

    python -m benchmarks.scale [--layouts 1 2 4 8 2x2 4x2] [--calls N]

`4x2` is four gateways on two nodes. A layout takes about two minutes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS, machine
from benchmarks.scale.inputs import inputs
from benchmarks.scale.layout import Layout
from benchmarks.scale.run import Row, measure

console = Console(width=None if sys.stdout.isatty() else 180)
LAYOUTS = ("1", "2", "4", "8")
BOUND = 1.5
"""A call with four gateways on two nodes may cost so many times what one gateway takes."""

COLUMNS: dict[str, Callable[[Row, Row], str]] = {
    "call, ms": lambda row, one: f"{row.call_ms:.2f}",
    "× one": lambda row, one: f"{row.call_ms / one.call_ms:.2f}",
    "REGISTER, ms": lambda row, one: f"{row.register_ms:.3f}",
    "handed over, %": lambda row, one: f"{row.handed_over * 100:.0f}",
    "frames a call": lambda row, one: f"{row.frames_a_call:.1f}",
    "180 p50/p99, ms": lambda row, one: f"{row.delay_p50_ms:.0f}/{row.delay_p99_ms:.0f}",
    "idle, % of a core": lambda row, one: f"{row.idle * 100:.1f}",
    "links": lambda row, one: f"{row.links}",
    "pushed, B/s at 20, 100/s": lambda row, one: f"{row.pushed_slow:.0f}, {row.pushed_fast:.0f}",
    "Ray, segments/s": lambda row, one: f"{row.ray_slow:.1f}, {row.ray_fast:.1f}",
}


def main() -> int:
    """Exit code 1 when a call on four gateways costs more than BOUND times that of one."""
    options = argparse.ArgumentParser(prog="benchmarks.scale", description=(__doc__ or "").split("\n")[0])
    options.add_argument("--layouts", nargs="+", default=LAYOUTS, type=Layout.of, help="GATEWAYS or GATEWAYSxNODES")
    options.add_argument("--calls", type=int, default=2000, help="calls at 100/s for each layout (default 2000)")
    chosen = options.parse_args()
    console.print(f"[dim]{machine()}[/dim]")
    rows = []
    for layout in map(Layout.of, chosen.layouts):
        rows.append(measure(layout, chosen.calls))
        console.print(f"{layout}: {rows[-1].call_ms:.2f} ms a call, {rows[-1].register_ms:.3f} ms a REGISTER")
    console.print(_table(rows))
    document = {
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "layouts": [asdict(row) for row in rows],
        "inputs": inputs(rows),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scale.json").write_text(json.dumps(document, indent=2) + "\n")
    console.print("written: scale.json in benchmarks/results")
    return int(any(row.gateways == 4 and row.call_ms > BOUND * rows[0].call_ms for row in rows))


def _table(rows: list[Row]) -> Table:
    table = Table(title="what it costs with more gateways, idle cost taken off")
    table.add_column("gateways")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(str(Layout(row.gateways, row.nodes)), *(cell(row, rows[0]) for cell in COLUMNS.values()))
    return table


if __name__ == "__main__":
    sys.exit(main())
