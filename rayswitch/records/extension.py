"""Extensions (FEATURES §1): the number and password of a user, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rayswitch.config.kinds import LISTENER, Kind, Listener, choice, seconds, whole
from rayswitch.config.settings import setting, settings

__all__ = ["Extension", "ExtensionOptions"]

LONGEST = 64
NO_LIMIT = "none"
MOST_CALLS = 10_000
HASH_LENGTHS = [32, 64]
HEX = frozenset("0123456789abcdef")


def read_number(text: str) -> str:
    letters = text.translate(SIGNS)
    if not 0 < len(text) <= LONGEST or not (letters.isascii() and (letters.isalnum() or not letters)):
        raise ValueError
    return text


def read_name(text: str) -> str:
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError
    return text


def read_password(text: str) -> str:
    if not 0 < len(text) <= LONGEST * 2 or not text.isprintable():
        raise ValueError
    return text


def read_hashes(text: str) -> str:
    hashes = text.split()
    if [len(one) for one in hashes] != HASH_LENGTHS or not all(HEX.issuperset(one) for one in hashes):
        raise ValueError
    return " ".join(hashes)


def read_limit(text: str) -> int | None:
    return None if text == NO_LIMIT else whole(0, MOST_CALLS).read(text)


SIGNS = str.maketrans("", "", "-_.+*")
NUMBER = Kind(f"a number of 1 to {LONGEST} digits, letters or -_.+*", read_number)
NAME = Kind(f"a name of at most {LONGEST} printable characters", read_name)
PASSWORD = Kind(f"a password of 1 to {LONGEST * 2} printable characters", read_password, mask=lambda text: "another")
HASHES = Kind("the HA1 by MD5 and by SHA-256 in hex, with a space between", read_hashes, mask=lambda text: "another")
LIMIT: Kind[Any] = Kind(
    f"a whole number from 0 to {MOST_CALLS}, or {NO_LIMIT}",
    read_limit,
    lambda limit: NO_LIMIT if limit is None else limit,
)
ADDRESS: Kind[Listener | None] = Kind(
    "a URL such as udp://192.0.2.7:5060, or nothing",
    lambda text: LISTENER.read(text) if text else None,
    lambda listener: str(listener or ""),
)


ALWAYS_AT: Listener | None = setting(
    ADDRESS, None, "Where it always is; packets from there stand for its password, and it does not register."
)


@dataclass(frozen=True, slots=True)
class ExtensionOptions:
    """What an extension may do besides registering."""

    max_calls: int | None = setting(LIMIT, None, "Calls at once, in and out together; 0 closes it.")
    max_outgoing_calls: int | None = setting(LIMIT, None, "Outgoing calls at once; 0: none.")
    levels: tuple[int, ...] = settings(
        whole(1, 9), (), "Call levels that it has; a dialled prefix may demand one (`called_numbers`)."
    )
    address: Listener | None = ALWAYS_AT
    nat: str = setting(
        choice("auto", "always", "never"),
        "auto",
        "Is it behind a NAT? `auto`: as its packets show; `never`: its Contact is used as it is.",
    )
    media: str = setting(
        choice("relay", "bypass"), "relay", "`bypass`: media goes past the switch when both sides say so."
    )
    no_answer: float = setting(seconds(0, 3600), 0.0, "Seconds of ringing; 0: `call.no_answer`.")
    max_contacts: int = setting(
        whole(0, 10), 0, "Devices that may be registered at once; 0: `registration.max_contacts`."
    )


@dataclass(frozen=True, slots=True)
class Extension(ExtensionOptions):
    """A local user. One of `password` and `ha1` is given; one that is there already keeps its own without either."""

    KEY: ClassVar[tuple[str, ...]] = ("number",)
    number: str = setting(NUMBER, "", "Its number or name.")
    name: str = setting(NAME, "", "What other phones display.")
    password: str = setting(PASSWORD, "", "Kept as hashes only.")
    ha1: str = setting(HASHES, "", "The hashes instead of the password, as `export` writes them.")
