"""Passwords of extensions: made up when none is given, and turned into the hashes that are kept."""

import secrets
import sys

from rayswitch.sip.digest import ha1
from rayswitch.store.extensions import Extension, check_name, check_number, check_password

__all__ = ["extension", "given_or_random", "random_password"]

# No letters that look alike: it may have to be typed on a phone's keypad. 14 of 31 signs are 69 bits.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 14


def random_password() -> str:
    """A password nobody can guess."""
    return "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))


def given_or_random(option: str | None) -> str:
    """What `--password` says; "-": the first line of standard input, so that no process list shows it."""
    if option == "-":
        return sys.stdin.readline().rstrip("\r\n")
    return random_password() if option is None else option


def extension(number: str, domain: str, name: str, password: str) -> Extension:
    """The row for the store; raises BadExtension for a value that cannot be used."""
    return Extension(
        check_number(number),
        domain,
        check_name(name),
        ha1(number, domain, check_password(password), "MD5"),
        ha1(number, domain, password, "SHA-256"),
        {},
    )
