"""What differs between databases, so that the rest of the store is the same code for all of them.

Statements are written in the SQL that SQLite (3.24 or newer) and PostgreSQL share, with ``?`` for parameters
and, in the schema, ``{blob}``, ``{integer}``, ``{real}`` and ``{serial}`` for types.  A dialect turns these
into its own, connects, begins a transaction that is going to write, and says in plain words what an error of
its driver means.  A driver is imported when a URL asks for it.

What is different and easy to forget: in PostgreSQL two transactions may both read before either writes, so
who counts, counts in one UPDATE (`Store.count_up`); and its columns take no value of another type.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from rayswitch.config.database import masked
from rayswitch.store.errors import StoreError

__all__ = ["Dialect", "dialect_of"]


class Dialect(Protocol):
    """One kind of database; `connect` gives a DB-API connection (PEP 249) in autocommit mode."""

    types: ClassVar[dict[str, str]]
    begin: ClassVar[str]
    batch_is_whole: ClassVar[bool]  # `executemany` does all or nothing without a transaction around it
    alone: ClassVar[str]  # "", or what keeps every other transaction that says it waiting until this one ends
    errors: ClassVar[tuple[type[BaseException], ...]]

    def connect(self) -> Any:
        """A new connection. Raises one of `errors`, or OSError."""
        ...

    def sql(self, statement: str) -> str:
        """The statement with this driver's parameter marks."""
        ...

    def explain(self, error: BaseException) -> StoreError:
        """The error to raise for one of `errors`."""
        ...


def _sqlite(url: str) -> Dialect:
    from rayswitch.store.sqlite import Sqlite

    return Sqlite(url)


def _postgresql(url: str) -> Dialect:
    from rayswitch.store.postgresql import Postgresql

    return Postgresql(url)


DIALECTS: dict[str, Callable[[str], Dialect]] = {"sqlite": _sqlite, "postgresql": _postgresql}


def dialect_of(url: str) -> Dialect:
    """The dialect for a URL such as ``sqlite:////var/lib/rayswitch.db``; StoreError for an unknown one."""
    scheme = url.partition("://")[0]
    if scheme not in DIALECTS:
        raise StoreError(f"store {masked(url)}: expected {' or '.join(DIALECTS)}, got {scheme!r}")
    return DIALECTS[scheme](url)
