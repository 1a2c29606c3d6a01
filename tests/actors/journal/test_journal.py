"""The journal: durable before the callback, patient with a store that is away, bounded."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors import journal as module
from actors.journal import Journal
from rayswitch.store import Store, StoreError, Write, drop_binding, put_binding


def run(main: Callable[[str], Awaitable[None]], where: Path) -> None:
    asyncio.run(asyncio.wait_for(main(f"sqlite:///{where}/switch.db"), 20))


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Journal]:
    journal = Journal(url, **options)
    try:
        yield journal
    finally:
        await journal.close(timeout=0.5)


def aors(url: str) -> list[str]:
    with Store.open(url) as store:
        return sorted(aor for aor, _, _ in store.bindings())


def test_the_callback_comes_when_the_record_is_on_disk(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with opened(url) as journal:
            done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            journal.durable(put_binding("a@x", [], 9e9, "s0", 0.0), lambda: done.set_result(aors(url)))
            assert await done == ["a@x"]
            assert journal.backlog == 0

    run(main, tmp_path)


def test_records_are_committed_in_groups_and_in_order(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with opened(url) as journal:
            seen: list[int] = []
            for number in range(500):
                journal.durable(put_binding(f"{number}@x", [], 9e9, "s0", 0.0), partial(seen.append, number))
            journal.append(put_binding("gone@x", [], 9e9, "s0", 0.0), drop_binding("gone@x", "s0", 0.0))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert seen == list(range(500))
            assert len(aors(url)) == 500
            assert journal.commits < 10

    run(main, tmp_path)


def test_what_is_left_is_written_at_close(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with opened(url) as journal:
            journal.append(put_binding("a@x", [], 9e9, "s0", 0.0))
        assert aors(url) == ["a@x"]

    run(main, tmp_path)


def test_a_store_that_is_locked_blocks_nobody_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    broken = True
    real = Store.apply

    def apply(store: Store, writes: list[Write]) -> None:
        if broken:
            raise StoreError("disk full")
        real(store, writes)

    monkeypatch.setattr(Store, "apply", apply)

    async def main(url: str) -> None:
        nonlocal broken
        async with opened(url) as journal:
            done: list[str] = []
            journal.durable(put_binding("a@x", [], 9e9, "s0", 0.0), lambda: done.append("a"))
            while not journal.alarm:
                await asyncio.sleep(0.005)
            assert (journal.alarm, done, journal.backlog) == ("disk full", [], 1)
            broken = False
            assert await journal.flush()
            await asyncio.sleep(0)
            assert (journal.alarm, done) == ("", ["a"])

    run(main, tmp_path)


def test_the_journal_closes_in_time_without_a_store() -> None:
    async def main() -> None:
        journal = Journal("sqlite:////nowhere/at/all/switch.db")
        journal.append(put_binding("a@x", [], 9e9, "s0", 0.0))
        await journal.close(timeout=0.2)

    asyncio.run(asyncio.wait_for(main(), 5))


def test_a_record_the_store_never_takes_is_dropped_alone(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with opened(url) as journal:
            done: list[str] = []
            bad: Any = object()
            journal.durable(Write("put_binding", ("bad@x", bad, 1.0, "s0", 0.0)), lambda: done.append("bad"))
            journal.durable(put_binding("good@x", [], 9e9, "s0", 0.0), lambda: done.append("good"))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert done == ["good"]

    run(main, tmp_path)


def test_the_backlog_is_bounded(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        lock = sqlite3.connect(tmp_path / "switch.db")
        Store.open(url).close()
        lock.execute("BEGIN EXCLUSIVE")
        async with opened(url, limit=3) as journal:
            for number in range(5):
                journal.append(put_binding(f"{number}@x", [], 9e9, "s0", 0.0))
            assert (journal.backlog, journal.refused) == (3, 2)
            assert "refusing" in journal.alarm
            lock.rollback()
            lock.close()
            assert await journal.flush(10)
        assert aors(url) == ["0@x", "1@x", "2@x"]

    run(main, tmp_path)


def test_a_callback_that_fails_harms_nobody(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with opened(url) as journal:
            done: list[str] = []
            journal.durable(put_binding("a@x", [], 9e9, "s0", 0.0), lambda: 1 // 0)
            journal.durable(put_binding("b@x", [], 9e9, "s0", 0.0), lambda: done.append("b"))
            assert await journal.flush()
            await asyncio.sleep(0)
            assert done == ["b"]

    run(main, tmp_path)
