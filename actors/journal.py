"""The journal: what must outlive this process, written in groups by a thread: no loop waits for a disk.

``append`` is fire and forget; ``durable`` calls back on the loop once its write is on disk. The thread
takes all that has gathered during WINDOW seconds and gives it to the store as one transaction: at 500
registrations a second one commit serves a handful of them. What nobody waits for wakes the thread only
after PATIENCE seconds: at 100 calls a second that is one commit for ten records instead of one for two.

A store that is away or full blocks nobody: the records stay, are tried again every RETRY seconds, and
`alarm` says why. Callbacks wait as long, so a phone gets its 200 only for what is on disk. A record that
the store will never take is dropped alone, with an alarm in the log. The backlog in memory is bounded:
beyond LIMIT records the newest is refused (`refused` counts them), its callback never called.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rayswitch.store import BadWrite, Store, StoreError, Write

__all__ = ["Journal"]

WINDOW = 0.01
PATIENCE = 0.025
RETRY = 0.5
LIMIT = 200_000
GROUP = 5000

Callback = Callable[[], Any]

log = logging.getLogger(__name__)


class Journal:
    """Group commit into the store at `url`. Made and used on a running loop; `window` in seconds."""

    def __init__(self, url: str, window: float = WINDOW, limit: int = LIMIT) -> None:
        self.alarm = ""
        self.refused = 0
        self.commits = 0
        self._url = url
        self._window = window
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Write, Callback | None]] = deque()
        self._added = self._done = 0  # records; both are the loop's alone
        self._wake = threading.Event()
        self._later: asyncio.TimerHandle | None = None
        self._closing = False
        self._gave_up = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Records that are not on disk yet."""
        return self._added - self._done

    def append(self, *writes: Write) -> None:
        """Write these some time soon."""
        for write in writes:
            self._add(write, None)

    def durable(self, write: Write, callback: Callback) -> None:
        """Write this; `callback()` on the loop when it is on disk."""
        self._add(write, callback)

    async def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything appended so far is on disk, at most `timeout` seconds; False: it is not."""
        self._wake.set()
        end = self._loop.time() + timeout
        while self.backlog and self._loop.time() < end:
            await asyncio.sleep(self._window)
        return not self.backlog

    async def close(self, timeout: float = 2.0) -> None:
        """Write what is left and end the thread; what cannot be written within `timeout` seconds is lost."""
        if not await self.flush(timeout):
            log.error("journal closes with %d records not written: %s", self.backlog, self.alarm)
            self._gave_up = True
        self._closing = True
        self._wake.set()
        await self._ended

    def _add(self, write: Write, callback: Callback | None) -> None:
        if self.backlog >= self._limit:
            self.refused += 1
            self._alarm(f"{self._limit} records wait, refusing more")
            return
        self._added += 1
        self._waiting.append((write, callback))
        if callback is not None:
            self._wake.set()
        elif self._later is None:
            self._later = self._loop.call_later(PATIENCE, self._hurry)

    def _hurry(self) -> None:
        """What was only appended has waited long enough."""
        self._later = None
        self._wake.set()

    # The thread: the only one to touch the store. The loop appends to the deque, the thread takes from it.

    def _run(self) -> None:
        store: Store | None = None
        while self._wake.wait() and not (self._closing and (self._gave_up or not self._waiting)):
            self._wake.clear()  # before the look at what waits: a wake-up after this line is never lost
            if not self._closing:
                time.sleep(self._window)
            group = [self._waiting.popleft() for _ in range(len(self._waiting))]
            store = self._persist(store, group)
        if store is not None:
            store.close()
        self._post(lambda: self._ended.set_result(None))

    def _persist(self, store: Store | None, group: list[tuple[Write, Callback | None]]) -> Store | None:
        """Bring a group to disk however long it takes; returns the store to use next."""
        for at in range(0, len(group), GROUP):
            part = group[at : at + GROUP]
            while not self._gave_up:
                try:
                    store = store or Store.open(self._url)
                    self._apply(store, part)
                    break
                except StoreError as error:
                    store = self._reopened(store, error)
        return store

    def _apply(self, store: Store, part: list[tuple[Write, Callback | None]]) -> None:
        count = len(part)
        try:
            store.apply([write for write, _ in part])
        except BadWrite:
            part = [item for item in part if self._taken(store, item[0])]
        self.commits += 1
        if self.alarm:
            log.warning("journal: the store takes records again")
            self.alarm = ""
        self._post(lambda: self._settled(count, [callback for _, callback in part if callback is not None]))

    def _settled(self, count: int, callbacks: list[Callback]) -> None:
        """On the loop: so many records are done with."""
        self._done += count
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("journal: what waited for a record failed")

    def _taken(self, store: Store, write: Write) -> bool:
        try:
            store.apply([write])
        except BadWrite as error:
            log.error("journal: a record is dropped, %s: %s", write.statement, error)
            return False
        return True

    def _reopened(self, store: Store | None, error: StoreError) -> Store | None:
        """Wait before the next attempt, with a fresh connection."""
        self._alarm(str(error))
        if store is not None:
            store.close()
        end = time.monotonic() + RETRY
        while time.monotonic() < end and not self._gave_up:
            time.sleep(0.02)
        return None

    def _alarm(self, why: str) -> None:
        if not self.alarm:
            log.error("journal: %s", why)
        self.alarm = why

    def _post(self, work: Callback) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            log.debug("journal: the loop has ended")
