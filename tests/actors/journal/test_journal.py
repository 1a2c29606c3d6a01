"""The journal: durable before the callback, by way of the disk when the database does not take it, bounded."""

import asyncio
import errno
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.alarms import Alarms
from actors.journal import Journal, common, journal
from rayswitch.store import CdrFilter, Store, StoreError, Write, add_cdr, cdrs, drop_binding, put_binding, put_call
from rayswitch.store.backlog import Backlog


def run(main: Callable[[Path], Awaitable[None]], where: Path) -> None:
    asyncio.run(asyncio.wait_for(main(where), 20))


def database(where: Path) -> str:
    return f"sqlite:///{where}/switch.db"


@asynccontextmanager
async def opened(where: Path, **options: Any) -> AsyncIterator[Journal]:
    journal = Journal(database(where), where / "journal", Alarms(), **options)
    try:
        yield journal
    finally:
        await journal.close(timeout=0.5)


def binding(name: object, snapshot: Any = ()) -> Write:
    return put_binding(f"{name}@x", snapshot, 9e9, "s0", 0.0)


def aors(where: Path) -> list[str]:
    with Store.open(database(where)) as store:
        return sorted(aor for aor, _, _ in store.bindings())


def alarms(journal: Journal) -> list[str]:
    return [row["what"] for row in journal.alarms.rows()]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


class Trouble:
    """A database that can be taken away (`why`), or held up."""

    def __init__(self) -> None:
        self.why = ""
        self.held = threading.Event()
        self.held.set()


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    trouble = Trouble()
    real = Store.apply

    def apply(store: Store, writes: list[Write]) -> None:
        trouble.held.wait()
        if trouble.why:
            raise StoreError(trouble.why)
        real(store, writes)

    monkeypatch.setattr(Store, "apply", apply)
    monkeypatch.setattr(common, "RETRY", 0.02)
    monkeypatch.setattr(journal, "LOOK", 0.01)
    yield trouble
    trouble.held.set()


def test_the_callback_comes_when_the_record_is_in_the_database(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where) as journal:
            done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            journal.durable(binding("a"), lambda: done.set_result(aors(where)))
            assert await done == ["a@x"]
            assert (journal.waiting, journal.aside, journal.backlog) == (0, False, 0)

    run(main, tmp_path)


def test_records_are_committed_in_groups_and_in_order(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where) as journal:
            seen: list[int] = []
            for number in range(500):
                journal.durable(binding(number), partial(seen.append, number))
            journal.append(binding("gone"), drop_binding("gone@x", "s0", 0.0))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert seen == list(range(500))
            assert len(aors(where)) == 500
            assert journal.commits < 10

    run(main, tmp_path)


def test_what_is_left_is_written_at_close(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where) as journal:
            journal.append(binding("a"))
        assert aors(where) == ["a@x"]

    run(main, tmp_path)


def test_a_database_that_is_away_costs_nothing_but_an_alarm(tmp_path: Path, trouble: Trouble) -> None:
    """The disk keeps the records, whoever waits is called back, and all goes in order when it is back."""

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            trouble.why = "store x cannot be reached"
            done: list[str] = []
            journal.durable(binding("a", [1]), partial(done.append, "a1"))
            await until(lambda: done == ["a1"])
            journal.durable(binding("a", [2]), partial(done.append, "a2"))
            journal.durable(binding("b"), partial(done.append, "b"))
            journal.append(add_cdr({"call_id": "c1"}))
            await until(lambda: done == ["a1", "a2", "b"] and not journal.waiting)
            assert journal.aside and journal.backlog == 4 and aors(where) == []
            await until(lambda: "4 records wait" in alarms(journal)[0])
            assert alarms(journal)[0].startswith("store x cannot be reached; ")
            trouble.why = ""
            assert await journal.flush()
            assert (journal.aside, journal.backlog, alarms(journal)) == (False, 0, [])
            assert [path.name for path in (where / "journal").glob("*.journal")] == []
            with Store.open(database(where)) as store:
                assert sorted(store.bindings()) == [("a@x", [2], 9e9), ("b@x", [], 9e9)]
                assert len(list(cdrs(store, CdrFilter()))) == 1

    run(main, tmp_path)


