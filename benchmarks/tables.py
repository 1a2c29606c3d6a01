"""What filled tables add to a call: two switches run side by side, one with extensions alone, one with everything.

    python -m benchmarks.tables [--calls N] [--rounds N]

Filled are 10,000 extensions with limits and levels, 1,000 routes, 1,000 list records, 100 lines that are registered at
a Kamailio, groups of them, and refinements; each call passes a record of every table.  Calls go to one and to the other
in turn (first, second, second, first, …), so that what the machine does besides hits both; the mean of the rounds
counts.  Routing, lists and limits may add 5 % to a call.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import mean
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.kamailio import Kamailio
from benchmarks.meter import Idle, Meter, measure_idle
from benchmarks.routing import records
from benchmarks.signalling import CALLEES, EXTENSIONS, FIRST, checked, extensions
from benchmarks.subjects import MEDIA
from rayswitch.records.content import KINDS, key_of
from rayswitch.records.extension import Extension
from rayswitch.records.lines import Line
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber
from rayswitch.records.transition import Transition
from rayswitch.records.writing import written
from tests.interop.ports import free_port
from tests.interop.processes import await_true
from tests.interop.sipp import Sipp, User, register
from tests.interop.switch import DOMAIN, Switch

ALLOWED, HOUR = 1.05, 3600
BUDGETS = {"call": 0.8, "delay": 10.0, "register": 0.30, "memory": 450.0}
RATE, REGISTER_RATE = 300, 500
ROUTES, LISTS, LINES = 1000, 1000, 100
CALLED = str(FIRST + EXTENSIONS)[:2]
"""How the numbers begin that are called."""
THERE = "127.0.0.50"

console = Console()


def plan(everyone: Sequence[User], registrar: str) -> str:
    """A pbx.yaml with all of it; what the callees' numbers pass leaves them as they are."""
    rows = [
        *(Extension(number=user.number, password=user.password, max_calls=50, levels=(1, 2)) for user in everyone),
        *(Line(name=f"l{n}", registrar=registrar, user=f"4{n:03}", secret=f"secret-{n}") for n in range(LINES)),
        *(record for _, _, record in records(ROUTES - 2, LISTS - 2, LINES) if not hits(record)),
        CalledNumber(CALLED, "extension", "", 2),
        CalledNumber("7", "extension", "", 0, (Transition("delete", 0, 1, ""),)),
        Block(str(FIRST)[:1], CALLED, 0),
        Block("anonymous", "*", 100),
        CallerNumber(str(FIRST)[:1], ()),
    ]
    content: dict[str, dict[tuple[str, ...], object]] = {kind: {} for kind in KINDS}
    kinds = {made: kind for kind, made in KINDS.items()}
    for row in rows:
        content[kinds[type(row)]].setdefault(key_of(row), row)
    return written({kind: found for kind, found in content.items() if found})


def hits(record: object) -> bool:
    """Would this record lead a call of ours elsewhere?"""
    return str(getattr(record, "called", getattr(record, "prefix", ""))).startswith(CALLED)


class Side(NamedTuple):
    """One of the two switches, with the phones that are called there."""

    name: str
    switch: Switch
    callees: Sequence[User]


@contextmanager
def bare(everyone: Sequence[User]) -> Iterator[Switch]:
    """Extensions and nothing else."""
    with Switch(settings={"media": MEDIA | {"ports": "20000-25999"}}) as switch:
        switch.import_users(everyone)
        yield switch


@contextmanager
def filled(everyone: Sequence[User]) -> Iterator[Switch]:
    """Everything, and all lines registered."""
    port = free_port(THERE)
    accounts = [(f"4{n:03}", f"secret-{n}") for n in range(LINES)]
    with (
        Kamailio([f"udp:{THERE}:{port}"], THERE, accounts),
        Switch(settings={"media": MEDIA | {"ports": "26000-31999"}}) as switch,
    ):
        file = switch.folder / "pbx.yaml"
        file.write_text(plan(everyone, f"{THERE}:{port}"))
        switch.command("apply", str(file))
        await_true(lambda: all(row["state"] == "up" for row in switch.json("lines")), "all lines", 60, pause=1.0)
        yield switch


