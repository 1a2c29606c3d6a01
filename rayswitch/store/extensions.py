"""Extensions in the store: the users of one SIP domain, and the versions that let copies of them be kept up
to date.

Every change takes the next version number and stamps its rows with it, in one transaction; so "what changed
since version n" is one query, and two copies with the same version are the same.  Passwords arrive as HA1
only.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rayswitch.store.store import Store

__all__ = ["BadExtension", "Extension", "Extensions", "check_name", "check_number", "check_password"]

_LONGEST = 64
_NUMBER_SIGNS = str.maketrans("", "", "-_.+*")


class BadExtension(ValueError):
    """A number, name or password that cannot be used; its text says what was expected."""


class Extension(NamedTuple):
    """A local user `number` of `domain`; both HA1s are lower-case hex (RFC 7616 §3.4.2, realm = domain)."""

    number: str
    domain: str
    name: str
    ha1_md5: str
    ha1_sha256: str
    options: dict[str, Any]
    version: int = 0
    deleted: bool = False


class Extensions:
    """The extensions of `domain` in `store`."""

    def __init__(self, store: Store, domain: str) -> None:
        self.store = store
        self.domain = domain
        self._version_key = f"extension.version.{domain}"

    def version(self) -> int:
        """The version of the last change; 0 when there never was one."""
        return int(self.store.setting(self._version_key) or 0)

    def changes(self, since: int = 0) -> tuple[int, list[Extension]]:
        """(version now, rows changed after version `since`, removed ones marked); `since` 0: live rows."""
        version = self.version()  # first: what changes after this line comes now and again the next time
        query = f"{_SELECT} WHERE domain = ? AND version > ? AND deleted <= ?"
        return version, [_extension(row) for row in self.store.rows(query, self.domain, since, 1 if since else 0)]

    def all(self) -> list[Extension]:
        """All, in the order of their numbers (short ones first, so 99 stands before 100)."""
        query = f"{_SELECT} WHERE domain = ? AND deleted = 0 ORDER BY length(number), number"
        return [_extension(row) for row in self.store.rows(query, self.domain)]

    def find(self, number: str) -> Extension | None:
        """The extension with this number."""
        query = f"{_SELECT} WHERE domain = ? AND number = ? AND deleted = 0"
        return next((_extension(row) for row in self.store.rows(query, self.domain, number)), None)

    def count(self) -> int:
        """How many there are."""
        query = "SELECT count(*) FROM extension WHERE domain = ? AND deleted = 0"
        ((number,),) = self.store.rows(query, self.domain)
        return int(number)

    def put(self, extensions: Iterable[Extension]) -> int:
        """Add them, or replace those with the same number, in one transaction; the version of this change."""
        with self.store.transaction():
            version = self.next_version()
            self.put_at(version, extensions)
        return version

    def remove(self, numbers: Sequence[str]) -> int:
        """Remove those that exist; the version of this change. Their hashes are erased."""
        with self.store.transaction():
            version = self.next_version()
            self.remove_at(version, numbers)
        return version

    def next_version(self) -> int:
        """That of a change which is under way in this transaction; others wait for its end."""
        return self.store.count_up(self._version_key)

    def put_at(self, version: int, extensions: Iterable[Extension]) -> None:
        """As `put`, in the transaction of the caller."""
        rows = (
            (self.domain, e.number, e.name, e.ha1_md5, e.ha1_sha256, json.dumps(e.options), version) for e in extensions
        )
        self.store.execute_many(_UPSERT, rows)

    def remove_at(self, version: int, numbers: Sequence[str]) -> None:
        """As `remove`, in the transaction of the caller."""
        self.store.execute_many(_ERASE, [(version, self.domain, number) for number in numbers])


_SELECT = "SELECT number, domain, name, ha1_md5, ha1_sha256, options, version, deleted FROM extension"
_ERASE = (
    "UPDATE extension SET deleted = 1, version = ?, name = '', ha1_md5 = '', ha1_sha256 = '', options = '{}'"
    " WHERE domain = ? AND number = ? AND deleted = 0"
)
_UPSERT = (
    "INSERT INTO extension (domain, number, name, ha1_md5, ha1_sha256, options, version, deleted)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (domain, number) DO UPDATE SET name = excluded.name,"
    " ha1_md5 = excluded.ha1_md5, ha1_sha256 = excluded.ha1_sha256, options = excluded.options,"
    " version = excluded.version, deleted = 0"
)


def _extension(row: tuple[Any, ...]) -> Extension:
    number, domain, name, md5, sha256, options, version, deleted = row
    chosen = {} if options == "{}" else json.loads(options)
    return Extension(number, domain, name, md5, sha256, chosen, version, bool(deleted))


def check_number(text: str) -> str:
    """A number or user name that needs no escape in a SIP URI (RFC 3261 §25.1); raises BadExtension."""
    letters = text.translate(_NUMBER_SIGNS)
    if not 0 < len(text) <= _LONGEST or not (letters.isascii() and (letters.isalnum() or not letters)):
        raise BadExtension(f"expected a number of 1 to {_LONGEST} digits, letters or -_.+*, got {text!r}")
    return text


def check_name(text: str) -> str:
    """A name for displays: printable, or empty; raises BadExtension."""
    if len(text) > _LONGEST or not text.isprintable():
        raise BadExtension(f"expected a name of at most {_LONGEST} printable characters, got {text!r}")
    return text


def check_password(text: str) -> str:
    """A password; raises BadExtension without showing it."""
    if not 0 < len(text) <= _LONGEST * 2 or not text.isprintable():
        raise BadExtension(f"expected a password of 1 to {_LONGEST * 2} printable characters")
    return text
