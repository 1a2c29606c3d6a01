"""Keeps a gateway's copy of extensions and records fresh: all at the start, then what changed since the last version.

The Switchboard pushes only version numbers; the rows come from the store, in a thread, so that 100,000 new extensions
do not hold up a call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from actors.link import Links
from actors.recall import Recall
from rayswitch.calls.directory import Account, Directory
from rayswitch.config import Config, ConfigError
from rayswitch.records import KINDS
from rayswitch.records.keeping import options_of, record_of
from rayswitch.store import Extension, Extensions, Record, Records, Store, StoreError

log = logging.getLogger(__name__)

Row = tuple[type, tuple[str, ...], Any]
"""Class of a record, its key, and the record; None for one that was removed."""
Follower = Callable[[Sequence[Row]], None]


class Changes(NamedTuple):
    """What changed up to `version`."""

    version: int
    accounts: list[tuple[str, Account | None]]
    records: list[Row]


class DirectoryFeed:
    """Reads the extensions of the store into `directory`, and tells followers of records."""

    def __init__(self, config: Config, links: Links, recall: Recall) -> None:
        self.config = config
        self.recall = recall
        self.directory = Directory(config.domain)
        self.records: dict[tuple[type, tuple[str, ...]], Any] = {}
        self.followers: list[Follower] = []
        self.lock = asyncio.Lock()
        links.on("config", self.pushed)

    def load(self) -> None:
        """All there is, at once."""
        self.take(self.changes(0))

    def follow(self, follower: Follower) -> None:
        """Call it with all records that there are, and with those that change."""
        self.followers.append(follower)
        follower([(kind, key, record) for (kind, key), record in self.records.items()])

    def changes(self, since: int) -> Changes:
        """What changed after version `since`; in a thread."""
        if since:
            self.recall.follow()
        with self.recall.known() as store:
            return changes_of(store, self.config.domain, since)

    def take(self, changes: Changes) -> None:
        """They are in force."""
        self.directory.apply(changes.version, changes.accounts)
        for kind, key, record in changes.records:
            self.records[kind, key] = record
            if record is None:
                del self.records[kind, key]
        for follower in self.followers:
            follower(changes.records)

    async def pushed(self, peer: str, version: Any) -> int:
        """The Switchboard says that there is something new; the answer is the version we have then."""
        del peer
        async with self.lock:
            if version > self.directory.version:
                try:
                    self.take(await asyncio.to_thread(self.changes, self.directory.version))
                except StoreError as error:
                    log.warning("extensions and records stay at version %d: %s", self.directory.version, error)
        return self.directory.version


def changes_of(store: Store, domain: str, since: int = 0) -> Changes:
    """What has changed in a store after version `since`."""
    version, rows = Extensions(store, domain).changes(since)
    records = Records(store, domain).changes(since)
    return Changes(version, [(row.number, account(row)) for row in rows], list(filter(None, map(row_of, records))))


def row_of(record: Record) -> Row | None:
    """A record of the store; None for one that this version of the code cannot read."""
    try:
        return KINDS[record.kind], record.key, record_of(record)
    except (KeyError, ConfigError) as error:
        log.warning("the record %s %s is left out: %s", record.kind, " ".join(record.key), error)
        return None


def account(row: Extension) -> Account | None:
    """The row as authentication wants it; None for one that was removed."""
    if row.deleted:
        return None
    return Account(row.name, bytes.fromhex(row.ha1_md5), bytes.fromhex(row.ha1_sha256), options_of(row.options))
