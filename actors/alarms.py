"""Alarms of one process: what is wrong now, since when, and what an operator does about it.

An alarm is raised under a key and lowered under it.  The log has a line when it comes and one when it goes, however
often it is raised in between; `status` shows those that stand.  It may be used from any thread.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Alarm", "Alarms"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Alarm:
    """Since when (unix seconds), what is wrong, what to do."""

    since: float
    what: str
    remedy: str


class Alarms:
    """Those that stand, by key."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self.standing: dict[str, Alarm] = {}

    def up(self, key: str, what: str, remedy: str) -> None:
        """Raise it, or say what it has come to."""
        alarm = self.standing.get(key)
        if alarm is None:
            log.error("alarm: %s. %s", what, remedy)
            self.standing[key] = Alarm(self.wall(), what, remedy)
        else:
            alarm.what, alarm.remedy = what, remedy

    def down(self, key: str, end: str) -> None:
        """It is over; `end` says what that means."""
        alarm = self.standing.pop(key, None)
        if alarm is not None:
            log.warning("alarm over after %.0f s: %s", self.wall() - alarm.since, end)

    def rows(self) -> list[dict[str, Any]]:
        """Plain data for `status`, the oldest first."""
        found = sorted(self.standing.values(), key=lambda alarm: alarm.since)
        return [{"since": alarm.since, "what": alarm.what, "remedy": alarm.remedy} for alarm in found]
