"""What happens to the registration of a line."""

from __future__ import annotations

from dataclasses import dataclass

from rayswitch.sip.message import Response


@dataclass(slots=True)
class Reach:
    """These contacts are where the line can be reached now: register them, and remove those that it had before."""

    contacts: list[str]


@dataclass(slots=True)
class Answered:
    """A response to the REGISTER with this number."""

    number: int
    response: Response


@dataclass(slots=True)
class Unanswered:
    """No response to the REGISTER with this number, from any server of the registrar; `reason` says why."""

    number: int
    reason: str


@dataclass(slots=True)
class Due:
    """A timer ran out; one that was started for something else is ignored."""

    serial: int


@dataclass(slots=True)
class Stop:
    """Remove the registration, and be done."""
