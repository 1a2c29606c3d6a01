"""What the registration of a line wants done."""

from __future__ import annotations

from dataclasses import dataclass

from rayswitch.sip.message import Request


@dataclass(slots=True)
class Register:
    """Send this REGISTER; `Answered` or `Unanswered` carry its number."""

    number: int
    request: Request


@dataclass(slots=True)
class Wake:
    """Tell `Due(serial)` after `delay` seconds."""

    delay: float
    serial: int


@dataclass(slots=True)
class Changed:
    """The line is registered now, or is so no more; `detail` for people."""

    registered: bool
    detail: str


@dataclass(slots=True)
class Warn:
    """An operator should hear of this."""

    text: str


@dataclass(slots=True)
class Done:
    """Nothing is registered any more, and nothing will be."""
