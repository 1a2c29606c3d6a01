"""What the loop and the two threads of a journal share; `lock` is held around every step of the course but `add`."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from actors.journal.alarms import JournalAlarms
from rayswitch.store import Write
from rayswitch.store.backlog import Backlog
from rayswitch.store.course import Course

__all__ = ["GROUP", "RETRY", "Common", "Item"]

GROUP = 5000
"""Most records of one transaction."""
RETRY = 0.5
"""Seconds between two attempts at a database or a disk that does not work."""


class Item(NamedTuple):
    """A record, and who is to be called when it is durable."""

    write: Write
    kept: Callable[[], Any] | None = None


class Common:
    """`settle` and `step_aside` may be called from any thread."""

    def __init__(
        self,
        backlog: Backlog,
        alarms: JournalAlarms,
        window: float,
        settle: Callable[[list[Item]], None],
        step_aside: Callable[[], None],
    ) -> None:
        self.backlog = backlog
        self.alarms = alarms
        self.window = window
        self.settle = settle
        self.step_aside = step_aside
        self.course: Course[Item] = Course()
        self.lock = threading.Lock()
        self.wake = threading.Event()
        self.wake_disk = threading.Event()
        self.closing = False
        self.disk: threading.Thread | None = None

    def gather(self) -> None:
        """Let a group come together."""
        if not self.closing:
            time.sleep(self.window)

    def rest(self) -> None:
        """Before the next attempt."""
        end = time.monotonic() + RETRY
        while time.monotonic() < end and not self.closing:
            time.sleep(0.02)
