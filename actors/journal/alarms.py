"""What an operator hears of the journal."""

from actors.alarms import Alarms
from rayswitch.store import StoreError
from rayswitch.store.backlog import Backlog
from rayswitch.store.room import WARN, words_for

__all__ = ["JournalAlarms"]

STORE, FULL, DISK, RESERVE, COPY, LOST = (
    "store",
    "journal full",
    "journal disk",
    "journal reserve",
    "store copy",
    "journal lost",
)
MEGABYTE = 1 << 20


class JournalAlarms:
    """The alarms of one journal, whose backlog may take `limit` bytes. From any thread."""

    def __init__(self, alarms: Alarms, backlog: Backlog, limit: int) -> None:
        self.alarms = alarms
        self.backlog = backlog
        self.limit = limit
        self.why = self.remedy = ""

    @property
    def disk_fails(self) -> bool:
        """Neither the database nor the disk takes records."""
        return DISK in self.alarms.standing

    def away(self, why: str, remedy: str = StoreError.remedy) -> None:
        """The database does not take records."""
        self.why, self.remedy = why, remedy
        self.standing()

    def standing(self) -> None:
        """Say how much waits by now."""
        if self.why:
            waits = f"{self.backlog.count} records wait in {self.backlog.folder}"
            room = f"{self.backlog.size / MEGABYTE:.1f} of {self.limit / MEGABYTE:.0f} MB"
            remedy = f"Calls and registrations go on. {self.remedy}: what waits is then written by itself"
            self.alarms.up(STORE, f"{self.why}; {waits} ({room})", remedy)

    def back(self) -> None:
        """The database has everything."""
        self.why = ""
        self.alarms.down(STORE, "the database has all records")
        self.alarms.down(FULL, "the journal is empty")
        self.alarms.down(DISK, "nothing has to wait any more")

    def filled(self, fill: float, left_out: tuple[str, ...]) -> None:
        """How full the journal is, and what it does not take any more."""
        if fill < WARN:
            self.alarms.down(FULL, "there is room in the journal")
            return
        now = f"; not kept any more: {words_for(left_out)}" if left_out else ""
        remedy = "Bring the database back, or give limits.journal more room: at 80 % snapshots of calls are left out,"
        self.alarms.up(
            FULL,
            f"the journal in {self.backlog.folder} is {min(fill, 1.0) * 100:.0f} % full{now}",
            f"{remedy} at 90 % registrations are answered 503, at 100 % call records are lost",
        )

    def no_disk(self, why: str) -> None:
        """The disk of the backlog does not work."""
        self.alarms.up(
            DISK,
            f"records cannot be kept in {self.backlog.folder}: {why}; they wait in memory, lost if the process dies",
            "Free space on this disk, or bring the database back",
        )

    def disk_works(self) -> None:
        """It does again."""
        self.alarms.down(DISK, f"records are kept in {self.backlog.folder}")
        self.alarms.down(RESERVE, "the disk has room")

    def no_reserve(self, why: str) -> None:
        """No space could be set aside for the day on which the disk is full."""
        self.alarms.up(
            RESERVE,
            f"the journal in {self.backlog.folder} has no reserve: {why}",
            "Free space on this disk, then restart the switch when convenient",
        )

    def no_copy(self, why: str) -> None:
        """The local copy for a start without database falls behind."""
        self.alarms.up(COPY, f"the local copy is not kept up: {why}", "Free space on its disk, or remove the file")

    def copy_works(self) -> None:
        """It is up to date again."""
        if COPY in self.alarms.standing:
            self.alarms.down(COPY, "the local copy takes records again; it is whole after the next start")

    def lost(self, count: int) -> None:
        """Records were left out for want of room."""
        self.alarms.up(
            LOST, f"{count} records were not kept for want of room", "They are gone. Give limits.journal more room"
        )
