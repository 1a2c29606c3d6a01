"""The session interval of one half call, and how messages speak of it (RFC 4028 §4, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rayswitch.sip.message import Message

Rows = Sequence[tuple[str, str]]

STANDARD_MIN_SE = 90
"""What a peer takes for our Min-SE when we do not say it (§5)."""


class SessionTimer:
    """What was agreed with one side: `interval` in seconds, `ours` to refresh, over at `until` (unix time).

    `due` is when something has to be done next, `serial` tells a timer of an earlier interval.
    """

    __slots__ = ("due", "interval", "ours", "serial", "until")

    def __init__(self, interval: int, ours: bool, until: float, serial: int) -> None:
        self.interval = interval
        self.ours = ours
        self.until = until
        self.due = until - interval / 2 if ours else self.end
        self.serial = serial

    @property
    def end(self) -> float:
        """When to give up (§10): a third of the interval, at most 32 s, before it is over."""
        return self.until - min(32.0, self.interval / 3)

    def snapshot(self) -> list[Any]:
        """Plain values."""
        return [self.interval, self.ours, self.until, self.serial]


def seconds(message: Message, header: str) -> int | None:
    """The delta-seconds at the start of a header; None without the header or a number."""
    digits = (message.get(header) or "").partition(";")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def refresher(message: Message) -> str:
    """The refresher parameter of Session-Expires: "uac", "uas" or ""."""
    for parameter in (message.get("session-expires") or "").lower().split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "refresher":
            return value.strip()
    return ""


def first_proposal(session_expires: int, min_se: int) -> Rows:
    """What an INVITE to a device asks for; an interval of 0 asks for none."""
    if not session_expires:
        return ()
    rows = (("session-expires", str(max(session_expires, min_se))),)
    return rows if min_se == STANDARD_MIN_SE else (*rows, ("min-se", str(min_se)))
