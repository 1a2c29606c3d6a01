"""The backlog on the disk: read in order, kept over any end of its process, removed when it is done with."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.store import Write
from rayswitch.store.backlog import Backlog
from rayswitch.store.frames import framed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "s0"


@pytest.fixture
def backlog(folder: Path) -> Iterator[Backlog]:
    backlog = Backlog(folder, segment=512)
    yield backlog
    backlog.close()


def write(number: int, size: int = 20) -> Write:
    return Write("put_binding", (f"{number}@a", "x" * size))


def taken(backlog: Backlog, most: int = 3) -> Iterator[Write]:
    while group := backlog.read(most):
        yield from group
        backlog.advance()


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.journal"))


def test_records_come_back_in_order_over_many_segments(backlog: Backlog, folder: Path) -> None:
    assert backlog.empty and backlog.read(10) == []
    for number in range(0, 90, 3):
        backlog.append(write(n) for n in range(number, number + 3))
    assert len(segments(folder)) > 5 and backlog.count == 90
    size = backlog.size
    assert size == sum(len(framed(write(number))) for number in range(90))
    assert list(taken(backlog)) == [write(number) for number in range(90)]
    assert backlog.count == 0 and backlog.size < size
    backlog.clear()
    assert (backlog.empty, backlog.size, segments(folder)) == (True, 0, [])


def test_reading_keeps_up_with_writing(backlog: Backlog) -> None:
    found = []
    for number in range(50):
        backlog.append([write(number)])
        if number % 3 == 0:
            found += list(taken(backlog, 2))
    found += list(taken(backlog))
    assert found == [write(number) for number in range(50)]


def test_what_was_not_said_to_be_done_is_read_again(backlog: Backlog) -> None:
    backlog.append(write(number) for number in range(5))
    assert backlog.read(2) == backlog.read(2) == [write(0), write(1)]
    backlog.advance()
    assert backlog.read(2) == [write(2), write(3)]


def test_the_next_process_reads_all_and_goes_on_behind_it(folder: Path) -> None:
    first = Backlog(folder, segment=512)
    first.append(write(number) for number in range(15))
    first.read(5)
    first.advance()
    before = segments(folder)
    first.close()  # as good as killed: it says farewell to nobody
    second = Backlog(folder, segment=512)
    left = list(second.scan())
    assert left[-7:] == [write(number) for number in range(8, 15)]
    assert second.count == len(left)
    second.append([write(15)])
    assert segments(folder) == before
    assert list(taken(second)) == [*left, write(15)]
    second.close()


def test_what_is_torn_is_written_over(folder: Path) -> None:
    """Also when the records behind it are whole, as a power cut may leave them."""
    with closing(Backlog(folder, segment=512)) as backlog:
        backlog.append(write(number) for number in range(6))
    path = folder / segments(folder)[0]
    content = bytearray(path.read_bytes())
    length = len(framed(write(0)))
    content[3 * length + 10] ^= 0xFF
    path.write_bytes(content)
    with closing(Backlog(folder, segment=512)) as backlog:
        assert list(backlog.scan()) == [write(number) for number in range(3)]
        backlog.append([write(7)])
        assert list(taken(backlog)) == [write(0), write(1), write(2), write(7)]
    with closing(Backlog(folder, segment=512)) as backlog:
        assert list(backlog.scan()) == [write(0), write(1), write(2), write(7)]


class Killed(BaseException):
    """The process ends in the middle of a write."""


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 3000), st.integers(1, 5))
def test_a_crash_at_any_byte_leaves_what_was_appended_and_a_beginning_of_the_rest(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], budget: int, most: int
) -> None:
    """The writing process is killed when it has written so many bytes; the next one brings in what it finds."""
    folder = tmp_path_factory.mktemp("killed") / "s0"
    real, left, safe, number = os.pwrite, budget, 0, 0

    def write_until_killed(file: int, data: bytes | memoryview, offset: int) -> int:
        nonlocal left
        done = real(file, data[: min(left, len(data))], offset)
        left -= done
        if done < len(data):
            raise Killed
        return done

    with pytest.MonkeyPatch.context() as patch, closing(Backlog(folder, segment=512)) as backlog:
        patch.setattr(os, "pwrite", write_until_killed)
        try:
            for size in groups:
                backlog.append(write(n) for n in range(number, number + size))
                safe = number = number + size
        except Killed:
            number += size
    with closing(Backlog(folder, segment=512)) as following:
        found = list(following.scan())
        assert found == [write(n) for n in range(len(found))]
        assert safe <= len(found) <= number
        following.append([write(-1)])
        assert list(taken(following, most)) == [*found, write(-1)]


def test_a_file_that_was_torn_does_not_hide_the_next_one(folder: Path) -> None:
    backlog = Backlog(folder, segment=512)
    backlog.append(write(number) for number in range(20))
    backlog.close()
    path = folder / segments(folder)[0]
    content = bytearray(path.read_bytes())
    content[len(framed(write(0))) + 10] ^= 0xFF
    path.write_bytes(content)
    following = Backlog(folder, segment=512)
    found = list(following.scan())
    assert found[0] == write(0) and found[-1] == write(19)
    assert list(taken(following)) == found
    following.close()


def test_a_full_disk_leaves_a_segment_of_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = Backlog(folder, segment=512)
    backlog.reserve()

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        kept = 0
        with pytest.raises(OSError, match="No space left"):
            while True:
                backlog.append([write(kept)])
                kept += 1
        assert kept == 512 // len(framed(write(0)))
        with pytest.raises(OSError, match="No space left"):
            backlog.append([write(kept)])
    assert backlog.read(100) == [write(number) for number in range(kept)]
    backlog.append([write(kept)])
    assert list(taken(backlog)) == [write(number) for number in range(kept + 1)]
    assert (folder / "spare").stat().st_size == 512
    backlog.close()


def test_the_reserve_stays_ours_when_the_disk_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment becomes the reserve again, and what is left in it is not taken for records of its next life."""
    backlog = Backlog(folder, segment=512)
    backlog.reserve()

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    for life in range(5):
        backlog.append(write(number) for number in range(life, 9 - life))
        with closing(Backlog(folder, segment=512)) as other:
            assert list(other.scan()) == [write(number) for number in range(life, 9 - life)]
        assert not (folder / "spare").exists()
        assert list(taken(backlog)) == [write(number) for number in range(life, 9 - life)]
        backlog.clear()
        assert (folder / "spare").stat().st_size == 512
    backlog.close()


def test_a_group_that_failed_in_the_middle_is_given_again(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    group = [write(number) for number in range(12)]
    real, calls = os.fdatasync, 0

    def failing(file: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(OSError, match="Input/output"):
            backlog.append(group)
    backlog.append([*group, write(12)])
    found = list(taken(backlog))
    assert found[-13:] == [*group, write(12)]
    assert set(found) == {*group, write(12)}


def test_a_record_larger_than_a_segment_finds_room(backlog: Backlog) -> None:
    backlog.append([write(0), write(1, size=2000), write(2)])
    assert list(taken(backlog)) == [write(0), write(1, size=2000), write(2)]


def test_a_record_that_cannot_be_written_is_left_out_alone(backlog: Backlog) -> None:
    odd = Write("put_binding", (object(),))
    backlog.append([write(0), odd, write(1)])
    assert list(taken(backlog)) == [write(0), write(1)]


def test_only_its_owner_may_look_into_the_folder(backlog: Backlog, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
