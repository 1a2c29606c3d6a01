"""A running rayswitch for tests and benchmarks: started as a person starts it, asked through its command
line.

Every process of a switch inherits an environment variable that is unique to the test; so whatever the
switch leaves behind is found, named and ended by process id, even when the switch itself has lost sight of
it.
"""

import csv
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.interop.ports import free_port
from tests.interop.processes import await_true, with_environment
from tests.interop.sipp import User

DOMAIN = "rayswitch.local"
START_SECONDS = 30
PLACEMENTS: dict[str, dict[str, Any]] = {
    "gateway": {"placement": "gateway"},
    "pool": {"placement": "pool"},
    "actor": {"placement": "actor", "warm": 4, "most": 12, "overflow": "pool"},
}
RAY_PORTS = "61000-64999"  # above the ephemeral ports; Ray binds some of them only when it starts a process
# RTP ranges lie below the ephemeral ports (32768) and above the ports that tests hand out (20000).
_MEDIA_RANGES = itertools.cycle(range(20_000, 32_000, 2_000))


def executable() -> str:
    """The command `rayswitch` of the virtual environment that runs the tests."""
    return str(Path(sys.executable).with_name("rayswitch"))


class Switch:
    """One switch with a folder, ports and a Ray of its own.

    Args:
        gateways, media_gateways: how many SipGateway and MediaGateway actors.
        placement: of calls and registrations, "gateway", "pool" or "actor".
        settings: further sections of switch.yaml; their keys win over what is set here.
    """

    def __init__(
        self,
        *,
        gateways: int = 1,
        media_gateways: int = 1,
        placement: str = "gateway",
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rs-"))
        self.port = free_port("127.0.0.1")
        self.config = self.folder / "switch.yaml"
        self._mark = f"RAYSWITCH_TEST={uuid.uuid4().hex}"
        first = next(_MEDIA_RANGES)
        listen = [f"{kind}://{host}:{self.port}" for kind in ("udp", "tcp") for host in ("127.0.0.1", "[::1]")]
        values: dict[str, Any] = {
            "domain": DOMAIN,
            "sip": {"listen": listen, "gateways": gateways},
            "media": {
                "address": ["127.0.0.1", "::1"],
                "ports": f"{first}-{first + 1999}",
                "gateways": media_gateways,
            },
            "actors": {"call": PLACEMENTS[placement], "registration": PLACEMENTS[placement]},
            "ray": {"ports": RAY_PORTS},
        }
        for name, section in (settings or {}).items():
            values[name] = values.get(name, {}) | section if isinstance(section, dict) else section
        self.config.write_text(yaml.safe_dump(values))
        self._lines: list[str] = []
        self._grown = threading.Condition()

    @property
    def ipv4(self) -> str:
        """SIP over IPv4, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def ipv6(self) -> str:
        """SIP over IPv6, [host]:port."""
        return f"[::1]:{self.port}"

    # ---- life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def start(self) -> float:
        """Start and await `ready:`; returns the seconds it took."""
        began = time.monotonic()
        self._lines.clear()
        self.process = subprocess.Popen(
            [executable(), "up", "-c", str(self.config)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read_output, args=(self.process,), daemon=True).start()
        with self._grown:
            while not any(line.startswith("ready:") for line in self._lines):
                left = began + START_SECONDS - time.monotonic()
                ended = self.process.poll() is not None
                assert left > 0 and not ended, f"the switch is not ready: {self.process.poll()}\n{self.output()}"
                self._grown.wait(min(left, 0.5))
        return time.monotonic() - began

    def environment(self) -> dict[str, str]:
        """The environment that marks its processes."""
        name, _, value = self._mark.partition("=")
        return os.environ | {name: value}

    def _read_output(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._grown:
                self._lines.append(line)
                self._grown.notify_all()
        process.stdout.close()

    def output(self) -> str:
        """What the switch printed since its start."""
        return "".join(self._lines)

    def stop(self) -> float:
        """SIGTERM; returns the seconds until the process had ended. Asserts a clean exit that leaves
        nothing.
        """
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        took = time.monotonic() - began
        assert self.process.returncode == 0, f"exit code {self.process.returncode}\n{self.output()}"
        assert not self.left_over(), f"left behind: {self.left_over()}\n{self.output()}"
        return took

    def left_over(self) -> dict[int, str]:
        """Processes of this switch that are there, with their command lines."""
        return with_environment(self._mark)

    def all_pids(self) -> list[int]:
        """Every process of this switch, whether it knows of it or not."""
        return sorted(self.left_over())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        """End what is left and remove the folder; for a switch that never came up."""
        for _ in range(5):  # a supervisor may start what was just ended again
            for pid in sorted(self.left_over()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- commands

    def command(self, *arguments: str, timeout: float = 60) -> str:
        """Run `rayswitch ARGUMENTS -c …`; returns what it prints, fails when it fails."""
        done = subprocess.run(
            [executable(), *arguments, "-c", str(self.config)],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"rayswitch {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The answer of a command with `--json`."""
        return json.loads(self.command(*arguments, "--json"))

    def status(self) -> dict[str, Any]:
        """`rayswitch status --json`."""
        answer: dict[str, Any] = self.json("status")
        return answer

    def import_users(self, users: Iterable[User]) -> None:
        """Make extensions of them."""
        path = self.folder / "import.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("number", "password", "name"))
            writer.writerows((user.number, user.password, f"Phone {user.number}") for user in users)
        self.command("extension", "import", str(path))

    def pids(self, role: str = "") -> list[int]:
        """Process ids by `status`, of one role or of all."""
        return [row["id"] for row in self.status()["processes"] if not role or row["role"] == role]

    def await_warm(self, count: int = PLACEMENTS["actor"]["warm"]) -> None:
        """Await so many processes that wait for a call."""
        await_true(
            lambda: sum(", idle" in row["role"] for row in self.processes("call/")) >= count, "warm processes", 30
        )

    def processes(self, role: str = "") -> list[dict[str, Any]]:
        """Rows of `rayswitch actors --processes` whose role begins so."""
        return [row for row in self.json("actors", "--processes") if row["role"].startswith(role)]

    def kill(self, role: str) -> int:
        """kill -9 the first process of a role; returns its id."""
        pid = self.pids(role)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_and_await_restart(self, role: str, timeout: float = 10.0) -> None:
        """kill -9 a process of a role and await another in its place."""
        dead = self.kill(role)

        def is_back() -> bool:
            try:
                status = self.status()
            except AssertionError:  # the Switchboard itself may be the one that is away
                return False
            pids = [row["id"] for row in status["processes"] if row["role"] == role]
            return bool(status["ready"] and pids and dead not in pids)

        await_true(is_back, f"another {role}", timeout)

    def cdrs(self, *, leg: str = "call") -> list[dict[str, Any]]:
        """Call records of one kind of row ("call": end to end), the oldest first."""
        rows = self.json("cdr", "-n", "0", "--legs")
        return sorted((row for row in rows if row["leg"] == leg), key=lambda row: float(row["start"]))

    def records_of(self, callers: Iterable[str], count: int, since: float = 0.0) -> list[dict[str, Any]]:
        """The end-to-end records of these callers that began after `since` (Unix seconds), once there are
        `count`: they are written behind the calls.
        """
        wanted = set(callers)
        found: list[dict[str, Any]] = []

        def are_there() -> bool:
            found[:] = [row for row in self.cdrs() if row["caller"] in wanted and row["start"] >= since]
            return len(found) >= count

        await_true(are_there, f"{count} call records", pause=0.2)
        return found

    def await_idle(self, timeout: float = 10.0) -> None:
        """Await that no call is left."""
        try:
            await_true(lambda: not self.json("calls"), "no call left", timeout, pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.json('calls')[:3]}") from None


def users(first: int, count: int, dialled: int = 0) -> list[User]:
    """`count` users numbered from `first`; user i dials `dialled` + i if given."""
    return [User(str(first + i), f"secret-{first + i}", str(dialled + i) if dialled else "") for i in range(count)]
