"""Numbers and routing (FEATURES §3): the records of the dial plan.

A prefix of `*` is the beginning of every number.  `rayswitch/calls/routing` says in which order the tables are asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rayswitch.config.kinds import Kind, choice, whole
from rayswitch.config.settings import setting, settings
from rayswitch.records.transition import LONGEST, SIGNS, TRANSITION, Transition

__all__ = ["Block", "CalledNumber", "CallerNumber", "Dialling", "Group", "Refinement"]

ANY = "*"


def read_prefix(text: str) -> str:
    """The beginning of numbers; `*` alone is that of all, a feature code such as *98 is as it stands."""
    if text == ANY:
        return ""
    return read_number(text)


def read_number(text: str) -> str:
    if not text or len(text) > LONGEST or not SIGNS.issuperset(text):
        raise ValueError
    return text


def read_member(text: str) -> str:
    kind, _, name = text.partition("/")
    if kind not in MEMBER_KINDS:
        raise ValueError
    return f"{kind}/{read_name(name)}"


def read_name(text: str) -> str:
    if not text or len(text) > LONGEST or not NAME_SIGNS.issuperset(text):
        raise ValueError
    return text


def read_note(text: str) -> str:
    if len(text) > LONGEST_NOTE or not text.isprintable():
        raise ValueError
    return text


MEMBER_KINDS = ("line", "trunk")
LONGEST_NOTE = 200
NAME_SIGNS = SIGNS - frozenset("*#+")

PREFIX = Kind("the beginning of a number (digits, letters and + * # - _ .), or * for any number", read_prefix,
              lambda prefix: prefix or ANY)  # fmt: skip
NUMBER = Kind("a number (digits, letters and + * # - _ .)", read_number)
OPTIONAL = Kind("a number (digits, letters and + * # - _ .), or nothing", lambda text: text and read_number(text))
NAME = Kind(f"a name of 1 to {LONGEST} letters, digits and - _ .", read_name)
TARGET = Kind("the name of a group or service, an extension, or nothing", lambda text: text and read_number(text))
MEMBER = Kind("line/NAME or trunk/NAME", read_member)
NOTE = Kind(f"at most {LONGEST_NOTE} printable characters", read_note)


@dataclass(frozen=True, slots=True)
class CallerNumber:
    """Analysis of the caller number: what callers with this prefix are called inside."""

    KEY: ClassVar[tuple[str, ...]] = ("prefix",)
    prefix: str = setting(PREFIX, "", "Beginning of the caller number; `*` for all others.")
    transition: tuple[Transition, ...] = settings(TRANSITION, (), "What becomes of it.")
    note: str = setting(NOTE, "", "For people.")


@dataclass(frozen=True, slots=True)
class CalledNumber:
    """Analysis of the called number: where calls to this prefix go."""

    KEY: ClassVar[tuple[str, ...]] = ("prefix",)
    prefix: str = setting(PREFIX, "", "Beginning of the dialled number; `*` for what is neither here nor an extension.")
    route: str = setting(
        choice("extension", "line group", "trunk group", "service", "reject"),
        "extension",
        "Where to. `line group` and `trunk group` both name a group, which may have members of either kind.",
    )
    target: str = setting(
        TARGET,
        "",
        "Group or service; for `extension` the one to call, when it is not the dialled number after the transition.",
    )
    level: int = setting(whole(0, 9), 0, "Call level that the caller has to have; 0: none.")
    transition: tuple[Transition, ...] = settings(TRANSITION, (), "What becomes of the dialled number.")
    status: int = setting(whole(400, 699), 403, "SIP status of `reject`.")
    note: str = setting(NOTE, "", "For people; the reason that a rejected caller hears.")


@dataclass(frozen=True, slots=True)
class Refinement:
    """What becomes of a number on its way out through one group: one dialling habit, many carriers."""

    KEY: ClassVar[tuple[str, ...]] = ("number", "group", "prefix")
    number: str = setting(choice("caller", "called"), "called", "Which number.")
    group: str = setting(NAME, "", "Outgoing group.")
    prefix: str = setting(PREFIX, "", "Beginning of the number; `*` for all others.")
    transition: tuple[Transition, ...] = settings(TRANSITION, (), "What becomes of it.")
    note: str = setting(NOTE, "", "For people.")


@dataclass(frozen=True, slots=True)
class Group:
    """An outgoing group: lines and trunks, of which each call takes one."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)
    name: str = setting(NAME, "", "Its name.")
    members: tuple[str, ...] = settings(MEMBER, (), "Its lines and trunks.")
    choose: str = setting(
        choice("order", "round robin", "least loaded"),
        "order",
        "Which member is tried first; the others follow when it is down, full, silent for 4 s or answers 5xx or 408.",
    )
    note: str = setting(NOTE, "", "For people.")


@dataclass(frozen=True, slots=True)
class Dialling:
    """How extensions dial out: there is one record of this kind, or none for the defaults."""

    KEY: ClassVar[tuple[str, ...]] = ()
    outgoing_prefix: str = setting(
        OPTIONAL, "9", "Dialled before numbers outside, and taken off; empty: there is none. Extensions come first."
    )
    outgoing_group: str = setting(NAME, "outside", "The group that these calls take.")


@dataclass(frozen=True, slots=True)
class Block:
    """Call blocking: of the records that fit both numbers the longest called prefix decides, then the longest caller
    prefix."""

    KEY: ClassVar[tuple[str, ...]] = ("caller", "called")
    caller: str = setting(PREFIX, "", "Beginning of the caller number; `anonymous` for callers without one; `*`: any.")
    called: str = setting(PREFIX, "", "Beginning of the dialled number; `*`: any.")
    rate: int = setting(whole(0, 100), 100, "Calls of a hundred that are refused (403); 0 lets all through.")
    note: str = setting(NOTE, "", "For people.")
