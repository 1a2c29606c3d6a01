"""Writes are values: what is to be written, made wherever it is known and applied wherever the database is.

A `Write` names one of the statements below and carries its parameters as plain values (str, int, float,
bytes, None). The first `keys` parameters of a statement identify the row, so that of several writes to one
row of one table in a batch only the last needs to reach the database.

Writes of one process, applied again in their order, change nothing: so what may have reached the database can be
given to it once more. And a write that comes late does no harm to what another host has written meanwhile: a
binding of another is replaced by a newer one only, a call changed by its owner, of a record the first counts.
"""

import json
from typing import Any, NamedTuple

import msgpack

__all__ = [
    "CDR_COLUMNS",
    "STATEMENTS",
    "Write",
    "add_cdr",
    "drop_ban",
    "drop_binding",
    "drop_call",
    "drop_expired_bindings",
    "move_call",
    "packed",
    "put_ban",
    "put_binding",
    "put_call",
    "unpacked",
]


class Write(NamedTuple):
    """One change of one row: the name of its statement and the parameters of that."""

    statement: str
    params: tuple[Any, ...]


class Statement(NamedTuple):
    """SQL for a `Write`; its first `keys` parameters are the key of a row in `table`."""

    table: str
    keys: int
    sql: str


# Column of a CDR row and its value when the row does not have it.
_CDR: dict[str, Any] = {
    "call_id": "",
    "leg": "call",
    "caller": "",
    "display": "",
    "dialled": "",
    "reached": "",
    "start": 0.0,
    "ring": None,
    "answer": None,
    "end": None,
    "duration": 0.0,
    "release_side": "",
    "sip_status": 0,
    "q850": 0,
    "cause": "",
    "codec": "",
    "packets_rx": 0,
    "bytes_rx": 0,
    "lost_rx": 0,
    "jitter_rx": 0.0,
    "packets_tx": 0,
    "bytes_tx": 0,
    "lost_tx": 0,
    "jitter_tx": 0.0,
    "marks": (),
    "came_by": "",
    "went_by": "",
}
CDR_COLUMNS = tuple(_CDR)
MARKS = CDR_COLUMNS.index("marks")
"""Columns of a CDR row: times in unix seconds, `duration` in seconds, jitter in ms, `rx`: from the phone."""

_NAMES = ", ".join('"end"' if name == "end" else name for name in CDR_COLUMNS)
_MARKS = ", ".join("?" for _ in CDR_COLUMNS)

STATEMENTS: dict[str, Statement] = {
    "put_binding": Statement(
        "binding",
        1,
        "INSERT INTO binding (aor, snapshot, expires, home, written) VALUES (?, ?, ?, ?, ?) ON CONFLICT (aor) DO UPDATE"
        " SET snapshot = excluded.snapshot, expires = excluded.expires, home = excluded.home,"
        " written = excluded.written WHERE excluded.home = binding.home OR excluded.written >= binding.written",
    ),
    "drop_binding": Statement("binding", 1, "DELETE FROM binding WHERE aor = ? AND (home = ? OR written <= ?)"),
    "drop_expired_bindings": Statement("expired binding", 0, "DELETE FROM binding WHERE expires <= ?"),
    "put_call": Statement(
        "call",
        1,
        "INSERT INTO call (id, host, answered, snapshot) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET answered = excluded.answered, snapshot = excluded.snapshot WHERE call.host = excluded.host",
    ),
    "drop_call": Statement("call", 1, "DELETE FROM call WHERE id = ? AND host = ?"),
    "move_call": Statement(
        "call",
        1,
        "WITH moved (id, heir, host) AS (VALUES (?, ?, ?)) UPDATE call SET host = (SELECT heir FROM moved)"
        " WHERE id = (SELECT id FROM moved) AND host = (SELECT host FROM moved)",
    ),
    "put_ban": Statement(
        "ban",
        1,
        "INSERT INTO ban (address, until, reason, made) VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE"
        " SET until = excluded.until, reason = excluded.reason, made = excluded.made WHERE ban.until < excluded.until",
    ),
    "drop_ban": Statement("ban", 1, "DELETE FROM ban WHERE address = ?"),
    # The first row of a half call counts: a call may be closed again by whoever found its journal.
    "add_cdr": Statement(
        "cdr", 2, f"INSERT INTO cdr ({_NAMES}) VALUES ({_MARKS}) ON CONFLICT (call_id, leg) DO NOTHING"
    ),
}


def packed(value: Any) -> bytes:
    """A snapshot (plain values; text may hold surrogate escapes of undecodable bytes) as msgpack."""
    result: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return result


def unpacked(data: bytes) -> Any:
    """The inverse of `packed`."""
    return msgpack.unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)


def text(value: str) -> str:
    """What a database takes as text: bytes that were no UTF-8 on the wire become U+FFFD, NUL vanishes."""
    if value.isprintable():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")


def put_binding(aor: str, snapshot: Any, expires: float, home: str, now: float) -> Write:
    """All bindings of `aor` as its home has them `now`; the last ends at `expires` (both in unix seconds)."""
    return Write("put_binding", (text(aor), packed(snapshot), expires, home, now))


def drop_binding(aor: str, home: str, now: float) -> Write:
    """`aor` has no binding any more."""
    return Write("drop_binding", (text(aor), home, now))


def drop_expired_bindings(now: float) -> Write:
    """Forget what ran out before `now` (unix seconds), while nobody was there to forget it."""
    return Write("drop_expired_bindings", (now,))


def put_call(call: str, host: str, answered: bool, snapshot: Any) -> Write:
    """Journal entry of the call with id `call`, which lives on `host`."""
    return Write("put_call", (text(call), host, int(answered), packed(snapshot)))


def drop_call(call: str, host: str) -> Write:
    """The call of `host` is over and its rows are written."""
    return Write("drop_call", (text(call), host))


def move_call(call: str, host: str, heir: str) -> Write:
    """The call of `host` is that of `heir` from now on; what it writes of it counts since."""
    return Write("move_call", (text(call), heir, host))


def put_ban(address: str, until: float, reason: str, made: float) -> Write:
    """`address` is banned from `made` to `until` (unix seconds); a ban that lasts longer already stays as it is."""
    return Write("put_ban", (address, until, text(reason), made))


def drop_ban(address: str) -> Write:
    """`address` may come again."""
    return Write("drop_ban", (address,))


def add_cdr(row: dict[str, Any]) -> Write:
    """One row of `CDR_COLUMNS` (absent: default; `marks`: list of str). ValueError for another column."""
    if not row.keys() <= _CDR.keys():
        raise ValueError(f"no such CDR column: {', '.join(sorted(row.keys() - _CDR.keys()))}")
    values = [row.get(name, default) for name, default in _CDR.items()]
    values[MARKS] = json.dumps(values[MARKS]) if values[MARKS] else "[]"
    return Write("add_cdr", tuple([text(value) if value.__class__ is str else value for value in values]))
