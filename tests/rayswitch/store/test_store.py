"""The store on SQLite: what was committed is there for the next one, and trouble is told in plain words."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rayswitch.store import (
    BadWrite,
    CdrFilter,
    Store,
    StoreError,
    Write,
    add_cdr,
    cdrs,
    drop_binding,
    drop_call,
    drop_expired_bindings,
    put_binding,
    put_call,
    sqlite,
)
from rayswitch.store.schema import MIGRATIONS
from rayswitch.store.writes import CDR_COLUMNS


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'rayswitch.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as store:
        yield store


def test_only_the_owner_may_read_the_files(store: Store, tmp_path: Path) -> None:
    store.put_setting("a", "1")
    files = list((tmp_path / "data").iterdir())
    assert {path.name for path in files} >= {"rayswitch.db", "rayswitch.db-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(url: str, tmp_path: Path) -> None:
    Store.open(url).close()
    path = tmp_path / "data" / "rayswitch.db"
    path.chmod(0o644)
    Store.open(url).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_readers_do_not_wait_for_a_writer(store: Store, url: str) -> None:
    store.put_setting("a", "old")
    with Store.open(url) as other, store.transaction():
        store.put_setting("a", "new")
        assert other.setting("a") == "old"
    assert store.setting("a") == "new"


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.put_setting("a", "1")
        raise RuntimeError
    assert store.setting("a") is None
    store.put_setting("a", "2")


def test_a_secret_is_the_same_for_all(store: Store, url: str) -> None:
    with Store.open(url) as other:
        assert other.secret("nonce") == store.secret("nonce")
    assert len(store.secret("nonce")) == 32
    assert store.secret("other") != store.secret("nonce")


def test_bindings(store: Store) -> None:
    store.apply([put_binding("100@a", [["sip:x\udcff@h"]], 50.0), put_binding("101@a", [], 90.0)])
    store.apply([put_binding("100@a", [["sip:y@h", None, 1.5]], 60.0)])
    assert sorted(store.bindings()) == [("100@a", [["sip:y@h", None, 1.5]], 60.0), ("101@a", [], 90.0)]
    assert [aor for aor, _, _ in store.bindings(after=60.0)] == ["101@a"]
    store.apply([drop_expired_bindings(60.0)])
    assert [aor for aor, _, _ in store.bindings()] == ["101@a"]


def test_undecodable_bytes_survive_in_snapshots(store: Store) -> None:
    store.apply([put_call("c1", "s0", False, {"name": "\udcff"})])
    assert store.calls() == [("c1", "s0", False, {"name": "\udcff"})]


def test_of_several_writes_to_a_row_the_last_counts(store: Store) -> None:
    store.apply([put_binding("100@a", [1], 1.0), drop_binding("100@a"), put_binding("100@a", [2], 2.0)])
    store.apply([put_call("c1", "s0", True, []), drop_call("c1"), put_call("c2", "s1", True, [])])
    assert list(store.bindings()) == [("100@a", [2], 2.0)]
    assert store.calls("s0") == []
    assert store.calls("s1") == [("c2", "s1", True, [])]


def test_a_group_with_a_bad_write_is_refused_whole(store: Store) -> None:
    bad = Write("put_binding", ("101@a", None, 1.0))
    with pytest.raises(BadWrite):
        store.apply([put_binding("100@a", [], 1.0), bad])
    assert list(store.bindings()) == []


def test_cdr_rows(store: Store) -> None:
    row = {"call_id": "c1", "caller": "100", "display": "J\udcffrg", "start": 10.0, "marks": ["transfer"]}
    store.apply([add_cdr(row), add_cdr(row | {"leg": "a"}), add_cdr({"call_id": "c2", "start": 20.0})])
    store.apply([add_cdr(row | {"caller": "999"})])  # closed a second time by another process
    found = list(cdrs(store, CdrFilter()))
    assert [(found_row["call_id"], found_row["caller"]) for found_row in found] == [("c2", ""), ("c1", "100")]
    assert tuple(found[0]) == ("id", *CDR_COLUMNS)
    assert (found[1]["display"], found[1]["marks"], found[0]["marks"]) == ("J\ufffdrg", ["transfer"], [])
    assert found[0]["answer"] is None


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (CdrFilter(number="100"), ["c3", "c1"]),
        (CdrFilter(since=20.0), ["c3", "c2"]),
        (CdrFilter(until=20.0), ["c1"]),
        (CdrFilter(call_id="c2", leg=None), ["c2", "c2"]),
        (CdrFilter(leg="b1"), ["c2"]),
        (CdrFilter(limit=1), ["c3"]),
        (CdrFilter(number="100", since=15.0), ["c3"]),
    ],
)
def test_cdr_filters(store: Store, wanted: CdrFilter, calls: list[str]) -> None:
    rows = [
        {"call_id": "c1", "caller": "100", "dialled": "101", "start": 10.0},
        {"call_id": "c2", "caller": "102", "dialled": "101", "start": 20.0},
        {"call_id": "c2", "leg": "b1", "caller": "102", "dialled": "101", "start": 20.0},
        {"call_id": "c3", "caller": "101", "dialled": "9", "reached": "100", "start": 30.0},
    ]
    store.apply(add_cdr(row) for row in rows)
    assert [row["call_id"] for row in cdrs(store, wanted)] == calls


def test_an_unknown_cdr_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no such CDR column: colour"):
        add_cdr({"colour": "red"})


def test_migrations_are_applied_once(url: str) -> None:
    for _ in range(2):
        with Store.open(url) as store:
            assert list(store.rows("SELECT number FROM migration")) == [
                (number,) for number in range(1, len(MIGRATIONS) + 1)
            ]


def test_an_older_schema_is_brought_up_to_date(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(url) as store:
        store.put_setting("kept", "yes")
    further = (*MIGRATIONS, ("CREATE TABLE later (x {blob})", "INSERT INTO later VALUES (NULL)"))
    monkeypatch.setattr("rayswitch.store.store.MIGRATIONS", further)
    with Store.open(url) as store:
        assert list(store.rows("SELECT x FROM later")) == [(None,)]
        assert store.setting("kept") == "yes"


def test_a_failed_migration_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(url).close()
    with monkeypatch.context() as patch:
        patch.setattr("rayswitch.store.store.MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE later (x TEXT)", "nonsense")))
        with pytest.raises(StoreError):
            Store.open(url)
    with Store.open(url) as store:
        assert list(store.rows("SELECT name FROM sqlite_master WHERE name = 'later'")) == []


def test_a_schema_from_the_future_is_refused(url: str) -> None:
    with Store.open(url) as store:
        store.execute("INSERT INTO migration (number) VALUES (?)", 99)
    with pytest.raises(StoreError, match="has schema 99, this rayswitch knows 1: it is too old"):
        Store.open(url)


def test_a_locked_database_is_named(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    with Store.open(url) as other, store.transaction():
        with pytest.raises(StoreError, match=r"rayswitch\.db is locked by another process") as caught:
            other.put_setting("a", "1")
        assert not isinstance(caught.value, BadWrite)


def test_a_full_disk_is_named_and_leaves_the_store_usable(store: Store) -> None:
    store.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="cannot grow: the disk is full"):
        store.apply([put_binding(f"{number}@a", "x" * 1000, 1.0) for number in range(100)])
    assert list(store.bindings()) == []
    store.execute("PRAGMA max_page_count = 1000")
    store.apply([put_binding("100@a", "x" * 1000, 1.0)])


def test_a_file_that_is_no_database_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rayswitch.db").write_text("This is a text of some length. " * 50)
    with pytest.raises(StoreError, match="is not a database"):
        Store.open(url)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file: (Not a directory|File exists)"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'rayswitch.db'}")
    with pytest.raises(StoreError, match="Is a directory"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_device_is_no_database() -> None:
    with pytest.raises(StoreError, match="/dev/null is not a regular file"):
        Store.open("sqlite:////dev/null")


def test_an_unknown_kind_of_database_is_named() -> None:
    with pytest.raises(StoreError, match="expected sqlite, got 'postgresql'"):
        Store.open("postgresql://localhost/x")


def test_two_that_open_a_new_store_at_once_both_succeed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the schema missing, waits for the first, and must not make it again."""
    first = Store.open(url)
    with monkeypatch.context() as patch:
        numbers = iter([0, 1])
        patch.setattr(Store, "_schema_number", lambda _: next(numbers))
        second = Store.open(url)
    second.put_setting("a", "1")
    assert first.setting("a") == "1"
    first.close()
    second.close()


def test_wal_mode(store: Store) -> None:
    assert list(store.rows("PRAGMA journal_mode")) == [("wal",)]
    assert sqlite3.sqlite_version_info >= (3, 24)
