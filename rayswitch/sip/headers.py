"""Typed values of the headers that routing and dialogs look at: Via, CSeq and everything shaped like a
Contact.

`parse` raises BadMessage(400) for what breaks the grammar, except that the URI of a `NameAddr` is not looked
at before `uri` is touched: most are only passed on.  (The mechanism: a slot that is still empty raises
AttributeError inside the interpreter, which then asks `__getattr__`; a filled slot costs what any attribute
costs.)

The names of headers live here too: `NAMES` maps every spelling to the canonical long lower-case name, `WIRE`
maps that to the spelling we send.
"""

from __future__ import annotations

from typing import Any

from rayswitch.sip.grammar import (
    LWS,
    BadMessage,
    Parameters,
    end_of_quoted,
    host_port,
    host_text,
    is_token,
    number,
    parameters,
    parameters_text,
    quote,
    unquote,
)
from rayswitch.sip.uri import Uri

# Registered single-letter names (IANA sip-parameters, RFC 3261 §7.3.3 and the extensions that added one).
COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
# Spellings that title-casing the canonical name would miss.
SPELLINGS = (
    "Call-ID",
    "CSeq",
    "WWW-Authenticate",
    "MIME-Version",
    "RAck",
    "RSeq",
    "Min-SE",
    "SIP-ETag",
    "SIP-If-Match",
)
USUAL = (
    "Via",
    "From",
    "To",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Content-Type",
    "Content-Length",
    "Content-Disposition",
    "Expires",
    "Min-Expires",
    "Authorization",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Allow",
    "Allow-Events",
    "Supported",
    "Require",
    "Proxy-Require",
    "Unsupported",
    "User-Agent",
    "Server",
    "Session-Expires",
    "Subject",
    "Date",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Event",
    "Subscription-State",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Reason",
    "Privacy",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Diversion",
    "History-Info",
    "Path",
    "Service-Route",
    "Warning",
    "Retry-After",
    "Timestamp",
    "Organization",
)
METHODS = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH")
    + ("INFO", "REFER", "MESSAGE", "UPDATE")
)
TRANSPORTS = frozenset(("UDP", "TCP", "TLS", "WS", "WSS", "SCTP"))
DEFAULT_EXPIRES = 3600
MAX_EXPIRES = 2**32 - 1
MAX_CSEQ = 2**31 - 1


class _Names(dict[str, str]):
    """Spelling on the wire -> canonical name.  Unknown spellings are worked out each time, so that strangers
    cannot make the table grow.  BadMessage(400) for what cannot be a header name."""

    def __missing__(self, spelling: str) -> str:
        name = spelling.rstrip(LWS).lower()
        if not is_token(name):
            raise BadMessage(400, "bad header name")
        return COMPACT.get(name, name)


class _Wire(dict[str, str]):
    """Canonical name -> our spelling, title-cased when nothing better is known."""

    def __missing__(self, name: str) -> str:
        return name.title()


WIRE = _Wire((spelling.lower(), spelling) for spelling in (*SPELLINGS, *USUAL))
NAMES = _Names()
for _canonical, _usual in WIRE.items():
    NAMES |= dict.fromkeys((_usual, _canonical, _usual.title()), _canonical)
for _letter, _canonical in COMPACT.items():
    NAMES |= dict.fromkeys((_letter, _letter.upper()), _canonical)


