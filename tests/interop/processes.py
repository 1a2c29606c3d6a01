"""Processes as the kernel sees them: who belongs to a switch, what they cost."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes so far, ended ones left out; resolution 10 ms each."""
    return sum(_stat_cpu(pid) for pid in pids)


def _stat_cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size: memory of these processes, shared pages counted once over all sharers."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss:")) * 1024
    return total


def descendants(pid: int) -> list[int]:
    """The process and its children, grandchildren and so on."""
    children: dict[int, list[int]] = {}
    for each in _all_pids():
        try:
            parent = int(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(each)
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def with_environment(mark: str) -> dict[int, str]:
    """Processes in whose environment `mark` ("NAME=value") stands, with their command lines; zombies left
    out.
    """
    found = {}
    for pid in _all_pids():
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def await_true(condition: Callable[[], object], what: str, timeout: float = 10.0, pause: float = 0.05) -> None:
    """Look at `condition` until it holds; AssertionError with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(pause)
