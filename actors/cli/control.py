"""Talking to a running switch: the command line is a mere client of the Switchboard's link socket.

A question is ``[command, arguments]`` on topic "control"; the answer is plain data.  A running switch is
known by its socket in the run directory, so nothing here needs Ray, and a switch that is down is noticed at
once.

| command | answer |
|---|---|
| status | {"ready", "versions": {}, "listeners": [], "counts": {}, "processes": [{"id", "role", "memory"}]} |
| registrations, calls, actors | a list of dicts; `live.py` knows how their usual keys are shown |
| links | {"links": {host: {"peers": {peer: {"over", "frames_out", …}}}}}; with {"rotate": true} what came of it |
| bans | {"bans": {gateway: how many are banned}}, once they have read them again from the store |
| reload | once every gateway has the extensions as they are in the store now |
| trace | True; from then on tells of {"time", "direction", "transport", "remote", "text"}, until we hang up |

Times in the answers are unix seconds, spans seconds, memory bytes.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from actors.rundir import run_dir
from rayswitch.config import Config

__all__ = ["SWITCHBOARD", "ControlError", "NotRunning", "ask", "follow", "is_running", "notify"]

SWITCHBOARD = "sw"
TOPIC = "control"
TRACE = "trace"
_POLL_SECONDS = 0.5

Arguments = dict[str, Any]


class ControlError(Exception):
    """The switch runs, but did not do what was asked."""


class NotRunning(ControlError):
    """No switch with this configuration is up on this machine."""


def ask(config: Config, command: str, arguments: Arguments | None = None, timeout: float = 10.0) -> Any:
    """The answer to `command` within `timeout` seconds. Raises NotRunning or ControlError."""
    _reachable(config)
    import asyncio

    return asyncio.run(_ask(config, command, arguments or {}, timeout))


def is_running(config: Config) -> bool:
    """Is a Switchboard up on this machine?"""
    try:
        _reachable(config)
    except NotRunning:
        return False
    return True


def notify(config: Config, command: str) -> str:
    """Give `command` if a switch is up; "" or what went wrong (the store has it, so this is no failure)."""
    try:
        ask(config, command)
    except NotRunning:
        return ""
    except ControlError as error:
        return str(error)
    return ""


def follow(config: Config, command: str, arguments: Arguments, each: Callable[[Any], bool]) -> None:
    """Hand every entry that the switch sends on topic "trace" to `each` until that says False."""
    _reachable(config)
    import asyncio

    asyncio.run(_follow(config, command, arguments, each))


def _reachable(config: Config) -> None:
    """A socket file may outlive its process; one that is listened on does not."""
    path = str(run_dir(config) / f"{SWITCHBOARD}.sock")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(path)
        except OSError:
            raise NotRunning(f"no switch is running with data folder {config.data}") from None


async def _ask(config: Config, command: str, arguments: Arguments, timeout: float) -> Any:
    from actors.link import LinkError

    links = _links(config)
    await links.start()
    try:
        return await links.ask(SWITCHBOARD, TOPIC, [command, arguments], timeout)
    except LinkError as error:
        raise ControlError(f"{command}: {error}") from None
    finally:
        await links.close()


async def _follow(config: Config, command: str, arguments: Arguments, each: Callable[[Any], bool]) -> None:
    import asyncio

    from actors.link import LinkError

    links, over = _links(config), asyncio.Event()

    def received(peer: str, entry: Any) -> None:
        if not over.is_set() and not each(entry):
            over.set()

    links.on(TRACE, received)
    links.on_down(lambda peer: over.set() if peer == SWITCHBOARD else None)
    await links.start()
    try:
        await links.ask(SWITCHBOARD, TOPIC, [command, arguments])
        await over.wait()
    except LinkError as error:
        raise ControlError(f"{command}: {error}") from None
    finally:
        await links.close()


def _links(config: Config) -> Any:
    from actors.link import Links

    return Links(f"cli{os.getpid()}", time.time_ns(), run_dir(config), listens=False)
