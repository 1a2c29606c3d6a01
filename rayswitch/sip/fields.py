"""The header rows of a message (RFC 3261 §7.3): raw text that is parsed when somebody looks.

A message keeps two parallel lists, the canonical names and the raw rows with their folding.  `encode` joins
the rows again, so what was not changed leaves byte for byte as it came; only a wrong or missing
Content-Length is put right.

The typed headers (`via`, `from_`, `cseq`, …) are slots that start empty: the first touch falls through to
`__getattr__`, which parses the row with the function in `TYPED` and fills the slot; later touches are plain
attribute reads.  Changing a header by name empties the slots that came from it (`DERIVED`).  Changing a typed
value does not change the row: write it back with `replace_top` or `set`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rayswitch.sip.grammar import LWS, BadMessage, number, split
from rayswitch.sip.headers import WIRE, CSeq, NameAddr, Via, expires_of

HeaderRows = Iterable[tuple[str, str]]


class Message:
    """What requests and responses share.  `names` and `rows` run in parallel and belong to this module's
    methods."""

    __slots__ = (
        "body",
        "call_id",
        "contact_star",
        "contacts",
        "content_type",
        "cseq",
        "expires",
        "from_",
        "max_forwards",
        "names",
        "record_routes",
        "routes",
        "rows",
        "to",
        "via",
        "vias",
    )

    names: list[str]
    rows: list[str]
    body: bytes
    call_id: str
    contact_star: bool
    contacts: list[NameAddr]
    content_type: str | None
    cseq: CSeq
    expires: int | None
    from_: NameAddr
    max_forwards: int | None
    record_routes: list[NameAddr]
    routes: list[NameAddr]
    to: NameAddr
    via: Via
    vias: list[Via]

    def __init__(self, names: list[str], rows: list[str], body: bytes) -> None:
        self.names = names
        self.rows = rows
        self.body = body

    def __getattr__(self, name: str) -> Any:
        typed = TYPED.get(name)
        if typed is None:
            raise AttributeError(name)
        value = typed(self)
        setattr(self, name, value)
        return value

    def start_line(self) -> str:
        """The first line, without its CRLF."""
        raise NotImplementedError

    def get(self, name: str) -> str | None:
        """The value of the first row of `name`, unfolded and stripped; None when there is none."""
        if name not in self.names:
            return None
        return row_value(self.rows[self.names.index(name)])

    def get_all(self, name: str) -> list[str]:
        """The values of all rows of `name`."""
        if self.names.count(name) == 1:
            return [row_value(self.rows[self.names.index(name)])]
        return [row_value(row) for known, row in zip(self.names, self.rows, strict=True) if known == name]

    def values(self, name: str) -> list[str]:
        """All values of `name`, rows cut at their top-level commas (§7.3.1)."""
        rows = self.get_all(name)
        if len(rows) == 1 and "," not in rows[0]:
            return rows
        return [value for row in rows for value in split(row, ",")]

    def has(self, name: str) -> bool:
        return name in self.names

    def add(self, name: str, value: str) -> None:
        """Append a row.  ValueError if `value` holds CR or LF."""
        self.rows.append(header_row(name, value))
        self.names.append(name)
        self._forget(name)

    def prepend(self, name: str, value: str) -> None:
        """Put a row before all others."""
        self.rows.insert(0, header_row(name, value))
        self.names.insert(0, name)
        self._forget(name)

    def set(self, name: str, value: str) -> None:
        """Make `value` the only row of `name`, where the first one was or at the end."""
        row = header_row(name, value)
        index = self.names.index(name) if name in self.names else len(self.names)
        self.remove(name)
        self.names.insert(index, name)
        self.rows.insert(index, row)

    def remove(self, name: str) -> None:
        """Drop all rows of `name`."""
        while name in self.names:
            index = self.names.index(name)
            del self.names[index], self.rows[index]
        self._forget(name)

    def replace_top(self, name: str, value: str | None) -> None:
        """Replace the topmost value of `name` (the others of the same row stay), or drop it when `value` is
        None. Nothing happens when there is none."""
        if name not in self.names:
            return
        index = self.names.index(name)
        rest = split(row_value(self.rows[index]), ",")[1:]
        if value is not None:
            rest.insert(0, value)
        if rest:
            self.rows[index] = header_row(name, ", ".join(rest))
        else:
            del self.names[index], self.rows[index]
        self._forget(name)

    def stamp(self, host: str, port: int) -> None:
        """Note the source address of a request in its topmost Via: `received` where it differs from sent-by
        or rport is asked for, and the rport that was asked for (§18.2.1, RFC 3581 §4)."""
        via = self.via
        params = via.params
        if "rport" in params:
            params["rport"] = str(port)
            params["received"] = host
        elif via.host != host or "received" in params:
            params["received"] = host
        else:
            return
        self.replace_top("via", str(via))
        self.via = via

    def encode(self) -> bytes:
        """The octets to send.  Rows as they are, except that Content-Length tells the length of `body`."""
        rows = self.rows
        body = self.body
        start = self.start_line()
        if "\n" in start or "\r" in start:
            raise ValueError("line break in a start line")
        if "content-length" in self.names:
            row = rows[self.names.index("content-length")]
            if row.rpartition(":")[2].strip(LWS) != str(len(body)):
                return self._with_length(start)
            text = "\r\n".join([start, *rows, "", ""])
        else:
            text = "\r\n".join([start, *rows, f"Content-Length: {len(body)}\r\n\r\n"])
        return text.encode("utf-8", "surrogateescape") + body

    def _with_length(self, start: str) -> bytes:
        length = f"Content-Length: {len(self.body)}"
        pairs = zip(self.names, self.rows, strict=True)
        rows = [length if name == "content-length" else row for name, row in pairs]
        return "\r\n".join([start, *rows, "", ""]).encode("utf-8", "surrogateescape") + self.body

    def _forget(self, name: str) -> None:
        for slot in DERIVED.get(name, ()):
            try:
                delattr(self, slot)
            except AttributeError:
                continue

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "backslashreplace")


def row_value(row: str) -> str:
    """The value of a raw row: what follows the colon, stripped, folds replaced by one space (§7.3.1)."""
    value = row.partition(":")[2].strip(LWS)
    if "\n" in value:
        value = " ".join([line.strip(LWS) for line in value.split("\r\n")]).strip(LWS)
    return value


def header_row(name: str, value: str) -> str:
    """The raw row for a canonical name.  ValueError if `value` could end the row."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"line break in a value of {name}")
    return f"{WIRE[name]}: {value}"


