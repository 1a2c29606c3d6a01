"""SQLite: one file in WAL mode, so that readers never wait for the writer nor the writer for them.

`synchronous=NORMAL` does not wait for the disk at each commit: what was committed survives the death of every
process, which is what is promised; a power cut may take the last moments, but never the consistency.
"""

import errno
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import ClassVar

from rayswitch.store.errors import BadWrite, StoreError, StoreFull

__all__ = ["Sqlite"]

BUSY_SECONDS = 5.0
_BUSY = sqlite3.SQLITE_BUSY
_PRIMARY = 0xFF  # the low byte of an extended result code
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: f"is locked by another process for more than {BUSY_SECONDS:g} s",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_READONLY: "is not writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_PERM: "may not be accessed by this user",
}


class Sqlite:
    """The dialect for ``sqlite:///FILE``."""

    types: ClassVar[dict[str, str]] = {
        "blob": "BLOB",
        "integer": "INTEGER",
        "real": "REAL",
        "serial": "INTEGER PRIMARY KEY",
    }
    begin: ClassVar[str] = "BEGIN IMMEDIATE"  # a deferred one could fail half way, when another writer got in between
    batch_is_whole: ClassVar[bool] = False
    alone: ClassVar[str] = ""  # there is one writer at a time anyway
    errors: ClassVar[tuple[type[BaseException], ...]] = (sqlite3.Error,)

    def __init__(self, url: str) -> None:
        self.path = Path(url.removeprefix("sqlite:///"))

    def connect(self) -> sqlite3.Connection:
        """Open or make the file; only its owner may read it, because hashes of passwords are in it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(self.path)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def sql(self, statement: str) -> str:
        """SQLite's own marks are question marks."""
        return statement

    def explain(self, error: BaseException) -> StoreError:
        """Name the file, and what happened in words instead of SQLite's."""
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
            return BadWrite(f"store {self.path}: {error}")
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        family = StoreFull if code == sqlite3.SQLITE_FULL else StoreError
        return family(f"store {self.path} {_PROBLEMS.get(code, f'fails: {error}')}")


def _close_to_others(path: Path) -> None:
    """Make the file, or take the others' rights on it; SQLite gives its -wal and -shm files the same mode.

    A file that is there is never opened here: closing it would drop the POSIX locks of every connection
    that this process has to it, and the next process to close the database would take itself for the last
    one and delete the write-ahead log under our hands (sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        if not stat.S_ISREG(mode):
            raise StoreError(f"store {path} is not a regular file") from None
        if stat.S_IMODE(mode) & 0o077:
            path.chmod(0o600)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL once in the life of the file; the busy timeout does not cover the switch itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
