"""The supervisor: the one process in the foreground. It starts a switch, stays, and ends all of it.

Ray is never imported here. What it does in turn: check (see ``preflight.py``), start a Ray of our own, have
the driver create the actors, say that the switch is ready; then wait for a signal. Ray restarts actors that
die; when Ray itself dies the switch is over, and whoever supervises the supervisor starts it anew.

Stopping: every host that has calls ends them ("drain"), then every host gives back what it holds ("close"),
then all processes of the switch are killed, Ray's own first, and its directories removed. Each step has a
time limit; together they stay below STOP_SECONDS. It does not matter how far the start had come.

As a child subreaper it inherits Ray's daemons, which detach themselves, and so hears of their end.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from secrets import token_hex
from typing import Any

from actors import census, ray_cluster
from actors.link import LinkError, Links
from actors.placement import SWITCHBOARD, hosts_of
from actors.rundir import Record, make_run_dir
from rayswitch.config import Config

__all__ = ["StartFailed", "Supervisor", "become_subreaper", "sweep"]

PR_SET_CHILD_SUBREAPER = 36
START_SECONDS = 90.0
TEMP = "/tmp"  # not $TMPDIR: Ray adds 70 characters, and a socket address ends after 107
DRAIN_SECONDS, CLOSE_SECONDS, KILL_SECONDS = 2.5, 0.8, 1.0
WATCH_SECONDS = 1.0
DAEMONS = ("ray gcs", "ray raylet")

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """The switch could not be started; the text says why."""


def become_subreaper() -> None:
    """Orphans among our descendants become our children (prctl(2)), whatever session they are in."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def sweep(run_dir: Path, record: Record) -> list[int]:
    """End all that is left of a switch and remove its directories; returns who could not be ended."""
    left = census.end_members(record.signs, KILL_SECONDS)
    shutil.rmtree(record.temp, ignore_errors=True)
    shutil.rmtree(run_dir, ignore_errors=True)
    return left


class Supervisor:
    """One run of one switch."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.run_dir = make_run_dir(config)
        temp = os.path.realpath(tempfile.mkdtemp(prefix="rayswitch-", dir=TEMP))
        self.record = Record(token_hex(16), os.getpid(), census.born(os.getpid()), temp, time.time())
        self.record.save(self.run_dir)
        self.environment = ray_cluster.environment(self.record.mark, Path(temp))
        self.hosts = hosts_of(config)
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Start, stay until told to stop, end everything; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        work = loop.create_task(self._work())
        stopped = loop.create_task(self._stop.wait())
        try:
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                progress("stopping")
                work.cancel()
            code = (await asyncio.gather(work, return_exceptions=True))[0]
        finally:
            stopped.cancel()
            await self._end()
        if isinstance(code, BaseException) and not isinstance(code, asyncio.CancelledError):
            raise code
        return code if isinstance(code, int) else 0

    async def _work(self) -> int:
        answers = await self._start()
        self.record.ready = True
        self.record.listeners = tuple(dict.fromkeys(url for one in answers for url in one["listeners"]))
        self.record.save(self.run_dir)
        print(self._ready_line(), flush=True)
        return await self._watch()

    # The start.

    async def _start(self) -> list[dict[str, Any]]:
        """Ray and the actors; what the actors say."""
        hosts = [*self.hosts, SWITCHBOARD]
        progress(f"starting Ray and the actors {' '.join(hosts)}")
        ports = ray_cluster.free_ports(self.config, int(self.record.mark[:8], 16))
        order = {
            "temp": f"{self.record.temp}/r",  # Ray opens its directory to everybody; ours stays closed
            "ports": ports.services,
            "workers": ports.workers,
            "settings": self.config.to_dict(),
            "hosts": hosts,
        }
        command = [sys.executable, "-m", "actors.driver"]
        code, output = await self._finished(command, json.dumps(order), START_SECONDS)
        if code != 0:
            raise StartFailed(f"the actors do not start: {_last_line(output)}")
        answers: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
        for answer in answers:
            if answer["failure"]:
                raise StartFailed(answer["failure"])
        return answers

    async def _finished(self, command: list[str], text: str, seconds: float) -> tuple[int, str]:
        """Run a helper of the switch to its end; its errors and output together."""
        helper = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment,
            cwd=self.record.temp,
            start_new_session=True,  # a Ctrl-C at the terminal is for us alone: we end things in order
        )
        try:
            output, _ = await asyncio.wait_for(helper.communicate(text.encode()), seconds)
        except TimeoutError:
            raise StartFailed(f"{' '.join(command[:4])}: no end after {seconds:.0f} s") from None
        return helper.returncode or 0, output.decode("utf-8", "replace")

    def _ready_line(self) -> str:
        counts = [(letter, sum(host[0] == letter for host in self.hosts)) for letter in "smcr"]
        parts = ", ".join(f"{count} {_NAMES[letter]}{'s' * (count > 1)}" for letter, count in counts if count)
        return f"ready: {' '.join(self.record.listeners)} ({parts})"

    # The time between.

    async def _watch(self) -> int:
        """Until a signal cancels us, or Ray is gone."""
        daemons = {
            int(row["id"]): str(row["role"])
            for row in census.inventory(self.record.signs, self.record.pid)
            if row["role"] in DAEMONS
        }
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            _reap()
            for pid, role in daemons.items():
                if not census.born(pid):
                    raise StartFailed(f"{role} (process {pid}) has ended, so the switch ends too")

    # The end.

    async def _end(self) -> None:
        if self.record.ready:
            with contextlib.suppress(LinkError, OSError, TimeoutError):
                await self._orderly()
        left = await asyncio.to_thread(self._sweep)
        _reap()
        if left:
            progress(f"processes that could not be ended: {left}")

    async def _orderly(self) -> None:
        """Drain whoever may have calls, then let everybody close."""
        links = Links(f"up{os.getpid()}", time.time_ns(), self.run_dir, listens=False)
        await links.start()
        try:
            with_calls = [host for host in self.hosts if host[0] in "sc"]
            await _all(links, with_calls, "drain", DRAIN_SECONDS)
            await _all(links, [*self.hosts, SWITCHBOARD], "close", CLOSE_SECONDS)
        finally:
            await links.close()

    def _sweep(self) -> list[int]:
        """Ray's daemons first, or they would start again what we end."""
        for row in census.inventory(self.record.signs, self.record.pid):
            if row["role"] in DAEMONS:
                pid = int(row["id"])
                census.signal_process(pid, census.born(pid), signal.SIGKILL)
        return sweep(self.run_dir, self.record)


_NAMES = {"s": "SIP gateway", "m": "media gateway", "c": "call process", "r": "registration process"}


async def _all(links: Links, hosts: list[str], topic: str, seconds: float) -> None:
    asks = [links.ask(host, topic, None, seconds) for host in hosts]
    for host, answer in zip(hosts, await asyncio.gather(*asks, return_exceptions=True), strict=True):
        if isinstance(answer, BaseException):
            log.warning("%s: %s: %s", host, topic, answer)


def _reap() -> None:
    """Bury the orphans that we have inherited."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def progress(text: str) -> None:
    """A line for whoever watches the start."""
    print(text, file=sys.stderr, flush=True)
