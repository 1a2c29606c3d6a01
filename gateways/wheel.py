"""The timer wheel of a process: many timers, one timer of the loop.

SIP starts several timers a message and nearly all of them end unused, so starting and cancelling must cost next to
nothing: a timer is an entry in the list of its tick (10 ms), a dict holds the ticks that have any, a heap their
order.  The loop is woken at the first tick only.  Timers fire up to one tick late, never early, in the order of their
ticks.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class Timer:
    """One started timer; `cancel` lets go of what it holds."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.args = args

    def cancel(self) -> None:
        """It will not fire; cancelling twice or too late does nothing."""
        self.callback = None
        self.args = ()


class Wheel:
    """Timers on `loop` with a resolution of `tick` seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float = 0.01) -> None:
        self.loop = loop
        self.tick = tick
        self.slots: dict[int, list[Timer]] = {}
        self.order: list[int] = []
        self.armed: asyncio.TimerHandle | None = None
        self.due = 0

    def start(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call `callback(*args)` after `delay` seconds."""
        timer = Timer(callback, args)
        slot = int((self.loop.time() + delay) / self.tick) + 1
        waiting = self.slots.get(slot)
        if waiting is None:
            self.slots[slot] = [timer]
            heapq.heappush(self.order, slot)
            if self.armed is None or slot < self.due:
                self._arm()
        else:
            waiting.append(timer)
        return timer

    def close(self) -> None:
        """Nothing fires any more."""
        if self.armed is not None:
            self.armed.cancel()
        self.slots.clear()
        self.order.clear()

    def _arm(self) -> None:
        if self.armed is not None:
            self.armed.cancel()
        self.due = self.order[0]
        self.armed = self.loop.call_at(self.due * self.tick, self._fire)

    def _fire(self) -> None:
        self.armed = None
        now = int(self.loop.time() / self.tick)
        while self.order and self.order[0] <= now:
            for timer in self.slots.pop(heapq.heappop(self.order)):
                callback, args = timer.callback, timer.args
                timer.cancel()
                if callback is not None:
                    self._call(callback, args)
        if self.order and self.armed is None:
            self._arm()

    def _call(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            callback(*args)
        except Exception:
            log.exception("a timer failed")
