"""The local copy: a SQLite file beside the process that holds what that process needs to start without the database.

`refresh` makes it so at a start, `follow` brings over what people have changed since; what the process writes itself,
its journal gives to both.  Only differences are written: at a start most of it is there already.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from rayswitch.store.store import Store

__all__ = ["follow", "refresh"]

Row = tuple[Any, ...]


class Table(NamedTuple):
    """A table whose first `keys` columns identify a row."""

    name: str
    keys: int
    columns: tuple[str, ...]

    def select(self, where: str = "") -> str:
        return f"SELECT {', '.join(self.columns)} FROM {self.name}{where}"

    def upsert(self) -> str:
        marks = ", ".join("?" for _ in self.columns)
        key = ", ".join(self.columns[: self.keys])
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.columns[self.keys :])
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"
            f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
        )

    def delete(self) -> str:
        return f"DELETE FROM {self.name} WHERE {' AND '.join(f'{name} = ?' for name in self.columns[: self.keys])}"


SETTING = Table("setting", 1, ("key", "value"))
SETTINGS = SETTING.select(" WHERE key = 'secret.nonce' OR key LIKE '%version%'")
"""Not all of them: the authority of the links is for the Switchboard alone."""
BINDING = Table("binding", 1, ("aor", "snapshot", "expires", "home", "written"))
BAN = Table("ban", 1, ("address", "until", "reason", "made"))
CALL = Table("call", 1, ("id", "host", "answered", "snapshot"))
VERSIONED = (
    Table("extension", 2, ("domain", "number", "name", "ha1_md5", "ha1_sha256", "options", "version", "deleted")),
    Table("record", 3, ("domain", "kind", "key", "value", "version", "deleted")),
)
"""Tables whose rows carry the version of their last change."""


def follow(source: Store, copy: Store) -> None:
    """Bring over the settings, and the rows that people have changed since the last time."""
    settings = list(source.rows(SETTINGS))  # first: a row that changes after this comes now and again
    with copy.transaction():
        for table in VERSIONED:
            ((newest,),) = copy.rows(f"SELECT max(version) FROM {table.name}")
            copy.execute_many(table.upsert(), source.rows(table.select(" WHERE version > ?"), newest or 0))
        _alter(copy, SETTING, settings)


def refresh(source: Store, copy: Store, host: str, mine: Callable[[str], bool]) -> None:
    """Make `copy` hold what `host` needs: all that people keep, the bindings of whose names are `mine`, its calls."""
    wanted: list[tuple[Table, Iterable[Row]]] = [
        (SETTING, list(source.rows(SETTINGS))),  # the versions among them first, for the same reason
        *((table, list(source.rows(table.select()))) for table in VERSIONED),
        (BAN, list(source.rows(BAN.select()))),
        (BINDING, [row for row in source.rows(BINDING.select()) if mine(row[0])]),
        (CALL, list(source.rows(CALL.select(" WHERE host = ?"), host))),
    ]
    with copy.transaction():
        for table, rows in wanted:
            _alter(copy, table, rows)


def _alter(copy: Store, table: Table, wanted: Iterable[Row]) -> None:
    """Make the rows of `table` those that are wanted."""
    held = {row[: table.keys]: row for row in copy.rows(table.select())}
    changed = [row for row in wanted if held.pop(row[: table.keys], None) != row]
    copy.execute_many(table.delete(), list(held))
    copy.execute_many(table.upsert(), changed)
