"""`python -m benchmarks`: measures rayswitch and its peers in one run and prints the budget table.

    python -m benchmarks [--calls N] [--only PART ...]

Parts: parse, signalling, media. Peers that are not installed are left out, and named.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator

from rich.console import Console

from benchmarks import media, parse, report, signalling
from benchmarks.figures import WORK, Figure, machine, write_json
from benchmarks.subjects import Candidate, kamailio, rayswitch

console = Console()


def _candidates() -> list[Candidate]:
    return [rayswitch("gateway"), rayswitch("pool")] + ([kamailio()] if shutil.which("kamailio") else [])


def _parse(_calls: int) -> Iterator[Figure]:
    yield Figure("parse", report.OURS, parse.measure(parse.route, 2.0), "parse + touching via, from, to, cseq, call-id")


def _signalling(calls: int) -> Iterator[Figure]:
    everyone = signalling.extensions()
    for candidate in _candidates():
        yield from signalling.measure(candidate, calls, everyone)


def _media(_calls: int) -> Iterator[Figure]:
    for candidate in _candidates():
        if candidate.relays:
            yield from media.measure(candidate)
    if shutil.which("rtpengine"):
        yield from media.measure_rtpengine()


PARTS: dict[str, Callable[[int], Iterator[Figure]]] = {
    "parse": _parse,
    "signalling": _signalling,
    "media": _media,
}


def main() -> int:
    """Measure, print, write; exit code 1 when ours is over a budget."""
    options = argparse.ArgumentParser(prog="benchmarks", description="Measure rayswitch beside its peers.")
    options.add_argument("--calls", type=int, default=3000, help="calls by SIPp (default 3000)")
    options.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    chosen = options.parse_args()
    console.print(f"[dim]{machine()}[/dim]")
    for peer in ("kamailio", "rtpengine"):
        if not shutil.which(peer):
            console.print(f"{peer} is not installed (apt-get install {peer}): measured without it")
    figures = []
    for part in chosen.only:
        for figure in PARTS[part](chosen.calls):
            figures.append(figure)
            console.print(f"{WORK[figure.work].title}, {figure.subject}: {figure.value:.3g} {WORK[figure.work].unit}")
    report.print_table(figures, console)
    console.print(f"written: {write_json(figures).name}, {report.draw(figures).name} in benchmarks/results")
    return int(any(_over_budget(figure) for figure in figures))


def _over_budget(figure: Figure) -> bool:
    budget = WORK[figure.work].budget
    return figure.subject == report.OURS and budget is not None and figure.value > budget


if __name__ == "__main__":
    sys.exit(main())
