"""The end of a process that is given up and does not end itself, on this very machine."""

import logging
import os
import signal
from pathlib import Path

__all__ = ["end_process"]

RAY_WORKER = b"ray::"
"""How Ray names the processes of actors."""

log = logging.getLogger(__name__)


def end_process(pid: int) -> None:
    """kill -9, if that is still the process of an actor: its number may be another's by now."""
    try:
        if pid != os.getpid() and Path(f"/proc/{pid}/cmdline").read_bytes().startswith(RAY_WORKER):
            os.kill(pid, signal.SIGKILL)
            log.warning("process %d is killed", pid)
    except OSError as error:
        log.info("process %d cannot be killed: %s", pid, error.strerror)
