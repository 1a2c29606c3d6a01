"""The store: one connection to the database that keeps settings, extensions, bindings, calls and CDRs.

It is synchronous and belongs to the thread that opened it.  Nothing here is on the path of a call: processes
append `Write` values to a journal, whose thread gives them to `apply` in groups.  Every failure is a
`StoreError`.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

from rayswitch.store.dialect import Dialect, dialect_of
from rayswitch.store.errors import StoreError
from rayswitch.store.schema import COUNTER, MIGRATIONS
from rayswitch.store.writes import STATEMENTS, Write, unpacked

__all__ = ["Store"]

_CHUNK = 500
_PUT_NEW = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_COUNT_UP = (
    "INSERT INTO setting (key, value) VALUES (?, '1') ON CONFLICT (key)"
    " DO UPDATE SET value = CAST(CAST(setting.value AS BIGINT) + 1 AS TEXT)"
)


class Store:
    """An open database. A context manager: leaving it closes the connection."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        with self._explained():
            self.connection = dialect.connect()
        try:
            self._migrate()
        except StoreError:
            self.close()
            raise

    @classmethod
    def open(cls, url: str) -> Self:
        """Open, make or migrate the database at `url`; raises StoreError."""
        return cls(dialect_of(url))

    def close(self) -> None:
        """Give the connection up."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def apply(self, writes: Iterable[Write]) -> None:
        """Make all `writes` durable in one transaction, or none; a later write to a row hides an earlier."""
        last: dict[tuple[Any, ...], Write] = {}
        for write in writes:
            statement = STATEMENTS[write.statement]
            last[(statement.table, *write.params[: statement.keys])] = write
        groups: dict[str, list[tuple[Any, ...]]] = {}
        for write in last.values():
            groups.setdefault(write.statement, []).append(write.params)
        alone = len(groups) == 1 and self.dialect.batch_is_whole
        with nullcontext() if alone else self.transaction():
            for name, rows in groups.items():
                self.execute_many(STATEMENTS[name].sql, rows)

    def bindings(self, after: float = 0.0) -> Iterator[tuple[str, Any, float]]:
        """(address-of-record, snapshot, expires) of all that end later than `after` (unix seconds)."""
        query = "SELECT aor, snapshot, expires FROM binding WHERE expires > ?"
        for aor, snapshot, expires in self.rows(query, after):
            yield aor, unpacked(snapshot), expires

    def homes(self, after: float = 0.0) -> dict[str, str]:
        """The host that wrote it last, by address-of-record, of all that end later than `after` (unix seconds)."""
        return dict(self.rows("SELECT aor, home FROM binding WHERE expires > ?", after))

    def take_calls(self, of: str, by: str) -> list[tuple[str, str, bool, Any]]:
        """Let `by` adopt the calls of host `of`, which is dead: what that still writes of them is ignored."""
        with self.transaction():
            taken = self.calls(of)
            self.execute("UPDATE call SET host = ? WHERE host = ?", by, of)
        return [(call, by, answered, snapshot) for call, _, answered, snapshot in taken]

    def bans(self, after: float) -> list[tuple[str, float, str, float]]:
        """(address, until, reason, made) of all that last beyond `after` (unix seconds), the oldest first."""
        query = "SELECT address, until, reason, made FROM ban WHERE until > ? ORDER BY made"
        return [(address, until, reason, made) for address, until, reason, made in self.rows(query, after)]

    def calls(self, host: str | None = None) -> list[tuple[str, str, bool, Any]]:
        """(id, host, answered, snapshot) of the calls in the journal, of one host or of all."""
        where, values = ("", ()) if host is None else (" WHERE host = ?", (host,))
        rows = self.rows("SELECT id, host, answered, snapshot FROM call" + where, *values)
        return [(call, home, bool(answered), unpacked(snapshot)) for call, home, answered, snapshot in rows]

    def owners(self) -> list[tuple[str, str]]:
        """(id, host) of the calls in the journal."""
        return [(call, host) for call, host in self.rows("SELECT id, host FROM call")]

    def setting(self, key: str) -> str | None:
        """The value that was put under `key`."""
        for (value,) in self.rows("SELECT value FROM setting WHERE key = ?", key):
            return str(value)
        return None

    def put_setting(self, key: str, value: str) -> None:
        """Keep `value` under `key`."""
        self.execute(
            "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            key,
            value,
        )

    def put_new_setting(self, key: str, value: str) -> bool:
        """Keep `value` under `key` if there is nothing yet; was it so?"""
        return self.execute(_PUT_NEW, key, value) == 1

    def change_setting(self, key: str, old: str, new: str) -> bool:
        """Put `new` in the place of `old`; False when something else is there."""
        return self.execute("UPDATE setting SET value = ? WHERE key = ? AND value = ?", new, key, old) == 1

    def count_up(self, key: str) -> int:
        """The next number of the counter `key`, from 1.  Inside a transaction: whoever else counts with it waits until
        that ends, so that a higher number is never seen before a lower one."""
        self.execute(_COUNT_UP, key)
        return int(self.setting(key) or 0)

    def secret(self, name: str) -> bytes:
        """32 random bytes that are the same for everybody who asks this store for `name`, for ever."""
        key = f"secret.{name}"
        if self.setting(key) is None:  # looked at first: a store that is full or locked can still be read
            self.put_new_setting(key, secrets.token_hex(32))
        return bytes.fromhex(self.setting(key) or "")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside becomes visible and durable together, or not at all."""
        self.execute(self.dialect.begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with self._explained():
                self.connection.rollback()
            raise

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement in the common dialect; the number of rows it changed."""
        with self._explained(), closing(self.connection.cursor()) as cursor:
            cursor.execute(self.dialect.sql(sql), values)
            changed: int = cursor.rowcount
            return changed

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each of `rows`."""
        with self._explained(), closing(self.connection.cursor()) as cursor:
            cursor.executemany(self.dialect.sql(sql), rows)

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, fetched as they are needed."""
        with self._explained(), closing(self.connection.cursor()) as cursor:
            cursor.execute(self.dialect.sql(sql), values)
            while chunk := cursor.fetchmany(_CHUNK):
                yield from chunk

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self.dialect.errors as error:
            raise self.dialect.explain(error) from error
        except OSError as error:
            raise StoreError(f"store {error.filename}: {error.strerror}") from error

    def _migrate(self) -> None:
        if self._schema_number() == len(MIGRATIONS):
            return
        with self.transaction():
            if self.dialect.alone:
                list(self.rows(self.dialect.alone))
            # Whoever comes second finds the work done.
            self.execute(COUNTER.format(**self.dialect.types))
            done = self._schema_number()
            if done > len(MIGRATIONS):
                raise StoreError(f"store has schema {done}, this rayswitch knows {len(MIGRATIONS)}: it is too old")
            for number, statements in enumerate(MIGRATIONS[done:], done + 1):
                for statement in statements:
                    self.execute(statement.format(**self.dialect.types))
                self.execute("INSERT INTO migration (number) VALUES (?)", number)

    def _schema_number(self) -> int:
        try:
            ((number,),) = self.rows("SELECT max(number) FROM migration")
        except StoreError:
            return 0  # a database that was just made; one that cannot be read fails at the next step
        return number or 0