def header_rows(headers: HeaderRows) -> tuple[list[str], list[str]]:
    """(names, rows) for pairs of canonical name and value."""
    names = []
    rows = []
    for name, value in headers:
        names.append(name)
        rows.append(header_row(name, value))
    return names, rows


def top_via(text: str) -> Via:
    """The first of the Via values in one row."""
    return Via.parse(text if "," not in text else split(text, ",")[0])


def call_id(text: str) -> str:
    """A Call-ID as it is; BadMessage(400) if it is empty."""
    if not text:
        raise BadMessage(400, "empty Call-ID")
    return text


def _needed(name: str, make: Callable[[str], Any]) -> Callable[[Message], Any]:
    def typed(message: Message) -> Any:
        names = message.names
        if name not in names:
            raise BadMessage(400, f"missing {WIRE[name]}")
        return make(row_value(message.rows[names.index(name)]))

    return typed


def contacts(message: Message) -> list[NameAddr]:
    """The Contact values; none for `*`, which must stand alone (§10.2.2)."""
    values = message.values("contact")
    if "*" in values:
        if len(values) > 1:
            raise BadMessage(400, "Contact: * beside other values")
        return []
    return [NameAddr.parse(value) for value in values]


def _content_type(message: Message) -> str | None:
    value = message.get("content-type")
    return None if value is None else value.partition(";")[0].rstrip(LWS).lower()


def max_forwards(message: Message) -> int | None:
    """0 to 255 (§20.22)."""
    value = message.get("max-forwards")
    return None if value is None else number(value, 255, "Max-Forwards")


def _addresses(name: str) -> Callable[[Message], list[NameAddr]]:
    return lambda message: [NameAddr.parse(value) for value in message.values(name)]


# (slot, canonical name, value -> typed value) of the headers that no message may lack (§8.1.1).
MANDATORY: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("via", "via", top_via),
    ("from_", "from", NameAddr.parse),
    ("to", "to", NameAddr.parse),
    ("call_id", "call-id", call_id),
    ("cseq", "cseq", CSeq.parse),
)
TYPED: dict[str, Callable[[Message], Any]] = {slot: _needed(name, make) for slot, name, make in MANDATORY} | {
    "vias": lambda message: [Via.parse(value) for value in message.values("via")],
    "contacts": contacts,
    "contact_star": lambda message: message.values("contact") == ["*"],
    "max_forwards": max_forwards,
    "content_type": _content_type,
    "expires": lambda message: expires_of(message.get("expires")),
    "routes": _addresses("route"),
    "record_routes": _addresses("record-route"),
}
DERIVED: dict[str, tuple[str, ...]] = {
    "via": ("via", "vias"),
    "from": ("from_",),
    "to": ("to",),
    "call-id": ("call_id",),
    "cseq": ("cseq",),
    "contact": ("contacts", "contact_star"),
    "max-forwards": ("max_forwards",),
    "content-type": ("content_type",),
    "expires": ("expires",),
    "route": ("routes",),
    "record-route": ("record_routes",),
}
