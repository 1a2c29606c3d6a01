"""`python -m benchmarks.store`: what durability costs, with SQLite, with PostgreSQL, and while that is away.

    python -m benchmarks.store [--only groups|journal|switch ...] [--registrations N] [--calls N]

Three parts, each in one run over all databases:

* groups: one transaction of 1, 5 and 50 registrations: its time, and the CPU time of our process and of the server;
* journal: 500 durable registrations a second through the journal, until each is called back;
* switch: a whole switch under SIPp: CPU per REGISTER and per call, of the switch and of PostgreSQL, and delays.
  The meter stops SETTLE seconds after the load, so the figures are for comparison with each other, not with a budget.

PostgreSQL runs as Debian delivers it, with fsync and synchronous_commit.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from actors.journal import Journal
from benchmarks.meter import Meter, measure_idle
from rayswitch.store import Store, Write, put_binding
from rayswitch.store.backlog import Backlog
from tests.interop.ports import free_port
from tests.interop.postgres import Postgres
from tests.interop.sipp import Result, Sipp, register
from tests.interop.switch import DOMAIN, Switch, users

SIZES = (1, 5, 50)
CALL_RATE, REGISTER_RATE = 100, 500
SECONDS = 2.0
RATE = 500
JOURNAL_SECONDS = 6.0
IDLE, SETTLE = 5.0, 8.0
SNAPSHOT = [["sip:1000@192.0.2.1:5060", "udp", ["192.0.2.1", 5060], 1.0, "call-id-of-the-register", 1, "x" * 120]]

console = Console()


class Kind(NamedTuple):
    """A database as a subject: its name, where it is, whether it is taken away before the load."""

    name: str
    url: str
    server: Postgres | None = None
    away: bool = False

    def server_cpu(self) -> float:
        """Seconds of CPU of the server's processes so far."""
        return self.server.cpu() if self.server else 0.0


def kinds(folder: Path, postgres: Postgres) -> list[Kind]:
    """New databases, one of each."""
    return [
        Kind("SQLite", f"sqlite:///{folder}/{time.time_ns()}.db"),
        Kind("PostgreSQL", postgres.new_database(), postgres),
        Kind("PostgreSQL away", postgres.new_database(), postgres, away=True),
    ]


def binding(number: int) -> Write:
    """A registration of usual size."""
    return put_binding(f"{number % 10_000}@{DOMAIN}", SNAPSHOT, 2e9, "s0", time.time())