def test_a_database_that_hangs_is_not_waited_for(
    tmp_path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "HOLD", 0.05)
    monkeypatch.setattr(journal, "SILENCE", 0.1)

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            trouble.held.clear()
            done: list[str] = []
            journal.durable(binding("a"), partial(done.append, "a"))
            await until(lambda: done == ["a"])
            assert journal.aside and aors(where) == []
            journal.durable(binding("b"), partial(done.append, "b"))
            await until(lambda: done == ["a", "b"] and alarms(journal))
            assert re.match(r"the database does not answer for 0.1 s; [12] records wait", alarms(journal)[0])
            trouble.held.set()
            assert await journal.flush()
            assert (aors(where), alarms(journal), done) == (["a@x", "b@x"], [], ["a", "b"])

    run(main, tmp_path)


def test_a_locked_database_is_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HOLD", 0.05)
    monkeypatch.setattr(journal, "LOOK", 0.01)

    async def main(where: Path) -> None:
        Store.open(database(where)).close()
        lock = sqlite3.connect(where / "switch.db")
        lock.execute("BEGIN EXCLUSIVE")
        async with opened(where) as journal:
            done: list[str] = []
            journal.durable(binding("a"), partial(done.append, "a"))
            await until(lambda: done == ["a"])
            assert aors(where) == []
            lock.rollback()
            lock.close()
            assert await journal.flush(10)
        assert aors(where) == ["a@x"]

    run(main, tmp_path)


