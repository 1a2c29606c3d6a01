"""The gateway's copy of the extensions: who exists, and the hashed passwords (HA1) to prove it with.

It is filled from versioned rows of the store and kept small (100,000 extensions: about 35 MB), so that a gateway
answers from it when everything else is away. Numbers are the user parts of the domain's addresses-of-record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rayswitch.records.extension import ExtensionOptions

PLAIN = ExtensionOptions()
"""The options of most extensions."""


class Account(NamedTuple):
    """An extension: display name, HA1 by MD5 (16 bytes) and by SHA-256 (32 bytes), and what else is said of it."""

    name: str
    md5: bytes
    sha256: bytes
    options: ExtensionOptions = PLAIN

    def ha1(self, algorithm: str) -> str:
        """The HA1 in hex as digest wants it; `algorithm` as in the credentials ("MD5" or "SHA-256")."""
        return (self.sha256 if algorithm.upper() == "SHA-256" else self.md5).hex()


NOBODY = Account("", bytes(16), bytes(32))
"""What an unknown user is checked against, so that he costs the same time as a wrong password."""


class Directory:
    """Accounts by number, at `version` of the store."""

    __slots__ = ("accounts", "domain", "tied", "version")

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.version = 0
        self.accounts: dict[str, Account] = {}
        self.tied: dict[str, set[str]] = {}
        """Numbers by the address that stands for their password."""

    def apply(self, version: int, rows: Iterable[tuple[str, Account | None]]) -> None:
        """Rows changed up to `version`; None for one that was removed."""
        for number, account in rows:
            self.untie(number, self.accounts.pop(number, None))
            if account is not None:
                self.accounts[number] = account
                if account.options.address is not None:
                    self.tied.setdefault(account.options.address.host, set()).add(number)
        self.version = version

    def untie(self, number: str, account: Account | None) -> None:
        """This account is no more."""
        if account is None or account.options.address is None:
            return
        host = account.options.address.host
        self.tied[host].discard(number)
        if not self.tied[host]:
            del self.tied[host]

    def get(self, number: str) -> Account | None:
        """The account of a number."""
        return self.accounts.get(number)

    def aor(self, number: str) -> str:
        """The address-of-record of an existing number, else ""."""
        return f"{number}@{self.domain}" if number in self.accounts else ""

    def number(self, aor: str) -> str:
        """The number of an address-of-record of ours."""
        return aor.rpartition("@")[0]

    def vouches(self, host: str, number: str) -> bool:
        """Does it prove that somebody is `number`, that his packets come from `host`?"""
        return host in self.tied and number in self.tied[host]
