"""SIP messages (RFC 3261 §7): requests, responses, reading them from a datagram, and the response to a
request.

`parse` cuts the octets into rows and looks up the rows' names, nothing else; values are parsed when first
touched (`fields.py`).  Octets become `str` as UTF-8 with surrogateescape, which loses nothing.

`parse` raises BadMessage, and nothing but BadMessage, for any octets that are not a message, with as much of
the request as was understood when a response can be addressed.  `validate` adds the rules that need values
(§8.1.1, §8.2); it touches the typed headers that routing needs anyway, so no work is done twice.

Strict where leniency would let two readers see two different messages: one line ending (CRLF), one
Content-Length, one space between the parts of the start line.
"""

from __future__ import annotations

from rayswitch.sip.fields import (
    MANDATORY,
    HeaderRows,
    Message,
    contacts,
    header_row,
    header_rows,
    max_forwards,
    row_value,
)
from rayswitch.sip.grammar import BadMessage, is_token, number
from rayswitch.sip.headers import NAMES, WIRE
from rayswitch.sip.reasons import REASONS
from rayswitch.sip.uri import Uri

__all__ = ["REASONS", "BadMessage", "Message", "Request", "Response", "parse", "respond", "validate"]

VERSION = "SIP/2.0"
MAX_ROWS = 512
MAX_BODY = 2**31 - 1
# Copied into every response (§8.2.6.2); Timestamp into a 100 (§8.2.6.1), Record-Route where a dialog may
# start (§12.1.1).
ECHOED = frozenset(("via", "from", "to", "call-id", "cseq"))
ECHOED_TRYING = ECHOED | {"timestamp"}
ECHOED_DIALOG = ECHOED | {"record-route"}
# Headers of which a second row is an error (§7.3.1; RFC 4475 §3.3.8).
SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-type", "expires")


