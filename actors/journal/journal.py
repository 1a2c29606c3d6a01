"""The side of the loop: records come in, callbacks go out, and every LOOK seconds somebody looks how things go."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.alarms import Alarms
from actors.journal.alarms import JournalAlarms
from actors.journal.common import Common, Item
from actors.journal.database import DatabaseThread
from actors.journal.disk import DiskThread
from rayswitch.store import Write
from rayswitch.store.backlog import SEGMENT, Backlog
from rayswitch.store.pending import Pending
from rayswitch.store.room import left_out

__all__ = ["Journal"]

WINDOW = 0.01
PATIENCE = 0.025
HOLD = 0.5
LOOK = 0.25
SILENCE = 2.0
"""Seconds after which a database that neither takes records nor refuses them is an alarm."""
MEMORY = 50_000
LIMIT = 1 << 30

Callback = Callable[[], Any]

log = logging.getLogger(__name__)


class Journal:
    """Group commit into the store at `url`, with a backlog in `folder`. Made and used on a running loop.

    `copy`: another store that gets the same, if it can; nobody waits for it. `limit`: bytes of the backlog.
    Raises OSError when the folder cannot be used.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        alarms: Alarms | None = None,
        *,
        copy: str = "",
        limit: int = LIMIT,
        segment: int = SEGMENT,
        window: float = WINDOW,
    ) -> None:
        self.refused = 0
        self.limit = limit
        self.alarms = alarms or Alarms()
        backlog = Backlog(folder, segment)
        told = JournalAlarms(self.alarms, backlog, limit)
        self._common = Common(backlog, told, window, self._settle, self._step_aside)
        self._course = self._common.course
        self._loop = asyncio.get_running_loop()
        self._added = self._done = 0  # records; both are the loop's alone
        self._left_out: tuple[str, ...] = ()
        self._later: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._aside_since = 0.0
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._database = DatabaseThread(self._common, url, copy, lambda: self._post(self._end))
        self._database.start()

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return self._added - self._done

    @property
    def aside(self) -> bool:
        """Records go to the backlog now."""
        return self._course.aside

    @property
    def commits(self) -> int:
        """Transactions of the database so far."""
        return self._database.commits

    @property
    def backlog(self) -> int:
        """Records on the disk that the database does not have yet."""
        return self._common.backlog.count

    def append(self, *writes: Write) -> None:
        """Write these some time soon."""
        for write in writes:
            self._add(Item(write))

    def durable(self, write: Write, kept: Callback, refused: Callback | None = None) -> None:
        """Write this; `kept()` on the loop when it is durable, `refused()` at once when that may take for ever."""
        if refused is not None and self._common.alarms.disk_fails:
            self.append(write)
            refused()
        elif not self._add(Item(write, kept)) and refused is not None:
            refused()

    def away(self, why: str) -> None:
        """Somebody else has found that the store cannot be used: do not wait to find out again. From any thread."""
        self._common.alarms.away(why)
        self._step_aside()

    def not_copied(self, why: str) -> None:
        """Somebody else could not keep the local copy up to date."""
        self._common.alarms.no_copy(why)

    def pending(self) -> Pending:
        """What an earlier process of this name has left; it may still be on its way. Blocks; for a thread."""
        self._database.scanned.wait()
        return self._database.pending

    async def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything appended so far is in the database, at most `timeout` seconds; False: it is not."""
        return await self._until(lambda: not self.waiting and not self._course.aside, timeout)

    async def _until(self, condition: Callable[[], bool], timeout: float) -> bool:
        end = self._loop.time() + timeout
        while not condition() and self._loop.time() < end:
            self._hurry()
            await asyncio.sleep(self._common.window)
        return condition()

    async def close(self, timeout: float = 2.0) -> None:
        """Make durable what is left and end the threads; a database that hangs is not waited for."""
        if not await self._until(lambda: not self.waiting, timeout / 2):
            self._step_aside()
            if not await self._until(lambda: not self.waiting, timeout / 2):
                log.error("journal: %d records are lost, neither database nor disk takes them", self.waiting)
        self._common.closing = True
        for timer in (self._later, self._watch):
            if timer is not None:
                timer.cancel()
        self._common.wake.set()
        self._common.wake_disk.set()
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), timeout / 2)
        except TimeoutError:
            log.warning("journal: the database still has not answered")

    def _add(self, item: Item) -> bool:
        if self._left_out and self._is_left_out(item.write.statement):
            self.refused += 1
            self._common.alarms.lost(self.refused)
            return False
        self._added += 1
        self._course.add(item)
        if item.kept is not None:
            self._hurry()
        elif self._later is None:
            self._later = self._loop.call_later(PATIENCE, self._hurry)
        if self._watch is None:
            self._watch = self._loop.call_later(LOOK, self._look)
        return True

    def _is_left_out(self, statement: str) -> bool:
        return statement in self._left_out or "" in self._left_out

    def _hurry(self) -> None:
        """Somebody waits, or has waited long enough."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        (self._common.wake_disk if self._course.aside else self._common.wake).set()

    def _look(self) -> None:
        """Is the database too slow, is there room, what is there to say?"""
        now = time.monotonic()
        if self._course.late(now, HOLD):
            log.info("journal: the database takes more than %g s for a group, using the disk", HOLD)
            self._step_aside()
        if self._course.aside and not self._common.alarms.why and now - self._aside_since > SILENCE:
            self._common.alarms.away(f"the database does not answer for {SILENCE:g} s")
        self._common.alarms.standing()
        fill = max(self._common.backlog.size / self.limit, len(self._course.waiting) / MEMORY)
        self._left_out = left_out(fill)
        self._common.alarms.filled(fill, self._left_out)
        again = self.waiting or self._course.aside or self._left_out
        self._watch = self._loop.call_later(LOOK, self._look) if again else None

    def _settled(self, items: list[Item]) -> None:
        """These are durable."""
        self._done += len(items)
        for item in items:
            if item.kept is not None:
                try:
                    item.kept()
                except Exception:
                    log.exception("journal: what waited for a record failed")

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    # From any thread.

    def _step_aside(self) -> None:
        common = self._common
        with common.lock:
            if not self._course.aside:
                self._aside_since = time.monotonic()
            self._course.step_aside()
            if common.disk is None:
                common.disk = DiskThread(common)
                common.disk.start()
        common.wake.set()
        common.wake_disk.set()
        self._post(self._watch_on)

    def _watch_on(self) -> None:
        if self._watch is None and not self._common.closing:
            self._look()

    def _settle(self, items: list[Item]) -> None:
        if items:
            self._post(lambda: self._settled(items))

    def _post(self, work: Callback) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            log.debug("journal: the loop has ended")
