"""The gateway's copy of the extensions: who exists, and the hashed passwords (HA1) to prove it with.

It is filled from versioned rows of the store and kept small (100,000 extensions: about 35 MB), so that a gateway
answers from it when everything else is away.  Numbers are the user parts of the domain's addresses-of-record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Account(NamedTuple):
    """An extension: display name, HA1 by MD5 (16 bytes) and by SHA-256 (32 bytes)."""

    name: str
    md5: bytes
    sha256: bytes

    def ha1(self, algorithm: str) -> str:
        """The HA1 in hex as digest wants it; `algorithm` as in the credentials ("MD5" or "SHA-256")."""
        return (self.sha256 if algorithm.upper() == "SHA-256" else self.md5).hex()


NOBODY = Account("", bytes(16), bytes(32))
"""What an unknown user is checked against, so that he costs the same time as a wrong password."""


class Directory:
    """Accounts by number, at `version` of the store."""

    __slots__ = ("accounts", "domain", "version")

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.version = 0
        self.accounts: dict[str, Account] = {}

    def apply(self, version: int, rows: Iterable[tuple[str, Account | None]]) -> None:
        """Rows changed up to `version`; None for one that was removed."""
        for number, account in rows:
            if account is None:
                self.accounts.pop(number, None)
            else:
                self.accounts[number] = account
        self.version = version

    def get(self, number: str) -> Account | None:
        """The account of a number."""
        return self.accounts.get(number)

    def aor(self, number: str) -> str:
        """The address-of-record of an existing number, else ""."""
        return f"{number}@{self.domain}" if number in self.accounts else ""
