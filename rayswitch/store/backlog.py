"""The backlog: records that the database has not taken yet, in files of one host's folder.

Files are numbered segments of frames (`frames.py`).  One thread appends, another reads from the oldest on and removes
what the database has taken; they share nothing but the list of segments and where each ends.  `append` returns when the
records are on the disk (fdatasync); what it wrote before a failure may be read, what it was given is then given again.

Space is taken in whole segments, and one more is kept in reserve: on a disk that somebody else has filled, a segment's
worth of records still finds room.  A segment that is done with becomes the reserve when there is none.  A process goes
on in the last segment of an earlier one, behind the last whole record, and reads all of them from the start: records
that were applied may be applied again (`writes.py`).
"""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from rayswitch.store.frames import framed, records
from rayswitch.store.writes import Write

__all__ = ["SEGMENT", "Backlog"]

log = logging.getLogger(__name__)

SEGMENT = 16 << 20
"""Bytes of a segment, and of the reserve."""


class Backlog:
    """The backlog in `folder`, which belongs to one process at a time. Raises OSError where the disk does."""

    def __init__(self, folder: Path, segment: int = SEGMENT) -> None:
        self.folder = folder
        self.segment = segment
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder / "lock")
        self._ends = {number: _path(folder, number).stat().st_size for number in _numbers(folder)}
        self._next = max(self._ends, default=0) + 1
        self._added = sum(self._ends.values())
        self._removed = 0
        self._added_records = self._removed_records = 0
        self._file: IO[bytes] | None = None
        self._at = 0
        self._position = (0, 0)
        self._last_read = (0, 0, 0)

    @property
    def size(self) -> int:
        """Bytes of records that are there, in segments that are not done with."""
        return self._added - self._removed

    @property
    def count(self) -> int:
        """Records that wait, as far as they were appended or counted by `scan`."""
        return self._added_records - self._removed_records

    @property
    def empty(self) -> bool:
        """Nothing waits and no file is left."""
        return not self._ends

    def scan(self) -> Iterator[Write]:
        """All that an earlier process has left, the oldest first; before anything is appended or read."""
        self._added = 0
        for number in list(self._ends):
            self._ends[number] = 0
            for write, end in records(_path(self.folder, number).read_bytes(), seed=number):
                self._added_records += 1
                self._ends[number] = end
                yield write
            self._added += self._ends[number]
        if self._ends:
            self._go_on()

    def _go_on(self) -> None:
        """Append to the last segment, from the end of its last whole record: what is torn behind that vanishes."""
        self._at = self._ends[self._next - 1]
        self._file = _path(self.folder, self._next - 1).open("r+b", buffering=0)
        rest = os.pread(self._file.fileno(), self.segment, self._at)
        if any(rest):
            os.pwrite(self._file.fileno(), bytes(len(rest)), self._at)

    def close(self) -> None:
        """Give the folder free."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()

    # The thread that appends.

    def reserve(self) -> None:
        """Have a segment's space ready for a disk that is full."""
        spare = self.folder / "spare"
        if not spare.exists():
            _made(spare, self.segment, self.folder / "spare.new")

    def append(self, writes: Iterable[Write]) -> None:
        """Put them on the disk."""
        data = bytearray()
        count = 0
        for write in writes:
            frame = _framed(write, self._next - 1)
            if not frame:
                continue
            if self._file is None or self._at + len(data) + len(frame) > self.segment:
                self._put(data, count)
                self._roll(len(frame))
                data, count = bytearray(), 0
                frame = _framed(write, self._next - 1)
            data += frame
            count += 1
        self._put(data, count)

    def _put(self, data: bytearray, count: int) -> None:
        if self._file is None or not data:
            return
        file = self._file.fileno()
        done = 0
        while done < len(data):
            done += os.pwrite(file, memoryview(data)[done:], self._at + done)
        os.fdatasync(file)
        self._at += len(data)
        self._added += len(data)
        self._added_records += count
        self._ends[self._next - 1] = self._at

    def _roll(self, least: int) -> None:
        """The next segment; the reserve becomes it where there is one."""
        path = _path(self.folder, self._next)
        spare = self.folder / "spare"
        if least <= self.segment and spare.exists():
            spare.rename(path)
        else:
            _made(path, max(least, self.segment), self.folder / "segment.new")
        _sync(self.folder)
        if self._file is not None:
            self._file.close()
        self._file = path.open("r+b", buffering=0)
        self._at = 0
        self._ends[self._next] = 0
        self._next += 1
        try:
            self.reserve()
        except OSError:
            pass  # a full disk: this segment is the last there is, which `append` will say

    # The thread that reads.

    def read(self, most: int) -> list[Write]:
        """At most `most` of the oldest records that are not done with; [] when there are none."""
        while self._ends:
            number = min(self._ends)
            grows = self._file is not None and number == self._next - 1  # looked at before its end, which then is final
            start = self._position[1] if self._position[0] == number else 0
            found = list(islice(records(self._part(number, start), seed=number), most))
            if found:
                self._last_read = number, start + found[-1][1], len(found)
                return [write for write, _ in found]
            if grows:
                break
            self._remove(number)
        return []

    def advance(self) -> None:
        """The records of the last `read` are in the database."""
        number, at, count = self._last_read
        self._position = (number, at)
        self._removed_records += count

    def clear(self) -> None:
        """All is in the database: remove the files. Nobody may append meanwhile."""
        if self._file is not None:
            self._file.close()
            self._file = None
        for number in list(self._ends):
            self._remove(number)
        self._removed_records = self._added_records
        _sync(self.folder)

    def _part(self, number: int, start: int) -> bytes:
        """What was written to a segment from `start` on."""
        end = self._ends[number]
        with _path(self.folder, number).open("rb") as file:
            return os.pread(file.fileno(), max(end - start, 0), start)

    def _remove(self, number: int) -> None:
        path, spare = _path(self.folder, number), self.folder / "spare"
        if spare.exists() or path.stat().st_size < self.segment:
            path.unlink()
        else:
            path.rename(spare)  # given back, its space would be gone to whoever has filled the disk
        self._removed += self._ends.pop(number)


def _framed(write: Write, seed: int) -> bytes:
    try:
        return framed(write, seed)
    except (TypeError, ValueError, OverflowError) as error:
        log.error("journal: a record is dropped, %s: %s", write.statement, error)
        return b""


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.journal"


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.journal") if path.stem.isdigit())


def _locked(path: Path) -> IO[bytes]:
    """Held until it is closed, or the process ends."""
    file = path.open("ab")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OSError(error.errno, "another process of this host still writes its journal", str(path)) from None
    return file


def _made(path: Path, size: int, beginning: Path) -> None:
    """A file of that many zeros whose space is taken, or none."""
    try:
        with beginning.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
            os.fsync(file.fileno())
        beginning.rename(path)
    except OSError:
        beginning.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
