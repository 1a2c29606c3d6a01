"""PostgreSQL's own: how it is reached, what its errors mean, and who waits for whom."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rayswitch.store import BadWrite, Store, StoreAway, StoreError, Write, postgresql
from rayswitch.store.postgresql import Postgresql, numbered
from rayswitch.store.schema import MIGRATIONS
from tests.interop.ports import free_port
from tests.interop.postgres import FAST, OWNER, PASSWORD, Postgres


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture(scope="module")
def fragile() -> Iterator[Postgres]:
    """A server that is treated badly."""
    with Postgres(**FAST) as server:
        yield server


def test_parameters_are_numbered() -> None:
    assert numbered("SELECT a FROM b WHERE c = ? AND d < ?") == "SELECT a FROM b WHERE c = $1 AND d < $2"
    assert numbered("BEGIN") == "BEGIN"


def test_a_wrong_password_is_a_refusal_without_the_password(url: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("entirely wrong\n")
    path.chmod(0o600)
    address = url.partition("?")[0]
    with pytest.raises(StoreError, match=f"store {address} refuses us: password authentication failed") as caught:
        Store.open(f"{address}?password_file={path}")
    assert not isinstance(caught.value, StoreAway)
    assert "entirely wrong" not in str(caught.value)


def test_a_password_that_everybody_may_read_is_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o644)
    address = url.partition("?")[0]
    with pytest.raises(StoreError, match=f"everybody may read the password in {path}: chmod o-r") as caught:
        Store.open(f"{address}?password_file={path}")
    assert PASSWORD not in str(caught.value)


def test_a_password_file_that_is_not_there_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="password file /nowhere/secret: No such file"):
        Store.open(f"{url.partition('?')[0]}?password_file=/nowhere/secret")


def test_a_pgpass_file_is_looked_at(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".pgpass"
    path.write_text(f"127.0.0.1:*:*:{OWNER}:{PASSWORD}\n")
    path.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    Store.open(url.partition("?")[0]).close()


def test_a_database_that_does_not_exist_is_named(postgres: Postgres) -> None:
    with pytest.raises(StoreError, match='/nothing is not there: database "nothing" does not exist'):
        Store.open(postgres.url("nothing"))


def test_a_server_that_is_down_is_away(url: str) -> None:
    port = free_port()
    with pytest.raises(StoreAway, match=rf"store postgresql://a@127.0.0.1:{port}/b cannot be reached"):
        Store.open(f"postgresql://a@127.0.0.1:{port}/b")


def test_a_server_that_takes_connections_and_says_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StoreAway, match="cannot be reached: it does not answer in time"):
            Store.open(f"postgresql://a@127.0.0.1:{port}/b")


def test_a_connection_that_breaks_is_away_and_a_new_one_works(fragile: Postgres) -> None:
    url = fragile.new_database()
    with Store.open(url) as store:
        store.put_setting("a", "1")
        fragile.stop()
        with pytest.raises(StoreAway):
            store.put_setting("a", "2")
        with pytest.raises(StoreAway), store.transaction():
            store.put_setting("a", "2")
    with pytest.raises(StoreAway):
        Store.open(url)
    fragile.start()
    with Store.open(url) as store:
        assert store.setting("a") == "1"


def test_a_server_that_stops_answering_is_away(fragile: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 0.3)
    monkeypatch.setattr(postgresql, "CONNECT_SECONDS", 0.3)
    with Store.open(fragile.new_database()) as store:
        fragile.freeze()
        try:
            with pytest.raises(StoreAway, match="it does not answer in time"):
                store.put_setting("a", "1")
        finally:
            fragile.thaw()


@pytest.mark.parametrize("value", ["text", None, 2**80, "\0"])
def test_a_value_that_the_column_does_not_take_is_a_bad_write(url: str, value: object) -> None:
    with Store.open(url) as store:
        with pytest.raises(BadWrite, match="takes no such value"):
            store.apply([Write("put_call", ("c1\0" if value == "\0" else "c1", "s0", value, b""))])
        store.put_setting("a", "1")
        assert store.calls() == []


def test_a_store_can_be_used_where_a_loop_runs(url: str) -> None:
    async def main() -> str | None:
        with Store.open(url) as store:
            store.put_setting("a", "1")
            return store.setting("a")

    assert asyncio.run(main()) == "1"


def test_migrations_wait_for_one_another(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the tables made though it saw none when it began."""
    first = Store.open(url)
    with monkeypatch.context() as patch:
        numbers = iter([0, len(MIGRATIONS)])
        patch.setattr(Store, "_schema_number", lambda _: next(numbers))
        second = Store.open(url)
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert list(second.rows(locks)) == [(0,)]
    with first.transaction():
        list(first.rows(first.dialect.alone))
        assert list(second.rows(locks)) == [(1,)]
    first.close()
    second.close()


def test_what_connects_says_who_it_is(url: str, postgres: Postgres) -> None:
    with Store.open(url):
        seen = postgres.sql("SELECT application_name FROM pg_stat_activity WHERE application_name = 'rayswitch'")
    assert "rayswitch" in seen


def test_the_password_is_no_part_of_what_is_shown(postgres: Postgres) -> None:
    dialect = Postgresql("postgresql://me:geheim@db/x?password_file=/a")
    assert dialect.name == "postgresql://me:***@db/x"
