"""The database at the start of a switch.

One that refuses us, or is no database of ours, ends the start.  One that is away does not: when every process has a
copy of what it knew last, the switch starts with these; else it waits for the database, and says so.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.cli import first_start
from actors.placement import hosts_of
from actors.preflight import Refused
from actors.recall import copy_of
from rayswitch.config import Config
from rayswitch.config.database import SQLITE
from rayswitch.store import Store, StoreAway, StoreError

__all__ = ["open_store"]

RETRY_SECONDS = 1.0


def open_store(config: Config, say: Callable[[str], None]) -> None:
    """Make the database ready, or find that the switch can start without it. Raises Refused; KeyboardInterrupt when
    the wait is ended by a signal."""
    try:
        _make_ready(config)
    except StoreAway as error:
        if _have_copies(config):
            say(f"{error}; starting with what this machine knew last")
            return
        say(f"{error}; waiting for it")
        _await(config)


def _await(config: Config) -> None:
    with _interruptible():
        while True:
            time.sleep(RETRY_SECONDS)
            try:
                _make_ready(config)
                return
            except StoreAway:
                continue


def _make_ready(config: Config) -> None:
    """Its schema is ours; and it has extensions if this is the very first start."""
    try:
        Store.open(config.store).close()
        made = first_start.announcement(config, first_start.create(config))
    except StoreAway:
        raise
    except StoreError as error:
        raise Refused(f"store: {error}") from error
    if made:
        print(made, flush=True)


def _have_copies(config: Config) -> bool:
    """Every process that keeps something."""
    copies = [copy_of(config, host).removeprefix(SQLITE) for host in hosts_of(config) if host[0] != "m"]
    return all(copy and Path(copy).is_file() for copy in copies)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end the wait as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    former = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
