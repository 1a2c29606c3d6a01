"""The journal of a process that holds a single entity: its home keeps it.

A database connection, a thread and a folder for each call would be too many. So what must outlive the entity goes over
the link to its home, whose journal writes it in groups with everybody else's: "own.write", answered when it is durable.
One question is under way at a time, so the order stays; what the link loses is asked again, because writes may be
applied again (``rayswitch/store/writes.py``). A home that has no room says False.

The home also remembers the last snapshot that came this way (``own_records.py``): who was killed asks for it,
"own.recall", and needs no database for that.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from actors.link import LinkError, Links
from rayswitch.store import Write

__all__ = ["HomeJournal"]

ASK_SECONDS = 5.0
RETRY_SECONDS = 0.1
PATIENCE = 0.01
"""Seconds that what nobody waits for may wait for more."""

Callback = Callable[[], Any]

log = logging.getLogger(__name__)


class HomeJournal:
    """Writes through `home`, a host id; it has the verbs of a `Journal` that entities use."""

    def __init__(self, links: Links, home: str) -> None:
        self.links = links
        self.home = home
        self.backlog = 0
        self._waiting: list[tuple[Write, Callback | None, Callback | None]] = []
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def append(self, *writes: Write) -> None:
        """Write these some time soon."""
        self._add([(write, None, None) for write in writes])

    def durable(self, write: Write, kept: Callback, refused: Callback | None = None) -> None:
        """Write this; `kept()` when it is durable, `refused()` when there is no room for it."""
        self._hurry.set()
        self._add([(write, kept, refused)])

    async def recalled(self, kind: str, key: str) -> Any:
        """The snapshot that this process has left when it was killed; None: it had none."""
        while True:
            try:
                return await self.links.ask(self.home, "own.recall", [kind, key], ASK_SECONDS)
            except LinkError as error:
                log.warning("%s does not tell what there was of %s/%s: %s", self.home, kind, key, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Wait until all of it is durable."""
        self._hurry.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """The same, unless the home is away."""
        try:
            await asyncio.wait_for(self.flush(), RETRY_SECONDS * 5)
        except TimeoutError:
            log.error("%d records are lost: %s is away", self.backlog, self.home)

    def _add(self, items: list[tuple[Write, Callback | None, Callback | None]]) -> None:
        self.backlog += len(items)
        self._waiting += items
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        """Everything that waits, in order, one group at a time."""
        while self._waiting:
            if not self._hurry.is_set():
                await asyncio.sleep(PATIENCE)
            self._hurry.clear()
            group, self._waiting = self._waiting, []
            kept = await self._written([list(write) for write, _, _ in group])
            self.backlog -= len(group)
            for _, when_kept, when_refused in group:
                callback = when_kept if kept else when_refused
                if callback is not None:
                    _call(callback)
        self._task = None

    async def _written(self, rows: list[Any]) -> bool:
        while True:
            try:
                return bool(await self.links.ask(self.home, "own.write", rows, ASK_SECONDS))
            except LinkError as error:
                log.warning("%s does not take %d records: %s", self.home, len(rows), error)
                await asyncio.sleep(RETRY_SECONDS)


def _call(callback: Callback) -> None:
    try:
        callback()
    except Exception:
        log.exception("what waited for a record failed")