CRASH = """
import asyncio, os, sys
from pathlib import Path
from actors.journal import Journal
from rayswitch.store import put_binding, add_cdr

async def main():
    where = Path(sys.argv[1])
    journal = Journal("sqlite:////proc/nowhere/switch.db", where / "journal")
    loop = asyncio.get_running_loop()
    for number in range(200):
        kept = loop.create_future()
        journal.append(add_cdr({"call_id": f"c{number}"}))
        journal.durable(put_binding(f"{number}@x", [number], 9e9, "s0", 0.0), lambda: kept.set_result(None))
        await kept
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_called_durable_survives_kill_9_while_the_database_is_away(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", CRASH, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        said = [int(next(process.stdout)) for _ in range(25)]
        process.kill()
        said += [int(line) for line in process.stdout]

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            pending = await asyncio.to_thread(journal.pending)
            known = {aor for aor, _, _ in pending.bindings([])}
            assert known >= {f"{number}@x" for number in said}
            assert await journal.flush(5)
            assert set(aors(where)) == known
            with Store.open(database(where)) as store:
                calls = [row["call_id"] for row in cdrs(store, CdrFilter())]
            assert len(calls) == len(set(calls)) and set(calls) >= {f"c{number}" for number in said}

    run(main, tmp_path)


def test_the_journal_closes_in_time_without_a_store_and_leaves_what_it_has(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        journal = Journal("sqlite:////proc/nowhere/switch.db", where / "journal")
        journal.append(binding("a"))
        await journal.close(timeout=0.4)

    asyncio.run(asyncio.wait_for(main(tmp_path), 5))
    backlog = Backlog(tmp_path / "journal")
    assert list(backlog.scan()) == [binding("a")]
    backlog.close()


def test_the_journal_closes_in_time_when_the_database_hangs(tmp_path: Path, trouble: Trouble) -> None:
    async def main(where: Path) -> None:
        journal = Journal(database(where), where / "journal")
        trouble.held.clear()
        journal.append(binding("a"))
        await until(lambda: journal.waiting and journal._course.flying)
        await journal.close(timeout=0.4)
        assert journal.waiting == 0 and journal.backlog == 1
        trouble.held.set()
        await asyncio.wait_for(journal._ended, 5)

    asyncio.run(asyncio.wait_for(main(tmp_path), 10))


def test_a_record_the_store_never_takes_is_dropped_alone(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where) as journal:
            done: list[str] = []
            bad: Any = object()
            journal.durable(Write("put_binding", ("bad@x", bad, 1.0, "s0", 0.0)), lambda: done.append("bad"))
            journal.durable(binding("good"), lambda: done.append("good"))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert "good" in done and aors(where) == ["good@x"]

    run(main, tmp_path)


def test_the_backlog_is_bounded_and_the_least_is_left_out_first(tmp_path: Path, trouble: Trouble) -> None:
    """Snapshots of calls, then registrations, then all; each with an alarm, and all of it over when it is back."""

    async def main(where: Path) -> None:
        async with opened(where, limit=10_000, segment=512) as journal:
            trouble.why = "away"
            refused: list[str] = []
            snapshot = put_call("c", "s0", True, "x" * 40)
            record = add_cdr({"call_id": "c1", "cause": "x" * 20})

            async def fill(share: float, said: str) -> None:
                while journal._common.backlog.size < share * 10_000:
                    journal.append(record)
                    await until(lambda: not journal.waiting)
                await until(lambda: any(said in text for text in alarms(journal)))

            await fill(0.5, " % full")
            journal.append(snapshot)
            assert journal.refused == 0
            await fill(0.8, "% full; not kept any more: snapshots of calls")
            journal.append(snapshot)
            assert journal.refused == 1
            journal.durable(binding("a"), lambda: refused.append("no"), lambda: refused.append("yes"))
            await until(lambda: refused == ["no"])
            await fill(0.9, "not kept any more: snapshots of calls, registrations")
            journal.durable(binding("b"), lambda: refused.append("no"), lambda: refused.append("yes"))
            assert refused == ["no", "yes"]
            await fill(1.0, "is 100 % full; not kept any more: snapshots of calls, registrations, call records")
            journal.append(record)
            assert journal.refused == 3
            trouble.why = ""
            assert await journal.flush()
            await until(lambda: not journal._left_out)
            assert alarms(journal) == ["3 records were not kept for want of room"]
            journal.append(snapshot)
            assert journal.refused == 3 and await journal.flush()
            assert aors(where) == ["a@x"]

    run(main, tmp_path)


def test_a_full_disk_and_no_database_leave_memory_and_an_alarm(
    tmp_path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MEMORY", 10)
    real = os.fdatasync

    def full(file: int) -> None:
        if trouble.why:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fdatasync", full)

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            trouble.why = "away"
            done: list[int] = []
            for number in range(8):
                journal.durable(binding(number), partial(done.append, number))
            await until(lambda: any("No space left on device; they wait in memory" in text for text in alarms(journal)))
            await until(lambda: journal._left_out == ("put_call",))
            assert done == []
            refused: list[str] = []
            journal.durable(binding("late"), partial(done.append, 99), lambda: refused.append("late"))
            assert refused == ["late"], "who can be told does not wait for ever"
            journal.append(add_cdr({"call_id": "c1"}))
            await until(lambda: journal._left_out == ("put_call", "put_binding", ""))
            journal.append(add_cdr({"call_id": "c3"}))
            assert journal.refused == 1
            trouble.why = ""
            assert await journal.flush()
            await asyncio.sleep(0)
            assert done == list(range(8))
            assert aors(where) == [*(f"{number}@x" for number in range(8)), "late@x"]

    run(main, tmp_path)


def test_a_copy_gets_the_same_but_for_the_records_of_calls(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        copy = f"sqlite:///{where}/copy.db"
        async with opened(where, copy=copy) as journal:
            journal.append(binding("a"), add_cdr({"call_id": "c1"}), put_call("c1", "s0", True, []))
            assert await journal.flush()
        with Store.open(copy) as store:
            assert [row[0] for row in store.bindings()] == ["a@x"]
            assert [row[0] for row in store.calls()] == ["c1"]
            assert list(cdrs(store, CdrFilter())) == []

    run(main, tmp_path)


def test_a_copy_that_fails_harms_nobody(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where, copy="sqlite:////proc/nowhere/copy.db") as journal:
            done: list[str] = []
            journal.durable(binding("a"), partial(done.append, "a"))
            await until(lambda: done == ["a"])
            assert aors(where) == ["a@x"]
            assert alarms(journal)[0].startswith("the local copy is not kept up: store /proc/nowhere")

    run(main, tmp_path)


def test_who_finds_the_database_away_may_say_so(tmp_path: Path) -> None:
    """Without a record to write, it is noticed when it is back."""

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            journal.away("store x cannot be reached")
            assert journal.aside
            await until(lambda: not journal.aside)
            assert alarms(journal) == []

    run(main, tmp_path)


def test_a_callback_that_fails_harms_nobody(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with opened(where) as journal:
            done: list[str] = []
            journal.durable(binding("a"), lambda: 1 // 0)
            journal.durable(binding("b"), lambda: done.append("b"))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert done == ["b"]

    run(main, tmp_path)


def test_an_error_of_ours_does_not_end_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "RETRY", 0.02)
    real, fails = Store.apply, [True]

    def apply(store: Store, writes: list[Write]) -> None:
        if fails:
            fails.clear()
            raise AssertionError("unforeseen")
        real(store, writes)

    monkeypatch.setattr(Store, "apply", apply)

    async def main(where: Path) -> None:
        async with opened(where) as journal:
            journal.append(binding("a"))
            assert await journal.flush()
            assert aors(where) == ["a@x"]

    run(main, tmp_path)
