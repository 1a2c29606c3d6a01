"""Content in the store: read, and changed to what a plan states, all of it or nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from rayswitch.records.content import KINDS, Change, Key, difference, from_plain, plain
from rayswitch.records.extension import Extension, ExtensionOptions
from rayswitch.records.reading import Plan
from rayswitch.sip.digest import ha1
from rayswitch.store import Extension as Row
from rayswitch.store import Extensions, Record, Records, Store

__all__ = ["apply", "content_of", "options_of", "record_of"]

EXTENSIONS = "extensions"
OPTIONS = frozenset(item.name for item in fields(ExtensionOptions))
PLAIN = ExtensionOptions()
"""The options of most extensions."""


def content_of(store: Store, domain: str) -> dict[str, dict[Key, Any]]:
    """All that is kept; extensions with their hashes."""
    content: dict[str, dict[Key, Any]] = {kind: {} for kind in KINDS}
    for row in Extensions(store, domain).all():
        content[EXTENSIONS][(row.number,)] = extension_of(row)
    for record in Records(store, domain).changes():
        if record.kind in content:
            content[record.kind][record.key] = record_of(record)
    return content


def apply(store: Store, domain: str, plan: Plan, dry: bool = False) -> list[Change]:
    """Make the content what `plan` states; what had to change for that. `dry`: only look.

    Raises ConfigError for a plan that contradicts itself or what is kept; nothing has changed then.
    """
    changes = compared(store, domain, plan)
    if dry or not changes:
        return changes
    with store.transaction():
        records = Records(store, domain)
        records.lock()
        changes = compared(store, domain, plan)  # somebody else may have been faster
        put = [row_of(change.new, domain) for change in changes if change.kind == EXTENSIONS and change.new]
        removed = [change.key[0] for change in changes if change.kind == EXTENSIONS and not change.new]
        records.alter(put, removed, map(kept, (change for change in changes if change.kind != EXTENSIONS)))
    return changes


def compared(store: Store, domain: str, plan: Plan) -> list[Change]:
    """The difference between what is kept and what is stated."""
    held = content_of(store, domain)
    wanted = plan.merged(held)
    hashed = {
        key: settled(plan, record, held[EXTENSIONS].get(key), domain) for key, record in wanted[EXTENSIONS].items()
    }
    return difference(held, {**wanted, EXTENSIONS: hashed})


def settled(plan: Plan, wanted: Extension, held: Extension | None, domain: str) -> Extension:
    """With hashes in the place of its password, or with those that are kept."""
    if wanted.password:
        hashes = " ".join(ha1(wanted.number, domain, wanted.password, name) for name in ("MD5", "SHA-256"))
        return replace(wanted, password="", ha1=hashes)
    if wanted.ha1:
        return wanted
    if held is None:
        problem = "expected a password (or ha1) for an extension that is new, got nothing"
        raise plan.complaint(EXTENSIONS, (wanted.number,), "password", problem)
    return replace(wanted, ha1=held.ha1)


def options_of(values: dict[str, Any]) -> ExtensionOptions:
    """The options that a row of the store holds."""
    found: ExtensionOptions = from_plain(ExtensionOptions, values) if values else PLAIN
    return found


def record_of(record: Record) -> Any:
    """A record of a known kind; None for one that was removed."""
    return None if record.deleted else from_plain(KINDS[record.kind], record.values)


def extension_of(row: Row) -> Extension:
    """A row of the store as a record."""
    options = options_of(row.options)
    said: dict[str, Any] = {name: getattr(options, name) for name in OPTIONS} if row.options else {}
    return Extension(number=row.number, name=row.name, ha1=f"{row.ha1_md5} {row.ha1_sha256}", **said)


def row_of(record: Extension, domain: str) -> Row:
    """A record as a row of the store."""
    md5, sha256 = record.ha1.split()
    options = {name: value for name, value in plain(record).items() if name in OPTIONS}
    return Row(record.number, domain, record.name, md5, sha256, options)


def kept(change: Change) -> Record:
    """A change as the store takes it."""
    removed = change.new is None
    return Record(change.kind, change.key, {} if removed else plain(change.new), deleted=removed)
