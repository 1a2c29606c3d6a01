"""Processes are known by what they carry, and signals hit nobody else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from actors import census
from actors.census import MARK, Signs

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    return Signs(token_hex(8), str(tmp_path))


def started(environment: dict[str, str], directory: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        SLEEP, env=os.environ | environment, cwd=directory, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


@pytest.fixture
def three(signs: Signs) -> Iterator[tuple[subprocess.Popen[bytes], ...]]:
    """One with the mark, one with the directory, one with neither."""
    processes = (started({MARK: signs.mark}, "/"), started({}, signs.directory), started({MARK: "x"}, "/"))
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_members_are_those_with_a_sign(signs: Signs, three: tuple[subprocess.Popen[bytes], ...]) -> None:
    assert sorted(census.members(signs)) == sorted([three[0].pid, three[1].pid])
    rows = census.inventory(signs, os.getpid())
    assert {(row["id"], row["role"]) for row in rows} == {
        (three[0].pid, "helper"),
        (three[1].pid, "helper"),
        (os.getpid(), "supervisor"),
    }
    assert all(int(row["memory"]) > 1_000_000 for row in rows)


def test_ending_the_members_spares_everybody_else(signs: Signs, three: tuple[subprocess.Popen[bytes], ...]) -> None:
    assert census.end_members(signs) == []
    assert three[0].wait(5) == three[1].wait(5) == -signal.SIGKILL
    assert three[2].poll() is None


def test_a_signal_wants_the_very_process(signs: Signs, three: tuple[subprocess.Popen[bytes], ...]) -> None:
    process = three[0]
    start = census.born(process.pid)
    assert start > 0
    assert not census.signal_process(process.pid, start - 1, signal.SIGTERM)
    assert process.poll() is None
    assert census.signal_process(process.pid, start, signal.SIGTERM)
    end = time.monotonic() + 5
    while census.born(process.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert census.born(process.pid) == 0  # a zombie is nobody
    process.wait()
    assert not census.signal_process(process.pid, start, signal.SIGTERM)
