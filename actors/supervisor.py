"""The supervisor: the one process in the foreground. It starts a switch, stays, and ends all of it.

Ray is never imported here. What it does in turn: check (see ``preflight.py``), start a Ray of our own, have
the driver create the actors, say that the switch is ready; then wait for a signal. Ray restarts actors that
die. A GCS that died is begun again (``daemons.py``); when the raylet died, which takes the actors along, Ray and the
actors are started anew and go on from the store. A supervisor that was killed and is started again finds its switch
running and goes on watching it.

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
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from actors import census, ray_cluster
from actors.daemons import GCS, Daemon, daemons_of
from actors.link import LinkError, Links
from actors.placement import SWITCHBOARD, hosts_of
from actors.rundir import Record, digest, make_run_dir
from rayswitch.config import Config

__all__ = ["StartFailed", "Supervisor", "become_subreaper", "ready_line", "sweep"]

PR_SET_CHILD_SUBREAPER = 36
START_SECONDS = 90.0
TEMP = "/tmp"  # not $TMPDIR: Ray adds 70 characters, and a socket address ends after 107
DRAIN_SECONDS, CLOSE_SECONDS, KILL_SECONDS = 2.5, 0.8, 1.0
WATCH_SECONDS = 0.2
REVIVALS, REVIVALS_SECONDS = 10, 60.0
"""Ray may die so often in such a time; then something is wrong that another start does not mend."""

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

    def __init__(self, config: Config, running: Record | None = None) -> None:
        """`running`: the record of a switch that has lost its supervisor and is to be taken over."""
        self.config = config
        self.run_dir = make_run_dir(config)
        self.hosts = hosts_of(config)
        self.revivals: list[float] = []
        self._stop = asyncio.Event()
        self.record = running or self._new_record()
        self.record.pid, self.record.born = os.getpid(), census.born(os.getpid())
        self.record.save(self.run_dir)
        self.environment = ray_cluster.environment(self.record.mark, Path(self.record.temp))

    def _new_record(self) -> Record:
        temp = os.path.realpath(tempfile.mkdtemp(prefix="rayswitch-", dir=TEMP))
        return Record(token_hex(16), 0, 0, temp, time.time(), settings=digest(self.config))

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
        if not self.record.ready:
            await self._begin()
        print(ready_line(self.record.listeners, self.hosts), flush=True)
        return await self._watch()

    async def _begin(self) -> None:
        answers = await self._start()
        self.record.ready = True
        self.record.listeners = tuple(dict.fromkeys(url for one in answers for url in one["listeners"]))
        self.record.save(self.run_dir)

    # The start.

    async def _start(self) -> list[dict[str, Any]]:
        """Ray and the actors; what the actors say."""
        hosts = [*self.hosts, SWITCHBOARD]
        progress(f"starting Ray and the actors {' '.join(hosts)}")
        ports = ray_cluster.free_ports(self.config, int(self.record.mark[:8], 16))
        order = {
            # Ray opens its directory to everybody; ours stays closed. Every Ray has its own.
            "temp": tempfile.mkdtemp(prefix="r", dir=self.record.temp),
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

    # The time between.

    async def _watch(self) -> int:
        """Until a signal cancels us, or Ray dies too often."""
        watched = daemons_of(self.record.signs)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            _reap()
            lost = [daemon for daemon in watched if not daemon.is_alive()]
            if lost or not self.record.ready:
                await self._revive(lost)
                watched = daemons_of(self.record.signs)

    async def _revive(self, lost: list[Daemon]) -> None:
        """A GCS is begun again for itself; with the raylet the actors went, and all of Ray is begun anew."""
        names = " and ".join(f"{daemon.role} (process {daemon.pid})" for daemon in lost) or "a start"
        now = time.monotonic()
        self.revivals = [at for at in self.revivals if at > now - REVIVALS_SECONDS] + [now]
        if len(self.revivals) > REVIVALS:
            raise StartFailed(f"{names} has ended, after {REVIVALS} others in {REVIVALS_SECONDS:.0f} s: giving up")
        _note(f"{names} has ended and is started again")
        if self.record.ready and all(daemon.role == GCS for daemon in lost):
            lost[0].begin_again()
            return
        self.record.ready = False
        self.record.save(self.run_dir)
        await asyncio.to_thread(self._end_ray)
        try:
            await self._begin()
        except StartFailed as failure:
            _note(str(failure))  # another try follows
        else:
            _note("Ray and the actors are back")

    def _end_ray(self) -> None:
        """All processes but ours, and what Ray has kept."""
        self._kill_daemons()
        census.end_members(self.record.signs, KILL_SECONDS)
        for path in Path(self.record.temp).iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)

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
            with_calls = [SWITCHBOARD, *(host for host in self.hosts if host[0] in "sc")]
            await _all(links, with_calls, "drain", DRAIN_SECONDS)
            await _all(links, [*self.hosts, SWITCHBOARD], "close", CLOSE_SECONDS)
        finally:
            await links.close()

    def _sweep(self) -> list[int]:
        self._kill_daemons()
        return sweep(self.run_dir, self.record)

    def _kill_daemons(self) -> None:
        """They come first, or they would start again what we end."""
        for daemon in daemons_of(self.record.signs):
            census.signal_process(daemon.pid, daemon.born, signal.SIGKILL)


def ready_line(listeners: Sequence[str], hosts: Sequence[str]) -> str:
    """What is said when every process can do its work."""
    counts = [(letter, sum(host[0] == letter for host in hosts)) for letter in "smcr"]
    parts = ", ".join(f"{count} {_NAMES[letter]}{'s' * (count > 1)}" for letter, count in counts if count)
    return f"ready: {' '.join(listeners)} ({parts})"


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


def _note(text: str) -> None:
    """For whoever watches, and for whoever looks later."""
    progress(text)
    log.error("%s", text)


def progress(text: str) -> None:
    """A line for whoever watches the start."""
    print(text, file=sys.stderr, flush=True)
