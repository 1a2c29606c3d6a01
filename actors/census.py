"""Which processes belong to a switch, what they are and what they hold; and how to end them all, safely.

Every process that a switch starts, Ray's included, inherits two signs: an environment variable with a
random mark, and a working directory, the random temporary one of its Ray. So a process is known by what it
carries, whoever started or restarted it and wherever it hangs in the process tree, and never by its name.
The directory is there because a process that sets its title overwrites its environment; it counts for
processes without a terminal only, so that a person who looks around there is safe.

Signals go through a pidfd that was opened before the signs were checked: a number that was given to another
process meanwhile is never hit.
"""

import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["MARK", "Process", "Signs", "born", "end_members", "inventory", "members", "roles", "signal_process"]

MARK = "RAYSWITCH_SWITCH"

_ROLES = (
    ("gcs_server", "ray gcs"),
    ("raylet/raylet", "ray raylet"),
    ("sleep infinity", "ray agent (idle)"),
    ("SipGatewayActor", "sip gateway"),
    ("MediaGatewayActor", "media gateway"),
    ("CallActor", "call pool"),
    ("RegistrationActor", "registration pool"),
    ("CallEntity", "call"),
    ("RegistrationEntity", "registration"),
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


class Signs(NamedTuple):
    """What the processes of one switch carry: the value of MARK, and their working directory."""

    mark: str
    directory: str


def members(signs: Signs) -> list[int]:
    """All processes of the switch with these signs; zombies carry nothing."""
    return [pid for pid in _pids() if _carries(pid, signs)]


def end_members(signs: Signs, patience: float = 2.0) -> list[int]:
    """SIGKILL all that carry `signs` until none is left, at most `patience` seconds; returns who is left."""
    end = time.monotonic() + patience
    while True:
        left = [pid for pid in members(signs) if pid != os.getpid()]
        for pid in left:
            _kill_member(pid, signs)
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


def roles(signs: Signs) -> dict[int, str]:
    """Role by pid of every process that carries `signs`."""
    return {pid: _role(pid) for pid in members(signs)}


def inventory(signs: Signs, supervisor: int) -> list[Process]:
    """id (pid), role and memory (PSS in bytes) of every process of the switch."""
    rows: list[Process] = []
    for pid in sorted({*members(signs), supervisor}):
        memory = _pss(pid)
        if memory:
            role = "supervisor" if pid == supervisor else _role(pid)
            rows.append({"id": pid, "role": role, "memory": memory})
    return rows


def _kill_member(pid: int, signs: Signs) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _carries(pid, signs):
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


def _carries(pid: int, signs: Signs) -> bool:
    if f"{MARK}={signs.mark}".encode() in _read(pid, "environ").split(b"\0"):
        return True
    try:
        directory = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
    except OSError:
        return False
    return directory == signs.directory and not _has_terminal(pid)


def _has_terminal(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[4] != "0"


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
