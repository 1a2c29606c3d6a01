"""Ray's daemons under the supervisor's eye: GCS and raylet, and what is done when one of them dies.

The GCS keeps its tables in a database of its own (``RAY_gcs_storage``), so a new one with the same command line goes
on where the old one was: raylet and actors wait for it, and nothing of a call asks it. A raylet takes the actors of
its machine with it; then Ray is begun anew, and the actors take up from the store what they had.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from actors import census

__all__ = ["GCS", "RAYLET", "Daemon", "daemons_of"]

GCS, RAYLET = "ray gcs", "ray raylet"


@dataclass(slots=True)
class Daemon:
    """One of them: its role, its identity, and how it was begun."""

    role: str
    pid: int
    born: int
    command: list[str]
    environment: dict[str, str]
    directory: str

    def is_alive(self) -> bool:
        """Is it this very process still?"""
        return census.born(self.pid) == self.born

    def begin_again(self) -> None:
        """Start it with the command line, environment and directory that it had."""
        process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid, self.born = process.pid, census.born(process.pid)


def daemons_of(signs: census.Signs) -> list[Daemon]:
    """GCS and raylet of the switch with these signs; those that end while one looks are left out."""
    found = []
    for pid, role in census.roles(signs).items():
        if role in (GCS, RAYLET):
            try:
                found.append(_daemon(role, pid))
            except OSError:
                continue
    return found


def _daemon(role: str, pid: int) -> Daemon:
    proc = Path("/proc", str(pid))
    command = [os.fsdecode(part) for part in (proc / "cmdline").read_bytes().split(b"\0")[:-1]]
    pairs = [os.fsdecode(part).partition("=") for part in (proc / "environ").read_bytes().split(b"\0") if part]
    environment = {name: value for name, _, value in pairs}
    return Daemon(role, pid, census.born(pid), command, environment, os.readlink(proc / "cwd"))