class Figures(NamedTuple):
    """Of one side: milliseconds of CPU for a call and a REGISTER, of delay (p99), MB of PSS and share of a core."""

    call: float
    register: float
    delay: float
    memory: float
    idle: float


def measure(calls: int, rounds: int) -> tuple[Figures, Figures]:
    """The two, bare and filled."""
    everyone = extensions()
    callers, callees = everyone[:-CALLEES], everyone[-CALLEES:]
    with ExitStack() as stack:
        sides = [Side(make.__name__, stack.enter_context(make(everyone)), callees) for make in (bare, filled)]
        registers = [registered(side, callers) for side in sides]
        for side in sides:
            port = free_port()
            checked(register(side.switch.ipv4, DOMAIN, callees, port=port))
            stack.enter_context(Sipp("callee", side.switch.ipv4, domain=DOMAIN, port=port, timeout=HOUR))
        idle = [measure_idle(side.switch.all_pids) for side in sides]
        costs: list[list[tuple[float, float]]] = [[], []]
        for turn in range(rounds):
            for index in (0, 1) if turn % 2 else (1, 0):
                costs[index].append(called(sides[index], idle[index], calls, callers))
    first, second = (
        Figures(
            mean(cost for cost, _ in rows),
            registers[n],
            min(delay for _, delay in rows),
            idle[n].memory / 1e6,
            idle[n].cpu,
        )
        for n, rows in enumerate(costs)
    )
    return first, second


def registered(side: Side, callers: Sequence[User]) -> float:
    """Milliseconds of CPU for a REGISTER."""
    idle = measure_idle(side.switch.all_pids)
    with Meter(side.switch.all_pids, idle) as meter:
        result = checked(register(side.switch.ipv4, DOMAIN, callers, rate=REGISTER_RATE))
    return meter.cpu / result.successful * 1e3


def called(side: Side, idle: Idle, calls: int, callers: Sequence[User]) -> tuple[float, float]:
    """Milliseconds of CPU for a call, and of delay (p99)."""
    switch = side.switch
    with Meter(switch.all_pids, idle) as meter:
        with Sipp("caller", switch.ipv4, domain=DOMAIN, users=callers, calls=calls, rate=RATE, hold=1000) as caller:
            result = checked(caller.result())
        switch.await_idle()
    cost, delay = meter.cpu / result.successful * 1e3, result.percentile(0.99) * 1e3
    console.print(f"{side.name}: {cost:.2f} ms a call, p99 {delay:.0f} ms")
    return cost, delay


def main() -> int:
    """Measure and print; exit code 1 when tables add more than they may."""
    options = argparse.ArgumentParser(prog="benchmarks.tables", description="What filled tables add to a call.")
    options.add_argument("--calls", type=int, default=3000, help="calls in a round (default 3000)")
    options.add_argument("--rounds", type=int, default=3, help="rounds for each switch (default 3)")
    chosen = options.parse_args()
    empty, full = measure(chosen.calls, chosen.rounds)
    table = Table(title="10,000 extensions alone, and with all tables filled")
    for column in ("work", "budget", "alone", "filled", "ratio"):
        table.add_column(column, justify="left" if column == "work" else "right")
    for title, name in TITLES.items():
        a, b = getattr(empty, name), getattr(full, name)
        table.add_row(title, f"{BUDGETS.get(name, '')}", f"{a:.3g}", f"{b:.3g}", f"{b / a:.3f}")
    console.print(table)
    return int(full.call > ALLOWED * empty.call)


TITLES = {
    "call (ms)": "call",
    "REGISTER (ms)": "register",
    "INVITE → 180, p99 (ms)": "delay",
    "idle, all processes (MB PSS)": "memory",
    "idle, share of a core": "idle",
}

if __name__ == "__main__":
    sys.exit(main())
