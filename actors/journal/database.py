"""The thread of the database: the only one to touch the store, and to read the backlog."""

import logging
import threading
import time
from collections.abc import Callable

from actors.journal.common import GROUP, Common
from rayswitch.store import BadWrite, Store, StoreError, Write
from rayswitch.store.pending import Pending

__all__ = ["DatabaseThread"]

PORTION = 1000
"""Most records of one transaction when many wait: the loop gets its turn in between."""
NOT_COPIED = {"add_cdr"}
"""A copy is for a process that starts again; it has no use for records of calls."""

log = logging.getLogger(__name__)


class DatabaseThread(threading.Thread):
    """Gives records to the store at `url`, as they come or from the backlog. `copy`: one that gets the same, or ""."""

    def __init__(self, common: Common, url: str, copy: str, ended: Callable[[], None]) -> None:
        super().__init__(name="journal", daemon=True)
        self.common = common
        self.url = url
        self.copy_url = copy
        self.ended = ended
        self.store: Store | None = None
        self.copy: Store | None = None
        self.pending = Pending()
        self.scanned = threading.Event()
        self.commits = 0

    def run(self) -> None:
        """Until the journal closes, and what goes straight has been written."""
        common, course = self.common, self.common.course
        self.begin()
        while not common.closing or (course.open and not course.aside):
            try:
                self.step()
            except Exception as error:  # of ours, or of the driver: nothing may end this thread
                log.exception("journal: the database's thread failed")
                self.hang_up()
                common.alarms.away(f"the journal failed: {error!r}")
                common.step_aside()
                common.rest()
        self.hang_up()
        if common.disk is not None:
            common.disk.join()
        common.backlog.close()
        self.ended()

    def step(self) -> None:
        """Bring in what went aside, or await what goes straight."""
        common = self.common
        if common.course.aside:
            self.bring_in()
        elif common.wake.wait():
            common.wake.clear()  # before the look at what waits: a wake-up after this line is never lost
            common.gather()
            self.straight()

    def begin(self) -> None:
        """What an earlier process has left, and a reserve for bad times."""
        backlog = self.common.backlog
        try:
            self.pending = Pending(backlog.scan())
            backlog.reserve()
        except OSError as error:
            self.common.alarms.no_reserve(error.strerror or str(error))
        if not backlog.empty:
            log.warning("journal: an earlier process has left %d records", backlog.count)
            self.common.step_aside()
        self.scanned.set()

    def straight(self) -> None:
        """One group of what waits; when the database does not take it, records go aside from now on."""
        common = self.common
        with common.lock:
            group = common.course.for_database(GROUP, time.monotonic())
        if not group:
            return
        try:
            self.apply([item.write for item in group])
        except StoreError as error:
            self.hang_up()
            common.alarms.away(str(error), error.remedy)
            common.step_aside()
            return
        with common.lock:
            done = common.course.committed()
        common.settle(done)
        if len(group) == GROUP or common.closing:
            common.wake.set()  # there may be more, of which nobody tells any more

    def bring_in(self) -> None:
        """A group of the backlog; at its end, records go straight again."""
        backlog = self.common.backlog
        try:
            group = backlog.read(PORTION)
            if group:
                self.apply(group)
                backlog.advance()
                return
            self.open()
        except StoreError as error:
            self.hang_up()
            self.common.alarms.away(str(error), error.remedy)
            self.common.rest()
        except OSError as error:
            self.common.alarms.no_disk(error.strerror or str(error))
            self.common.rest()
        else:
            self.turn()

    def turn(self) -> None:
        """Nothing is left in the backlog, unless it is being written, or was since we looked."""
        common = self.common
        with common.lock:
            turns = common.course.turn()
        if not turns:
            time.sleep(common.window)
            return
        if common.backlog.read(1):
            with common.lock:
                common.course.turn_back()
            common.wake_disk.set()
            return
        common.backlog.clear()
        with common.lock:
            common.course.straight()
        common.alarms.back()
        common.wake.set()

    def apply(self, writes: list[Write]) -> None:
        """All of them, or StoreError; a record that no database takes is left out."""
        store = self.open()
        try:
            store.apply(writes)
        except BadWrite:
            writes = [write for write in writes if _taken(store, write)]
        self.commits += 1
        if self.copy is not None:
            try:
                self.copy.apply([write for write in writes if write.statement not in NOT_COPIED])
            except StoreError as error:
                self.common.alarms.no_copy(str(error))
            else:
                self.common.alarms.copy_works()

    def open(self) -> Store:
        """The store, connected; and its copy, if that can be."""
        if self.store is None:
            self.store = Store.open(self.url)
            self.copy = self.opened_copy()
        return self.store

    def opened_copy(self) -> Store | None:
        """None: there is none, or it does not work now."""
        try:
            return Store.open(self.copy_url) if self.copy_url else None
        except StoreError as error:
            self.common.alarms.no_copy(str(error))
            return None

    def hang_up(self) -> None:
        """The next attempt begins with fresh connections."""
        for store in (self.store, self.copy):
            if store is not None:
                store.close()
        self.store = self.copy = None


def _taken(store: Store, write: Write) -> bool:
    try:
        store.apply([write])
    except BadWrite as error:
        log.error("journal: a record is dropped, %s: %s", write.statement, error)
        return False
    return True
