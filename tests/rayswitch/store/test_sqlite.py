"""SQLite's own: the rights on its files, who waits for whom, and trouble told in plain words."""

import sqlite3
import stat
from pathlib import Path

import pytest

from rayswitch.store import BadWrite, Store, StoreError, put_binding, sqlite
from rayswitch.store.schema import MIGRATIONS


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'rayswitch.db'}"


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


def test_a_locked_database_is_named(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    with Store.open(url) as other, store.transaction():
        with pytest.raises(StoreError, match=r"rayswitch\.db is locked by another process") as caught:
            other.put_setting("a", "1")
        assert not isinstance(caught.value, BadWrite)


def test_a_full_disk_is_named_and_leaves_the_store_usable(store: Store) -> None:
    store.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="cannot grow: the disk is full"):
        store.apply([put_binding(f"{number}@a", "x" * 1000, 1.0, "s0", 0.0) for number in range(100)])
    assert list(store.bindings()) == []
    store.execute("PRAGMA max_page_count = 1000")
    store.apply([put_binding("100@a", "x" * 1000, 1.0, "s0", 0.0)])


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


def test_two_that_open_a_new_store_at_once_both_succeed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the schema missing, waits for the first, and must not make it again."""
    first = Store.open(url)
    with monkeypatch.context() as patch:
        numbers = iter([0, len(MIGRATIONS)])
        patch.setattr(Store, "_schema_number", lambda _: next(numbers))
        second = Store.open(url)
    second.put_setting("a", "1")
    assert first.setting("a") == "1"
    first.close()
    second.close()


def test_wal_mode(store: Store) -> None:
    assert list(store.rows("PRAGMA journal_mode")) == [("wal",)]
    assert sqlite3.sqlite_version_info >= (3, 24)
