"""`python -m benchmarks.simulation`: run the sizes, print how busy everything is, draw it.

python -m benchmarks.simulation [--nodes 10 100 1000] [--seconds 1] [--calls-a-node 100]
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS
from benchmarks.simulation.costs import Costs
from benchmarks.simulation.model import Cluster, Load, Outcome
from benchmarks.simulation.upkeep import Upkeep

console = Console(width=None if sys.stdout.isatty() else 180)
NOTHING = float("nan")
"""Of a cluster in which no call got through there is nothing to draw."""
FULL = 0.7
"""Busier than this, and waiting grows faster than the load."""


def main() -> int:
    """Print and draw."""
    options = argparse.ArgumentParser(prog="benchmarks.simulation", description=(__doc__ or "").split("\n")[0])
    options.add_argument("--nodes", nargs="+", type=int, default=[10, 30, 100, 300, 1000])
    options.add_argument("--seconds", type=float, default=1.0, help="of traffic that are simulated (default 1)")
    options.add_argument("--calls-a-node", type=float, default=100.0)
    chosen = options.parse_args()
    try:
        costs = Costs.measured()
    except FileNotFoundError as error:
        sys.exit(str(error))
    outcomes = []
    for nodes in chosen.nodes:
        seconds = chosen.seconds * max(1.0, 100 / nodes)
        outcomes.append(Cluster(Load.of(nodes, chosen.calls_a_node), costs).run(seconds))
        console.print(f"{nodes} nodes: {outcomes[-1].first} gives out first, at {_end(outcomes[-1])}", style="dim")
    console.print(_table(outcomes, costs))
    console.print(f"drawn: {draw(outcomes).name} in benchmarks/results")
    return 0


def _end(outcome: Outcome) -> str:
    return f"{outcome.ends_at(outcome.first):,.0f} calls/s"


def percentile(values: list[float], share: float) -> float:
    """0 for nothing."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def _table(outcomes: list[Outcome], costs: Costs) -> Table:
    table = Table(title="share of its cores that each kind of process uses (red: over 70 %)")
    for heading in (
        "nodes",
        "calls/s",
        "REGISTER/s",
        *outcomes[0].busy,
        "gives out first",
        "180 p50/p99, ms",
        "200 to REGISTER p99, ms",
    ):
        table.add_column(heading, justify="right")
    for heading in ("links", "a change is everywhere after"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        upkeep = Upkeep(outcome.load.nodes, costs)
        table.add_row(
            f"{outcome.load.nodes:,}",
            f"{outcome.load.calls:,.0f}",
            f"{outcome.load.registrations:,.0f}",
            *(f"[{'red' if busy > FULL else 'green'}]{busy * 100:.1f} %[/]" for busy in outcome.busy.values()),
            f"{outcome.first.partition(',')[0]}, {_end(outcome)}",
            f"{percentile(outcome.to_180, 0.5) * 1e3:.1f} / {percentile(outcome.to_180, 0.99) * 1e3:.1f}",
            f"{percentile(outcome.to_register, 0.99) * 1e3:.0f}",
            f"{upkeep.links:,}",
            f"{upkeep.change_seconds * 1e3:,.0f} ms, {upkeep.snapshot_bytes * upkeep.hosts / 1e6:,.1f} MB",
        )
    return table


def draw(outcomes: list[Outcome]) -> Path:
    """A line for each kind of process, over the number of nodes; and the delay of the 180."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chart, (busy, delay) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    nodes = [outcome.load.nodes for outcome in outcomes]
    for name in outcomes[0].busy:
        busy.plot(nodes, [outcome.busy[name] * 100 or NOTHING for outcome in outcomes], marker="o", label=name)
    busy.axhline(100, color="black", linewidth=1)
    busy.set(xscale="log", yscale="log", xlabel="nodes", ylabel="% of its cores", title="how busy")
    busy.legend(fontsize=8)
    for share in (0.5, 0.99):
        delay.plot(
            nodes,
            [percentile(outcome.to_180, share) * 1e3 or NOTHING for outcome in outcomes],
            marker="o",
            label=f"p{share * 100:.0f}",
        )
    delay.set(xscale="log", yscale="log", xlabel="nodes", ylabel="ms", title="INVITE to 180")
    delay.legend(fontsize=8)
    path = RESULTS / "simulation.png"
    RESULTS.mkdir(exist_ok=True)
    chart.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    sys.exit(main())
