"""A whole switch, started and ended as a person does it: up, status, kill -9 here and there, down, nothing left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import census
from actors.rundir import Record, run_dir
from rayswitch.config import Config, load
from tests.interop.ports import free_port

RAYSWITCH = [sys.executable, "-c", "from actors.cli import main; main()"]
READY_SECONDS = 30.0


class Switch:
    """A switch with a configuration of its own in `where`."""

    def __init__(self, where: Path, extra: str = "") -> None:
        self.port = free_port()
        self.file = where / "switch.yaml"
        first = 30000 + os.getpid() % 100 * 20
        self.file.write_text(
            f"sip:\n  listen: [udp://127.0.0.1:{self.port}, tcp://127.0.0.1:{self.port}]\n"
            f"media:\n  address: 127.0.0.1\n  ports: {first}-{first + 19}\n{extra}"
        )
        self.errors = where / "errors"
        self.output = where / "output"
        self.process: subprocess.Popen[bytes] | None = None
        self.record: Record | None = None

    @property
    def config(self) -> Config:
        return load(self.file)

    def start(self) -> str:
        """Start it; the `ready:` line."""
        with self.errors.open("w") as errors, self.output.open("w") as output:
            self.process = subprocess.Popen([*RAYSWITCH, "up", "-c", str(self.file)], stdout=output, stderr=errors)
        until(lambda: "ready: " in self.output.read_text() or self.ended(), READY_SECONDS)
        ready = [line for line in self.output.read_text().splitlines() if line.startswith("ready: ")]
        assert ready, self.errors.read_text()
        self.record = Record.load(run_dir(self.config))
        return ready[0]

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        """kill -9 of the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and wait; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*RAYSWITCH, *command, "-c", str(self.file)], capture_output=True, text=True, timeout=60)

    def ask(self, *command: str) -> Any:
        return json.loads(self.run(*command, "--json").stdout)

    def pid(self, host: str) -> int:
        pids: list[int] = [row["pid"] for row in self.ask("actors", "--processes") if row["id"] == host]
        return pids[0]

    def left(self) -> list[str]:
        """What is still there of a switch that was up: processes, directories, ports."""
        assert self.record is not None
        found = [f"process {pid}" for pid in census.members(self.record.signs)]
        found += [str(path) for path in (Path(self.record.temp), run_dir(self.config)) if path.exists()]
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                found.append(f"port {self.port}")
        return found


@contextmanager
def running(where: Path, extra: str = "") -> Iterator[Switch]:
    switch = Switch(where, extra)
    try:
        switch.start()
        yield switch
    finally:
        if switch.process is not None and not switch.ended():
            switch.stop()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a condition that lives in other processes."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


POOL = "actors:\n  call:\n    placement: pool\n"


def test_up_status_and_sigterm(tmp_path: Path) -> None:
    switch = Switch(tmp_path, POOL)
    begun = time.monotonic()
    line = switch.start()
    assert time.monotonic() - begun < READY_SECONDS
    url = rf"127\.0\.0\.1:{switch.port}"
    assert re.fullmatch(rf"ready: udp://{url} tcp://{url} \(1 SIP gateway, 1 media gateway, 1 call process\)", line)
    status = switch.ask("status")
    assert status["ready"] is True
    assert (status["calls"], status["registrations"], status["down"]) == (0, 0, [])
    roles = sorted(process["role"] for process in status["processes"])
    assert roles == sorted(
        ["supervisor", "ray gcs", "ray raylet", "ray agent (idle)", "ray agent (idle)"]
        + ["sip gateway", "media gateway", "call pool", "switchboard"]
    )
    assert all(process["id"] > 1 and process["memory"] > 0 for process in status["processes"])
    assert sum(process["memory"] for process in status["processes"]) < 450e6
    assert {row["id"] for row in switch.ask("actors", "--processes")} == {"sw", "s0", "m0", "c0"}
    rows = switch.ask("actors", "--processes")
    assert [os.getpriority(os.PRIO_PROCESS, row["pid"]) for row in rows] == [0] * 4
    begun = time.monotonic()
    assert switch.stop() == 0
    assert time.monotonic() - begun < 5
    assert switch.left() == []
    assert switch.run("status").returncode == 1
    assert switch.run("down").returncode == 1


def test_actors_come_back_after_kill_9(tmp_path: Path) -> None:
    with running(tmp_path, "") as switch:
        before = {host: switch.pid(host) for host in ("s0", "m0", "sw")}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)

        def back() -> bool:
            answer = switch.run("actors", "--processes", "--json")
            rows = json.loads(answer.stdout) if answer.returncode == 0 else []
            return {row["id"] for row in rows if row["pid"] not in before.values()} == set(before)

        until(back)
        assert switch.ask("status")["ready"] is True


def test_a_supervisor_that_was_killed_leaves_what_down_can_end_and_up_takes_over(tmp_path: Path) -> None:
    with running(tmp_path) as switch:
        switch.kill()
        assert len(switch.left()) > 5
        assert switch.run("down").returncode == 0
        assert switch.left() == []

        switch.start()
        before = switch.pid("s0")
        switch.kill()
        first = switch.record
        switch.start()
        assert switch.pid("s0") == before, "the switch that was running is taken over"

        switch.kill()
        switch.file.write_text(switch.file.read_text() + "call: {no_answer: 30}\n")
        switch.start()
        assert first is not None
        assert census.members(first.signs) == [], "another configuration needs another switch"
        assert not Path(first.temp).exists()
        assert switch.run("down").returncode == 0
        assert switch.process is not None
        assert switch.process.wait(10) == 0
        assert switch.left() == []


def test_two_switches_side_by_side_and_a_second_one_on_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with running(tmp_path / "a") as first, running(tmp_path / "b", "") as second:
        pids = [{process["id"] for process in one.ask("status")["processes"]} for one in (first, second)]
        assert not pids[0] & pids[1]
        again = first.run("up")
        assert again.returncode == 2
        assert re.search(r"data: .* is in use by a running switch", again.stderr)
        assert first.stop() == 0
        assert first.left() == []
        assert second.ask("status")["ready"] is True


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_busy_port_is_named_and_nothing_is_left(tmp_path: Path, kind: socket.SocketKind) -> None:
    switch = Switch(tmp_path)
    with closing(socket.socket(type=kind)) as other:
        other.bind(("127.0.0.1", switch.port))
        if kind is socket.SOCK_STREAM:
            other.listen()
        refused = switch.run("up")
    name = "udp" if kind is socket.SOCK_DGRAM else "tcp"
    assert refused.returncode == 2
    assert refused.stderr.strip() == (
        f"sip.listen: {name}://127.0.0.1:{switch.port}: the port is in use by another process"
    )
    assert not run_dir(switch.config).exists()


def test_sigterm_during_the_start_ends_everything_too(tmp_path: Path) -> None:
    switch = Switch(tmp_path)
    with (
        switch.errors.open("w") as errors,
        subprocess.Popen(
            [*RAYSWITCH, "up", "-c", str(switch.file)], stdout=subprocess.DEVNULL, stderr=errors, text=True
        ) as process,
    ):
        switch.record = until(lambda: Record.load(run_dir(switch.config)))
        until(lambda: len(census.members(switch.record.signs)) > 2 if switch.record else False)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert switch.left() == []
