"""A PostgreSQL of our own for tests and benchmarks: Debian's programs, a temporary folder, a port, an unprivileged
user.

It goes with the process that started it, however that ends: its parent's death is a signal to it.  `stop` and `start`
are a database that is away for a while; `freeze` and `thaw` one that accepts what is sent and answers nothing.
"""

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.ports import free_port
from tests.interop.processes import TICK, await_true, cpu_seconds, descendants

__all__ = ["OWNER", "PASSWORD", "Postgres"]

OWNER, PASSWORD = "rayswitch", "not-in-any-log"
HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests of what is stored, not of when it is on a disk."""


def programs() -> Path:
    """The folder of Debian's server programs of the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


class Postgres:
    """A server with one role, OWNER, that may make databases; its password is PASSWORD. It is at `host`, for all of
    that /24 network."""

    def __init__(self, host: str = HOST, **settings: str) -> None:
        self.host = host
        self.folder = Path(tempfile.mkdtemp(prefix="rs-pg-"))
        self.port = free_port(host)
        self.settings = {
            "listen_addresses": host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "32MB",
            "max_connections": "60",
            **settings,
        }
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.process: subprocess.Popen[bytes] | None = None
        self.databases = itertools.count(1)
        self.password_file = self.folder / "password"

    def __enter__(self) -> Self:
        try:
            self._make()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _make(self) -> None:
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o640)
        if self.user:
            for path in (self.folder, self.password_file):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        order = ["initdb", "--no-sync", "--locale=C", "--encoding=UTF8", "-A", "scram-sha-256", "-U", OWNER]
        order += ["--pwfile", str(self.password_file), "-D", str(self.folder / "data")]
        done = subprocess.run(
            [str(programs() / order[0]), *order[1:]], capture_output=True, text=True, **self._unprivileged()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.host}/24 scram-sha-256\n")

    def _unprivileged(self) -> dict[str, Any]:
        options: dict[str, Any] = {"cwd": self.folder, "stdin": subprocess.DEVNULL, "start_new_session": True}
        if self.user:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return options

    def start(self) -> None:
        """Start, unless it runs, and await that it takes connections."""
        if self.process is not None:
            return
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
                **self._unprivileged(),
            )
        await_true(self._answers, f"PostgreSQL: {(self.folder / 'log').read_text()}", timeout=20)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "log").read_text()
        asked = subprocess.run(
            [str(programs() / "pg_isready"), "-q", "-h", self.host, "-p", str(self.port)], check=False, timeout=10
        )
        return asked.returncode == 0

    def stop(self) -> None:
        """Break every connection and end (a fast shutdown); what was committed is kept."""
        if self.process is not None:
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None

    def freeze(self) -> None:
        """Every process of it stands still: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def pids(self) -> list[int]:
        """The server and its processes."""
        return descendants(self.process.pid) if self.process is not None and self.process.poll() is None else []

    def cpu(self) -> float:
        """Seconds of CPU of the server and all its processes so far, those that have ended included."""
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return cpu_seconds(self.pids()) + (int(fields[13]) + int(fields[14])) / TICK

    def new_database(self) -> str:
        """The URL of an empty database, with the file of its password."""
        name = f"test{next(self.databases)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def url(self, database: str) -> str:
        """The URL of `database`."""
        return f"postgresql://{OWNER}@{self.host}:{self.port}/{database}?password_file={self.password_file}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for it."""
        done = subprocess.run(
            [str(programs() / "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", str(self.port)]
            + ["-U", OWNER, "-d", database, "-c", statement],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end_with_parent() -> None:
    """An immediate shutdown when the thread that started us ends (prctl(2)); set last, a change of user clears it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
