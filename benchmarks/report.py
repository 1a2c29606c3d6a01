"""The budget table for people: on the terminal, and as a picture."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS, WORK, Figure, Work

OURS = "rayswitch, gateway"


def by_work(figures: list[Figure]) -> dict[Work, dict[str, Figure]]:
    """The lines of the table that were measured, with the figure of each subject."""
    found: dict[Work, dict[str, Figure]] = {}
    for work in WORK.values():
        row = {figure.subject: figure for figure in figures if figure.work == work.key}
        if row:
            found[work] = row
    return found


def print_table(figures: list[Figure], console: Console) -> None:
    """One line per work; beside each of our values its ratio to the budget, beside a peer's ours to theirs."""
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    table = Table(title="rayswitch: cost per unit of work, idle cost taken off", caption="smaller is better")
    table.add_column("work")
    for heading in ("budget", "goal", *subjects):
        table.add_column(heading, justify="right")
    for work, row in by_work(figures).items():
        cells = [_limit(work.budget), _limit(work.goal)]
        cells += [_cell(work, row, subject) for subject in subjects]
        table.add_row(f"{work.title} [dim]({work.unit})[/dim]", *cells)
    console.print(table)
    for figure in figures:
        if figure.detail:
            console.print(f"[dim]{WORK[figure.work].title}, {figure.subject}: {figure.detail}[/dim]")


def _limit(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _cell(work: Work, row: dict[str, Figure], subject: str) -> str:
    if subject not in row:
        return ""
    value = row[subject].value
    if subject.startswith("rayswitch") and work.budget:
        colour = "green" if value <= work.budget else "red"
        return f"[{colour}]{value:.3g}[/{colour}] [dim]{value / work.budget:.2f} of budget[/dim]"
    if OURS in row and value > 0:
        return f"{value:.3g} [dim]ours {row[OURS].value / value:.2f}×[/dim]"
    return f"{value:.3g}"


def draw(figures: list[Figure]) -> Path:
    """A bar per subject and work, as a multiple of the budget; the line at 1 is the budget."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    rows = {work: row for work, row in by_work(figures).items() if work.budget}
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    chart, axes = pyplot.subplots(figsize=(11, 1.2 + 0.75 * len(rows)), layout="constrained")
    height = 0.8 / len(subjects)
    for place, subject in enumerate(subjects):
        for line, (work, row) in enumerate(rows.items()):
            if subject not in row or not work.budget:
                continue
            value = row[subject].value
            y = line + (place - (len(subjects) - 1) / 2) * height
            axes.barh(y, max(value / work.budget, 0.001), height * 0.9, color=f"C{place}")
            axes.text(max(value / work.budget, 0.001), y, f" {value:.3g}", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{work.title}\n{work.budget:g} {work.unit}" for work in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("multiple of the budget (left of the line: within it)")
    handles = [Patch(color=f"C{place}") for place in range(len(subjects))]
    axes.legend(handles, subjects, fontsize=8)
    path = RESULTS / "latest.png"
    RESULTS.mkdir(exist_ok=True)
    chart.savefig(path, dpi=110)
    return path