class Request(Message):
    """A request.  `uri` is the raw Request-URI and may be assigned; `ruri` is that text parsed."""

    __slots__ = ("_ruri", "method", "uri")

    def __init__(self, method: str, uri: str, names: list[str], rows: list[str], body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.names = names
        self.rows = rows
        self.body = body
        self._ruri: tuple[str, Uri] | None = None

    @classmethod
    def new(cls, method: str, uri: str, headers: HeaderRows = (), body: bytes = b"") -> Request:
        """A request of our own; names of `headers` are canonical.  ValueError if a value holds CR or LF."""
        names, rows = header_rows(headers)
        return cls(method, uri, names, rows, body)

    @property
    def ruri(self) -> Uri:
        """The parsed Request-URI.  BadMessage(400) when broken."""
        known = self._ruri
        if known is None or known[0] is not self.uri:
            known = self._ruri = (self.uri, Uri.parse(self.uri))
        return known[1]

    def start_line(self) -> str:
        return f"{self.method} {self.uri} {VERSION}"

    def copy(self) -> Request:
        """The same message in lists of its own."""
        return Request(self.method, self.uri, self.names.copy(), self.rows.copy(), self.body)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, names: list[str], rows: list[str], body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.names = names
        self.rows = rows
        self.body = body

    @classmethod
    def new(cls, status: int, reason: str | None = None, headers: HeaderRows = (), body: bytes = b"") -> Response:
        """A response of our own; `reason` None takes the default phrase."""
        names, rows = header_rows(headers)
        return cls(status, REASONS.get(status, "") if reason is None else reason, names, rows, body)

    def start_line(self) -> str:
        return f"{VERSION} {self.status} {self.reason}"

    def copy(self) -> Response:
        """The same message in lists of its own."""
        return Response(self.status, self.reason, self.names.copy(), self.rows.copy(), self.body)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


def parse(data: bytes) -> Request | Response:
    """One message from one datagram.  Octets beyond Content-Length are dropped (§18.3).  BadMessage
    otherwise."""
    try:
        return _parse(data)
    except BadMessage as error:
        error.request = salvage(data)
        raise


def _parse(data: bytes) -> Request | Response:
    if data[:1] == b"\r":
        data = data.lstrip(b"\r\n")  # §7.5: empty lines before the start line are ignored
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise BadMessage(400, "no empty line after the headers")
    rows = data[:end].decode("utf-8", "surrogateescape").split("\r\n")
    whole = "".join(rows)
    if "\n" in whole or "\r" in whole:
        raise BadMessage(400, "CR or LF alone")
    if len(rows) > MAX_ROWS:
        raise BadMessage(400, "too many header rows")
    start = rows.pop(0)
    try:
        names = _names(rows)
    except BadMessage:
        # A continuation line has no header name; so the rare folds cost the usual message nothing.
        rows = _refold(rows)
        names = _names(rows)
    return _message(start, names, rows, _body(data, end + 4, names, rows))


def _names(rows: list[str]) -> list[str]:
    names = []
    for row in rows:
        spelling, colon, _ = row.partition(":")
        if not colon:
            raise BadMessage(400, "header row without a colon")
        names.append(NAMES[spelling])
    return names


def _message(start: str, names: list[str], rows: list[str], body: bytes) -> Request | Response:
    if start[:4].upper() == "SIP/":
        return _response(start, names, rows, body)
    parts = start.split(" ")
    if len(parts) != 3 or not parts[1]:
        raise BadMessage(400, "bad request line")
    method, uri, version = parts
    if version != VERSION and version.upper() != VERSION:
        raise _bad_version(version)
    if not is_token(method):
        raise BadMessage(400, "bad method")
    return Request(method, uri, names, rows, body)


def _response(start: str, names: list[str], rows: list[str], body: bytes) -> Response:
    version, _, rest = start.partition(" ")
    if version.upper() != VERSION:
        raise _bad_version(version)
    code, _, reason = rest.partition(" ")
    status = number(code, 699, "status code")
    if len(code) != 3 or status < 100:
        raise BadMessage(400, "bad status code")
    return Response(status, reason, names, rows, body)


def _bad_version(version: str) -> BadMessage:
    if version[:4].upper() == "SIP/":
        return BadMessage(505, REASONS[505])
    return BadMessage(400, "bad start line")


def _body(data: bytes, begin: int, names: list[str], rows: list[str]) -> bytes:
    count = names.count("content-length")
    if not count:
        return data[begin:]  # §18.3: over UDP the body then reaches to the end of the datagram
    if count > 1:
        raise BadMessage(400, "more than one Content-Length")
    length = number(row_value(rows[names.index("content-length")]), MAX_BODY, "Content-Length")
    if length > len(data) - begin:
        raise BadMessage(400, "body shorter than Content-Length")
    return data[begin : begin + length]


def _refold(lines: list[str]) -> list[str]:
    """Header lines with each continuation line joined, fold included, to the row that it continues."""
    groups: list[list[str]] = []
    for line in lines:
        if line[:1] not in (" ", "\t"):
            groups.append([line])
        elif groups:
            groups[-1].append(line)
        else:
            raise BadMessage(400, "folded start line")
    return list(map("\r\n".join, groups))


def salvage(data: bytes) -> Request | None:
    """What can be understood of a broken request, for addressing a response; None when none can or may be
    sent."""
    text = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = text.split("\r\n")[:MAX_ROWS]
    while lines and lines[0][:1] in (" ", "\t"):
        del lines[0]
    method, _, rest = start.partition(" ")
    uri = rest.rpartition(" ")[0].strip(" ")
    if method[:4].upper() == "SIP/" or not is_token(method) or "\n" in uri or "\r" in uri:
        return None
    names = []
    rows = []
    for row in _refold(lines):
        name = _echoed_name(row)
        if name:
            names.append(name)
            rows.append(row)
    return _addressable(Request(method, uri, names, rows))


def _echoed_name(row: str) -> str | None:
    """The canonical name of a row that a response copies; None for others and for rows unfit to be copied."""
    spelling, colon, _ = row.partition(":")
    if not colon or row.count("\r") != row.count("\r\n") or row.count("\n") != row.count("\r\n"):
        return None
    try:
        name = NAMES[spelling]
    except BadMessage:
        return None
    return name if name in ECHOED_TRYING else None


def _addressable(request: Request) -> Request | None:
    return request if request.method != "ACK" and "via" in request.names else None


def validate(message: Request | Response) -> None:
    """Check what a message must have before anybody acts on it (§8.1.1, §8.2, §20); BadMessage when it lacks
    it."""
    try:
        _check(message)
    except BadMessage as error:
        error.request = _addressable(message) if isinstance(message, Request) else None
        raise


def _check(message: Request | Response) -> None:
    names = message.names
    if len(set(names)) != len(names):
        for name in SINGLE:
            if names.count(name) > 1:
                raise BadMessage(400, f"more than one {name} header")
    # Filled here in one go, for everybody who needs them next.
    for slot, name, make in MANDATORY:
        if name not in names:
            raise BadMessage(400, f"missing {WIRE[name]}")
        setattr(message, slot, make(row_value(message.rows[names.index(name)])))
    if isinstance(message, Request):
        if message.cseq.method != message.method:
            raise BadMessage(400, "CSeq method does not match")
        if message.ruri.headers:
            raise BadMessage(400, "headers in the Request-URI")
        message.max_forwards = max_forwards(message)
    if "contact" in names:
        message.contacts = contacts(message)


def respond(
    request: Request,
    status: int,
    reason: str | None = None,
    to_tag: str | None = None,
    headers: HeaderRows = (),
    body: bytes = b"",
) -> Response:
    """The response to `request` (§8.2.6.2): Via, From, To, Call-ID and CSeq are its raw rows; `to_tag` is put
    on a To that has none.  Record-Route is copied where the response may start a dialog (101-299 to
    INVITE)."""
    echoed = ECHOED
    if status == 100:
        echoed = ECHOED_TRYING
    elif status < 300 and request.method == "INVITE":
        echoed = ECHOED_DIALOG
    names = []
    rows = []
    for name, row in zip(request.names, request.rows, strict=True):
        if name in echoed:
            names.append(name)
            rows.append(row)
    if to_tag is not None and "to" in names and not _tagged(request):
        index = names.index("to")
        rows[index] = f"{rows[index].rstrip()};tag={to_tag}"
    for name, value in headers:
        names.append(name)
        rows.append(header_row(name, value))
    return Response(status, REASONS.get(status, "") if reason is None else reason, names, rows, body)


def _tagged(request: Request) -> bool:
    """Has the To a tag?  Also true when it cannot be parsed: nothing is put behind a broken value."""
    try:
        return request.to.tag is not None
    except BadMessage:
        return True
