"""Which processes belong to a switch, what they are and what they hold; and how to end them all, safely.

Every process that a switch starts, Ray's included, inherits an environment variable with a random mark. So a process is
known by what it carries, whoever started or restarted it and wherever it hangs in the process tree, and never by its
name. Signals go through a pidfd that was opened before the mark was checked: a number that was given to another
process meanwhile is never hit.
"""

import os
import signal
import time
from collections.abc import Iterator

__all__ = ["MARK", "Process", "born", "end_marked", "inventory", "marked", "signal_process"]

MARK = "RAYSWITCH_SWITCH"

_ROLES = (
    ("gcs_server", "ray gcs"),
    ("raylet/raylet", "ray raylet"),
    ("dashboard/agent", "ray agent"),
    ("ray::DashboardAgent", "ray agent"),
    ("dashboard/dashboard.py", "ray api"),
    ("runtime_env/agent", "ray environment agent"),
    ("ray::RuntimeEnvAgent", "ray environment agent"),
    ("SipGatewayActor", "sip gateway"),
    ("MediaGatewayActor", "media gateway"),
    ("CallActor", "call pool"),
    ("RegistrationActor", "registration pool"),
    ("SwitchboardActor", "switchboard"),
    ("ray::IDLE", "ray idle worker"),
    ("default_worker.py", "ray worker"),
)
"""Part of a command line, and the role of a process that has it (for showing only)."""

Process = dict[str, str | int]


def born(pid: int) -> int:
    """Start time of a process in clock ticks since boot; 0 when there is none (any more)."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else 0


def marked(mark: str) -> list[int]:
    """All processes that carry `mark`; zombies carry nothing."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in _pids() if _carries(pid, wanted)]


def end_marked(mark: str, patience: float = 2.0) -> list[int]:
    """SIGKILL all that carry `mark` until none is left, at most `patience` seconds; returns who is left."""
    end = time.monotonic() + patience
    while True:
        left = [pid for pid in marked(mark) if pid != os.getpid()]
        for pid in left:
            _kill_marked(pid, mark)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


def signal_process(pid: int, start: int, number: signal.Signals) -> bool:
    """Signal the process `pid` that began at `start` (see `born`); False when it is no longer there."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if born(pid) != start:
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def inventory(mark: str, supervisor: int) -> list[Process]:
    """id (pid), role and memory (PSS in bytes) of every process of the switch."""
    rows: list[Process] = []
    for pid in sorted({*marked(mark), supervisor}):
        memory = _pss(pid)
        if memory:
            role = "supervisor" if pid == supervisor else _role(pid)
            rows.append({"id": pid, "role": role, "memory": memory})
    return rows


def _kill_marked(pid: int, mark: str) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _carries(pid, f"{MARK}={mark}".encode()):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(pid: int, name: str) -> bytes:
    """A file of /proc; empty when the process is gone or not ours."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _carries(pid: int, wanted: bytes) -> bool:
    return wanted in _read(pid, "environ").split(b"\0")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on: the second may hold anything, in parentheses."""
    return _read(pid, "stat").decode("utf-8", "replace").rpartition(")")[2].split()


def _role(pid: int) -> str:
    command = _read(pid, "cmdline").replace(b"\0", b" ").decode("utf-8", "replace")
    return next((role for part, role in _ROLES if part in command), "helper")


def _pss(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0