class CSeq:
    """A CSeq value (§20.16)."""

    __slots__ = ("method", "number")

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """BadMessage(400) unless `number LWS method`, the number below 2**31 (§8.1.1.5)."""
        digits, _, method = text.partition(" ")
        if method not in METHODS:
            # Any other white space than one space comes here too.
            digits, _, method = text.replace("\t", " ").partition(" ")
            method = method.strip(" ")
            if not is_token(method):
                raise BadMessage(400, "CSeq: bad method")
        return cls(number(digits, MAX_CSEQ, "CSeq"), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"

    def __repr__(self) -> str:
        return f"CSeq({str(self)!r})"


class Via:
    """One Via value (§20.42).  `transport` is upper case; `host` has no IPv6 brackets; `port` None when not
    written."""

    __slots__ = ("host", "params", "port", "transport")

    def __init__(self, transport: str, host: str, port: int | None = None, params: Parameters | None = None) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.params: Parameters = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Via:
        """BadMessage(400) when anything in it is broken."""
        front, semicolon, tail = text.partition(";")
        protocol, _, sent_by = front.partition(" ")
        transport = protocol[8:]
        if protocol[:8] != "SIP/2.0/" or transport not in TRANSPORTS:
            transport, sent_by = _sent_protocol(front)
        if " " in sent_by:
            sent_by = _squeeze(sent_by)
        host, port = host_port(sent_by, "Via")
        return cls(transport, host, port, parameters(tail) if semicolon else None)

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address in `received`, without brackets (RFC 5118 §4.5: both forms are met)."""
        value = self.params.get("received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | None:
        """The port in `rport` (RFC 3581); None when absent or asked for (`;rport` without a value)."""
        value = self.params.get("rport")
        return number(value, 65535, "Via: rport") if value else None

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {host_text(self.host, self.port)}{parameters_text(self.params)}"

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"


class NameAddr:
    """`"Display" <uri>;params` or the bare form `uri;params` (§20.10): From, To, Contact, Route, Refer-To, …

    `display` is unquoted; `uri_text` is the URI as written; `uri` is parsed when first touched.
    """

    __slots__ = ("display", "params", "uri", "uri_text")

    uri: Uri

    def __init__(self, display: str, uri: Uri | str, params: Parameters | None = None) -> None:
        self.display = display
        self.params: Parameters = {} if params is None else params
        if isinstance(uri, str):
            self.uri_text = uri
        else:
            self.uri_text = str(uri)
            self.uri = uri

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """BadMessage(400) for unbalanced quotes or brackets, a display name that would need quotes, or an
        unbracketed URI that holds a comma or question mark (§20.10)."""
        display, left, rest = text.partition("<")
        if display:
            if not left:
                return cls._bare(text)
            display = display.rstrip(LWS)
            if display[:1] == '"' == display[-1] and display.count('"') == 2 and "\\" not in display:
                display = display[1:-1]
            elif '"' in text:
                display, left, rest = _after_quotes(text)
                if not left:
                    return cls._bare(text)
            elif not all(map(is_token, display.split())):
                raise BadMessage(400, "display name needs quotes")
        uri, right, tail = rest.partition(">")
        if not right or " " in uri or "\t" in uri:
            raise BadMessage(400, "bad address in angle brackets")
        if not tail:
            return cls(display, uri)
        tail = tail.lstrip(LWS)
        if tail[:1] != ";":
            raise BadMessage(400, "text after address")
        return cls(display, uri, parameters(tail[1:]))

    @classmethod
    def _bare(cls, text: str) -> NameAddr:
        uri, semicolon, tail = text.partition(";")
        uri = uri.rstrip(LWS)
        if not uri or not set('?,>" \t').isdisjoint(uri):
            raise BadMessage(400, "address needs angle brackets")
        return cls("", uri, parameters(tail) if semicolon else None)

    def __getattr__(self, name: str) -> Any:
        if name != "uri":
            raise AttributeError(name)
        uri = self.uri = Uri.parse(self.uri_text)
        return uri

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    @property
    def expires(self) -> int | None:
        """Seconds of the expires parameter; None when absent; a malformed value counts as 3600
        (§10.2.1.1)."""
        return expires_of(self.params.get("expires"))

    @property
    def q(self) -> float:
        """Preference from 0 to 1 (§20.10); 1 when absent or malformed."""
        value = self.params.get("q")
        digits = (value or "1").replace(".", "", 1)
        if not (digits.isdecimal() and digits.isascii() and len(digits) <= 16):
            return 1.0
        return min(float(value or 1), 1.0)

    def __str__(self) -> str:
        if not self.display:
            shown = ""
        elif all(map(is_token, self.display.split())):
            shown = f"{self.display} "
        else:
            shown = f"{quote(self.display)} "
        return f"{shown}<{self.uri_text}>{parameters_text(self.params)}"

    def __repr__(self) -> str:
        return f"NameAddr({str(self)!r})"


def expires_of(text: str | None) -> int | None:
    """A delta-seconds as int: None for None, 3600 for malformed text, capped at 2**32-1 (§20.19)."""
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii()):
        return DEFAULT_EXPIRES
    digits = text.lstrip("0") or "0"
    return MAX_EXPIRES if len(digits) > 10 else min(int(digits), MAX_EXPIRES)


def _after_quotes(text: str) -> tuple[str, str, str]:
    """(display, "<" or "", rest) of an address that holds a quote somewhere, most often before its display
    name."""
    if text[0] != '"':
        display, left, rest = text.partition("<")
        if '"' in display:
            if left and '"' not in display.partition(";")[0]:
                return "", "", ""  # a bare URI; the quote and the bracket are in a parameter
            raise BadMessage(400, "quote inside a display name")
        if not all(map(is_token, display.split())):
            raise BadMessage(400, "display name needs quotes")
        return display.rstrip(LWS), left, rest
    end = end_of_quoted(text, 0)
    rest = text[end:].lstrip(LWS)
    if rest[:1] != "<":
        raise BadMessage(400, "no address after the quoted display name")
    return unquote(text[:end]), "<", rest[1:]


def _sent_protocol(front: str) -> tuple[str, str]:
    """(transport, sent-by) of a Via with white space around its slashes, another case or an unusual
    transport."""
    pieces = front.replace("\t", " ").split("/", 2)
    if len(pieces) != 3:
        raise BadMessage(400, "Via: bad sent-protocol")
    transport, _, sent_by = pieces[2].strip(" ").partition(" ")
    if pieces[0].strip(" ").upper() != "SIP" or pieces[1].strip(" ") != "2.0" or not is_token(transport):
        raise BadMessage(400, "Via: bad sent-protocol")
    return transport.upper(), sent_by


def _squeeze(sent_by: str) -> str:
    """`host : port` without the white space that COLON allows; any other space is kept, and fails."""
    host, colon, port = sent_by.strip(" ").rpartition(":")
    return f"{host.rstrip(' ')}:{port.lstrip(' ')}" if colon else port
