"""What a process knows when it starts: from the database, from its copy when that is away, and from its journal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import recall as module
from actors.alarms import Alarms
from actors.journal import Journal, common
from actors.recall import Recall, copy_of, journal_of
from rayswitch.config import Config
from rayswitch.store import (
    Extension,
    Extensions,
    Store,
    StoreAway,
    StoreError,
    Write,
    add_cdr,
    drop_binding,
    drop_call,
    put_binding,
    put_call,
)

DOMAIN = "example.com"


class Remote:
    """Stands for a database on another machine, by a file; `away`: it cannot be reached."""

    def __init__(self, where: Path) -> None:
        self.config = Config.from_dict(
            {"domain": DOMAIN, "data": str(where / "data"), "store": "postgresql://me@db/calls"}
        )
        self.file = f"sqlite:///{where}/remote.db"
        self.away = False
        self.opened = 0
        self.real = Store.open

    def open(self, url: str) -> Store:
        if not url.startswith("postgresql"):
            return self.real(url)
        self.opened += 1
        if self.away:
            raise StoreAway("store postgresql://me@db/calls cannot be reached")
        return self.real(self.file)

    def apply(self, *writes: Write) -> None:
        with self.real(self.file) as store:
            store.apply(writes)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    remote = Remote(tmp_path)
    monkeypatch.setattr(Store, "open", remote.open)
    monkeypatch.setattr(common, "RETRY", 0.02)
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.05)
    yield remote


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 20))


@asynccontextmanager
async def process(remote: Remote, me: str = "s0") -> AsyncIterator[tuple[Recall, Journal]]:
    journal = Journal(
        remote.config.store, journal_of(remote.config, me), Alarms(), copy=copy_of(remote.config, me), segment=4096
    )
    try:
        yield Recall(remote.config, me, journal), journal
    finally:
        await journal.close(0.5)


def mine(aor: str) -> bool:
    return not aor.startswith("other")


def binding(name: str, *snapshot: Any) -> Write:
    return put_binding(f"{name}@{DOMAIN}", list(snapshot), 2e9, "s0", 1.0)


def row(number: str) -> Extension:
    return Extension(number, DOMAIN, f"Phone {number}", "m" * 32, "s" * 64, {})


def numbers(store: Store) -> list[str]:
    return [extension.number for extension in Extensions(store, DOMAIN).all()]


async def names(recall: Recall) -> dict[str, Any]:
    rows = await asyncio.to_thread(recall.bindings, mine, 0.0)
    return {aor.partition("@")[0]: snapshot for aor, snapshot, _ in rows}


async def calls(recall: Recall) -> dict[str, Any]:
    return dict(await asyncio.to_thread(recall.calls))


def test_a_process_starts_from_its_copy_while_the_database_is_away(remote: Remote) -> None:
    async def main() -> None:
        remote.apply(
            binding("a", 1), binding("other", 1), put_call("c1", "s0", True, ["up"]), put_call("x", "s1", True, 0)
        )
        with Store.open(remote.file) as store:
            Extensions(store, DOMAIN).put([row("100"), row("101")])
            secret = store.secret("nonce")
        async with process(remote) as (recall, journal):
            await asyncio.to_thread(recall.refresh, mine)
            assert await asyncio.to_thread(recall.secret, "nonce") == secret
            assert await names(recall) == {"a": [1]}
            journal.append(binding("b", 2), put_call("c2", "s0", True, ["new"]), add_cdr({"call_id": "c0"}))
            assert await journal.flush()
        remote.away = True
        async with process(remote) as (recall, journal):
            await asyncio.to_thread(recall.refresh, mine)
            assert await asyncio.to_thread(recall.secret, "nonce") == secret
            assert await names(recall) == {"a": [1], "b": [2]}
            assert await calls(recall) == {"c1": ["up"], "c2": ["new"]}
            with recall.known() as store:
                assert numbers(store) == ["100", "101"]
            assert journal.aside and "cannot be reached" in journal.alarms.rows()[0]["what"]
            remote.away = False
            assert await journal.flush(5)
            assert journal.alarms.rows() == []

    run(main)


def test_what_the_journal_still_holds_is_known_too(remote: Remote) -> None:
    """Killed while the database is away, started again while it is away, and again when it is back."""

    async def main() -> None:
        remote.apply(
            binding("a", 1), binding("gone", 1), put_call("c1", "s0", True, ["up"]), put_call("c2", "s0", True, [])
        )
        async with process(remote) as (recall, journal):
            await asyncio.to_thread(recall.refresh, mine)
            remote.away = True
            journal.append(
                binding("a", 2), drop_binding(f"gone@{DOMAIN}", "s0", 2.0), binding("new", 1),
                put_call("c1", "s0", True, ["held"]), drop_call("c2", "s0"),
            )  # fmt: skip
            journal.away("it is away")
        for _ in range(2):
            async with process(remote) as (recall, journal):
                await asyncio.to_thread(recall.refresh, mine)
                assert await names(recall) == {"a": [2], "new": [1]}
                assert await calls(recall) == {"c1": ["held"]}
            remote.away = False
        with Store.open(remote.file) as store:
            assert {aor.partition("@")[0] for aor, _, _ in store.bindings()} == {"a", "new"}
            assert [call[0] for call in store.calls("s0")] == ["c1"]

    run(main)


def test_a_database_that_is_away_is_not_waited_for_again_and_again(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 60.0)
    monkeypatch.setattr(common, "RETRY", 60.0)

    async def main() -> None:
        async with process(remote) as (recall, _):
            secret = await asyncio.to_thread(recall.secret, "nonce")
        remote.away = True
        async with process(remote) as (recall, _):
            assert await asyncio.to_thread(recall.secret, "nonce") == secret
            assert await names(recall) == {} and await calls(recall) == {}
            while remote.opened < 4:  # twice for the first secret, then once by us and once by the journal
                await asyncio.sleep(0.01)
            assert await asyncio.to_thread(recall.secret, "nonce") == secret
            assert remote.opened == 4

    run(main)


def test_without_database_and_copy_there_is_nothing_to_start_from(remote: Remote) -> None:
    async def main() -> None:
        remote.away = True
        async with process(remote) as (recall, _):
            await asyncio.to_thread(recall.refresh, mine)
            with pytest.raises(StoreError, match="cannot be reached"):
                await asyncio.to_thread(recall.secret, "nonce")

    run(main)


def test_what_people_change_is_followed(remote: Remote) -> None:
    async def main() -> None:
        async with process(remote) as (recall, _):
            with Store.open(remote.file) as store:
                extensions = Extensions(store, DOMAIN)
                extensions.put([row("100"), row("101"), row("102")])
                await asyncio.to_thread(recall.refresh, mine)
                extensions.remove(["101"])
                extensions.put([row("103")])
                await asyncio.to_thread(recall.follow)
                remote.away = True
                with recall.known() as copy:
                    assert numbers(copy) == ["100", "102", "103"]
                    assert Extensions(copy, DOMAIN).version() == extensions.version() == 3

    run(main)


def test_what_is_gone_from_the_database_is_gone_from_the_copy_at_the_next_start(remote: Remote) -> None:
    async def main() -> None:
        remote.apply(binding("a", 1), binding("b", 1), put_call("c1", "s0", True, []))
        async with process(remote) as (recall, _):
            await asyncio.to_thread(recall.refresh, mine)
        with Store.open(remote.file) as store:
            store.execute("DELETE FROM call")
            store.execute("DELETE FROM binding WHERE aor = ?", f"a@{DOMAIN}")
        async with process(remote) as (recall, _):
            await asyncio.to_thread(recall.refresh, mine)
            remote.away = True
            assert await names(recall) == {"b": [1]}
            assert await calls(recall) == {}

    run(main)


def test_a_database_on_this_machine_needs_no_copy(tmp_path: Path) -> None:
    config = Config.from_dict({"data": str(tmp_path), "store": f"sqlite:///{tmp_path}/x.db"})
    assert copy_of(config, "s0") == ""
