"""The store's tests run over every kind of database: `url` is a new, empty one, first of SQLite, then of PostgreSQL.

A database server is reached by sockets; so here, and nowhere else in the tests of the library, they are allowed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rayswitch.store import Store
from tests.interop.postgres import FAST, Postgres

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="module", autouse=True)
def no_network_no_ray() -> Iterator[None]:
    """In place of the one above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ray", None)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for all tests of this folder."""
    with Postgres(**FAST) as server:
        yield server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is no store yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'rayswitch.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store."""
    with Store.open(url) as store:
        yield store