class Spent:
    """Wall time and CPU inside `with`: `own` of this process, `server` of the database."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __enter__(self) -> "Spent":
        self.began, self.own, self.server = time.perf_counter(), time.process_time(), self.kind.server_cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.began
        self.own, self.server = time.process_time() - self.own, self.kind.server_cpu() - self.server


def groups(folder: Path, postgres: Postgres) -> None:
    """Transactions of several sizes, back to back."""
    table = _table("one transaction of N registrations", "N", "ms", "our CPU µs/record", "server CPU µs/record")
    for kind in kinds(folder, postgres):
        with ExitStack() as stack:
            apply = stack.enter_context(_taker(kind, folder))
            for size in SIZES:
                with Spent(kind) as spent:
                    done = _repeat(apply, size)
                records = done * size
                figures = (spent.seconds / done * 1e3, spent.own / records * 1e6, spent.server / records * 1e6)
                table.add_row(kind.name, str(size), *(f"{figure:.3g}" for figure in figures))
    console.print(table)


@contextmanager
def _taker(kind: Kind, folder: Path) -> Iterator[Callable[[list[Write]], None]]:
    """What takes a group: the database, or, while it is away, the backlog on the disk."""
    if kind.away:
        with closing(Backlog(folder / "backlog")) as backlog:
            yield backlog.append
    else:
        with Store.open(kind.url) as store:
            yield store.apply


def _repeat(apply: Callable[[list[Write]], None], size: int) -> int:
    done, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        apply([binding(done * size + n) for n in range(size)])
        done += 1
    return done


def journal(folder: Path, postgres: Postgres) -> None:
    """Durable registrations at a steady rate."""
    title = f"{RATE} durable registrations a second through the journal"
    table = _table(title, "p50 ms", "p99 ms", "our CPU µs", "server CPU µs", "records a commit")
    for kind in kinds(folder, postgres):
        with _prepared(kind), Spent(kind) as spent:
            delays, commits = asyncio.run(_steady(kind, folder))
        count = len(delays)
        cells = (delays[count // 2] * 1e3, delays[count * 99 // 100] * 1e3, spent.own / count * 1e6)
        group = f"{count / commits:.1f}" if commits else "–"
        table.add_row(kind.name, *(f"{cell:.3g}" for cell in cells), f"{spent.server / count * 1e6:.3g}", group)
    console.print(table)


@contextmanager
def _prepared(kind: Kind) -> Iterator[None]:
    """With its schema; and without its server, if that is to be away."""
    Store.open(kind.url).close()
    if kind.away and kind.server:
        kind.server.stop()
    try:
        yield
    finally:
        if kind.server:
            kind.server.start()


async def _steady(kind: Kind, folder: Path) -> tuple[list[float], int]:
    made = Journal(kind.url, folder / f"journal-{kind.name}")
    delays: list[float] = []
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(round(RATE * JOURNAL_SECONDS)):
        await asyncio.sleep(max(0.0, begun + number / RATE - loop.time()))
        now = loop.time()
        made.durable(binding(number), lambda now=now: delays.append(loop.time() - now))  # type: ignore[misc]
    while made.waiting:
        await asyncio.sleep(0.01)
    commits = made.commits
    await made.close(0.5)
    return sorted(delays), commits


def switch(folder: Path, postgres: Postgres, registrations: int, calls: int) -> None:
    """A whole switch under load."""
    table = _table(
        f"a switch: {registrations} REGISTER at {REGISTER_RATE}/s, {calls} calls at {CALL_RATE}/s",
        *("REGISTER ms CPU", "of PostgreSQL", "p50 ms", "p99 ms", "call ms CPU", "of PostgreSQL", "180 p99 ms"),
    )
    for kind in kinds(folder, postgres):
        cells = _under_load(kind, registrations, calls)
        table.add_row(kind.name, *(f"{cell:.3g}" for cell in cells))
        console.print(f"{kind.name}: {', '.join(f'{cell:.3g}' for cell in cells)}")
    console.print(table)


def _under_load(kind: Kind, registrations: int, calls: int) -> tuple[float, ...]:
    phones, callers, callees = users(10_000, registrations), users(30_000, 1000, dialled=40_000), users(40_000, 1000)
    with Switch(settings={"store": kind.url}) as running:
        running.import_users([*phones, *callers, *callees])
        port = free_port()
        if kind.away and kind.server:
            kind.server.stop()
        try:
            idle = measure_idle(running.all_pids, IDLE)
            with Meter(running.all_pids, idle, SETTLE) as meter, Spent(kind) as spent:
                result = _checked(register(running.ipv4, DOMAIN, phones, rate=REGISTER_RATE))
            figures = [meter.cpu / registrations, spent.server / registrations]
            figures += [result.percentile(0.5), result.percentile(0.99)]
            _checked(register(running.ipv4, DOMAIN, callees, port=port, rate=REGISTER_RATE))
            with Sipp("callee", running.ipv4, domain=DOMAIN, port=port) as callee:
                idle = measure_idle(running.all_pids, IDLE)
                with Meter(running.all_pids, idle, SETTLE) as meter, Spent(kind) as spent:
                    with Sipp(
                        "caller", running.ipv4, domain=DOMAIN, users=callers, calls=calls, rate=CALL_RATE, hold=1000
                    ) as caller:
                        result = _checked(caller.result())
                    running.await_idle()
                _checked(callee.stop())
        finally:
            if kind.server:
                kind.server.start()
    figures += [meter.cpu / calls, spent.server / calls, result.percentile(0.99)]
    return tuple(figure * 1e3 for figure in figures)


def _checked(result: Result) -> Result:
    if result.failed or result.unexpected:
        raise RuntimeError(f"{result.failed} failed: {result.errors[:2000]}")
    return result


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    table.add_column("store")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


PARTS = ("groups", "journal", "switch")


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="benchmarks.store", description="Measure what durability costs.")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument("--registrations", type=int, default=5000)
    options.add_argument("--calls", type=int, default=1000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="rs-store-") as name, Postgres() as postgres:
        folder = Path(name)
        if "groups" in chosen.only:
            groups(folder, postgres)
        if "journal" in chosen.only:
            journal(folder, postgres)
        if "switch" in chosen.only:
            switch(folder, postgres, chosen.registrations, chosen.calls)
    return 0


if __name__ == "__main__":
    sys.exit(main())
