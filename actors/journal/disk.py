"""The thread of the disk: the only one to append to the backlog. It is started when records first go aside."""

import logging
import threading

from actors.journal.common import GROUP, Common

__all__ = ["DiskThread"]

log = logging.getLogger(__name__)


class DiskThread(threading.Thread):
    """Puts what goes aside into the backlog, in groups."""

    def __init__(self, common: Common) -> None:
        super().__init__(name="journal disk", daemon=True)
        self.common = common

    def run(self) -> None:
        """Until the journal closes and nothing waits."""
        common = self.common
        while common.wake_disk.wait():
            common.wake_disk.clear()  # before the look at what waits: a wake-up after this line is never lost
            common.gather()
            self.land()
            if common.closing:
                while self.land():
                    pass
                return

    def land(self) -> bool:
        """One group; False when there is none, or the disk does not take it."""
        common = self.common
        with common.lock:
            group = common.course.for_disk(GROUP)
        if not group:
            return False
        try:
            common.backlog.append(item.write for item in group)
        except Exception as error:  # nothing may end this thread
            if not isinstance(error, OSError):
                log.exception("journal: the disk's thread failed")
            with common.lock:
                common.course.not_kept()
            common.alarms.no_disk(getattr(error, "strerror", None) or str(error))
            common.rest()
            common.wake_disk.set()
            return False
        with common.lock:
            done = common.course.kept()
        common.alarms.disk_works()
        common.settle(done)
        if len(group) == GROUP:
            common.wake_disk.set()  # there may be more, of which nobody tells any more
        return True
