"""`rayswitch up` and `rayswitch down`: a switch begins and ends here.

Exit codes: 0 ended as asked; 1 it could not be started, or has broken; 2 the configuration cannot work on this machine
(a busy port, a data directory in use, …): one line says what, and nothing is left running.

A supervisor that was killed leaves its switch behind, calls and all. Its record in the run directory and the lock on
the data directory tell. The next `up` takes that switch over when it is whole and what is wanted now; else, and with
`down`, what carries the record's mark is ended before anything else.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

from actors import census
from actors.cli import control
from actors.daemons import GCS, RAYLET, daemons_of
from actors.logs import write_log
from actors.opening import open_store
from actors.preflight import Refused, check_listeners, check_media, check_memory, lock_data
from actors.rundir import Record, digest, run_dir
from actors.supervisor import StartFailed, Supervisor, become_subreaper, progress, sweep
from rayswitch.config import Config

__all__ = ["down", "up"]

DOWN_SECONDS = 15.0


def up(config: Config, file: Path | None = None) -> int:
    """Start the switch and stay until it is told to stop; returns the exit code."""
    try:
        lock = lock_data(config)
    except Refused as refused:
        return _complain(str(refused), 2)
    with lock:
        try:
            running = _running(config)
            if running is None:
                _check(config)
            return _run(config, running)
        except Refused as refused:
            return _complain(str(refused), 2)
        except (StartFailed, OSError) as error:
            return _complain(str(error), 1)
        except KeyboardInterrupt:  # before anything was started
            return 0


def down(config: Config) -> int:
    """Stop the switch with this data directory and wait until nothing of it is left; returns the exit code."""
    record = Record.load(run_dir(config))
    if record is None:
        return _complain(f"no switch is running with data folder {config.data}", 1)
    if record.cluster:
        return _complain(f"this switch is on the cluster {record.cluster}: rayswitch undeploy ends it there", 2)
    if census.signal_process(record.pid, record.born, signal.SIGTERM):
        end = time.monotonic() + DOWN_SECONDS
        while census.born(record.pid) == record.born and time.monotonic() < end:
            time.sleep(0.02)
    if Record.load(run_dir(config)) != record:  # the supervisor has tidied up
        return 0
    left = sweep(run_dir(config), record)
    return _complain(f"processes that could not be ended: {left}", 1) if left else 0


def _running(config: Config) -> Record | None:
    """A switch that has lost its supervisor and can go on; one that cannot is ended.

    We hold the lock, so whoever wrote a record is dead.
    """
    record = Record.load(run_dir(config))
    if record is None:
        return None
    if record.cluster and control.is_running(config):
        raise Refused(f"data: {config.data} is in use by a switch on the cluster {record.cluster}")
    whole = {daemon.role for daemon in daemons_of(record.signs)} == {GCS, RAYLET}
    if record.ready and record.settings == digest(config) and whole:
        progress("taking over the running switch with this data folder")
        return record
    progress("ending what an earlier switch with this data folder has left behind")
    sweep(run_dir(config), record)
    return None


def _check(config: Config) -> None:
    check_listeners(config)
    check_media(config)
    check_memory(config)
    open_store(config, progress)


def _run(config: Config, running: Record | None) -> int:
    write_log(config, "supervisor")
    become_subreaper()
    return asyncio.run(_supervise(config, running))


async def _supervise(config: Config, running: Record | None) -> int:
    return await Supervisor(config, running).run()


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code
