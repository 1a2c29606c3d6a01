"""Keeps a gateway's copy of the extensions fresh: a full load at the start, then what changed since the last version.

The Switchboard pushes only version numbers; the rows come from the store, in a thread, so that 100,000 new extensions
do not hold up a call.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from actors.link import Links
from actors.recall import Recall
from rayswitch.calls.directory import Account, Directory
from rayswitch.config import Config
from rayswitch.store import Extension, Extensions, StoreError

log = logging.getLogger(__name__)


class DirectoryFeed:
    """Reads the extensions of the store into `directory`."""

    def __init__(self, config: Config, links: Links, recall: Recall) -> None:
        self.config = config
        self.recall = recall
        self.directory = Directory(config.domain)
        self.lock = asyncio.Lock()
        links.on("config", self.pushed)

    def load(self) -> None:
        """All there is, at once."""
        self.directory.apply(*self.changes(0))

    def changes(self, since: int) -> tuple[int, list[tuple[str, Account | None]]]:
        """Version now and the rows that changed after `since`."""
        if since:
            self.recall.follow()
        with self.recall.known() as store:
            version, rows = Extensions(store, self.config.domain).changes(since)
        return version, [(row.number, account(row)) for row in rows]

    async def pushed(self, peer: str, version: Any) -> int:
        """The Switchboard says that there is something new; the answer is the version we have then."""
        del peer
        async with self.lock:
            if version > self.directory.version:
                try:
                    self.directory.apply(*await asyncio.to_thread(self.changes, self.directory.version))
                except StoreError as error:
                    log.warning("extensions stay at version %d: %s", self.directory.version, error)
        return self.directory.version


def account(row: Extension) -> Account | None:
    """The row as authentication wants it; None for one that was removed."""
    if row.deleted:
        return None
    return Account(row.name, bytes.fromhex(row.ha1_md5), bytes.fromhex(row.ha1_sha256))
