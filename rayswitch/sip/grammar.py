"""The lexical rules that every SIP header shares (RFC 3261 §25.1) and the error that carries its own answer.

Text here is `str` decoded as UTF-8 with surrogateescape, so any octet survives a round trip.  All functions
work on one already unfolded value and cost linear time in its length; the usual text (no quotes, no escapes)
takes a short way through plain `str` methods.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rayswitch.sip.message import Request

ALPHANUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKEN = ALPHANUM + "-.!%*_+`'~"
PARAMETER_NAME = TOKEN + "[]/:&+$"  # token in headers, paramchar in URIs
HOSTNAME = ALPHANUM + "-._"
IPV6 = "0123456789abcdefABCDEF:."
LWS = " \t"
USUAL_PARAMETERS = frozenset(("branch", "tag", "rport", "received", "expires", "q", "lr", "transport"))

Parameters = dict[str, str | None]


class BadMessage(Exception):
    """A message that breaks the grammar or the rules of RFC 3261 §8.2.

    `status` and `reason` are the answer to send; `request` is what was understood of the request, set only
    when a response to it can be addressed (it has a Via and is no ACK); None means: drop it.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.request = request


def is_token(text: str) -> bool:
    """True for a token of RFC 3261 §25.1.  (Stripping the whole alphabet leaves nothing of a token.)"""
    return bool(text) and not text.strip(TOKEN)


def number(text: str, limit: int, what: str) -> int:
    """The decimal `text` as an int from 0 to `limit`; BadMessage(400) names `what` otherwise."""
    if not (text.isdecimal() and text.isascii()):
        raise BadMessage(400, f"{what} is not a number")
    if len(text) < 19 and (value := int(text)) <= limit:
        return value
    digits = text.lstrip("0")
    # Compared by length first: int() of thousands of digits costs quadratic time, and raises from 4,301 on.
    if len(digits) > 19 or int(digits or "0") > limit:
        raise BadMessage(400, f"{what} is too large")
    return int(digits or "0")


def end_of_quoted(text: str, start: int) -> int:
    """Index after the closing quote of the quoted-string that opens at `start`; BadMessage(400) if it never
    closes."""
    index = start + 1
    while True:
        close = text.find('"', index)
        if close < 0:
            raise BadMessage(400, "unterminated quoted string")
        escape = text.find("\\", index, close)
        if escape < 0:
            return close + 1
        index = escape + 2


def unquote(text: str) -> str:
    """The content of a quoted-string with its quoted-pairs resolved; any other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    pieces = []
    position = 0
    while (escape := inner.find("\\", position)) >= 0:
        pieces.append(inner[position:escape])
        pieces.append(inner[escape + 1 : escape + 2])
        position = escape + 2
    return "".join(pieces) + inner[position:]


def quote(text: str) -> str:
    """`text` as a quoted-string (RFC 3261 §25.1)."""
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def split(text: str, separator: str) -> list[str]:
    """`text` cut at `separator` outside of quoted strings and angle brackets, pieces stripped of white
    space.  BadMessage(400) when one of these is not closed, whether anything is cut or not: a parameter more must not
    make another text of it."""
    if separator not in text and '"' not in text and text.rfind("<") <= text.rfind(">"):
        return [text.strip(LWS)]
    if '"' not in text and "<" not in text:
        return [piece.strip(LWS) for piece in text.split(separator)]
    pieces = []
    begin = index = 0
    while index < len(text):
        character = text[index]
        if character == '"':
            index = end_of_quoted(text, index)
            continue
        if character == "<":
            # Inside <> neither quotes nor separators mean anything: a URI may contain commas and semicolons.
            index = text.find(">", index)
            if index < 0:
                raise BadMessage(400, "unclosed angle bracket")
        elif character == separator:
            pieces.append(text[begin:index].strip(LWS))
            begin = index + 1
        index += 1
    pieces.append(text[begin:].strip(LWS))
    return pieces


def parameters(text: str) -> Parameters:
    """`name=value;flag` (without the first semicolon) as a dict: names lower-cased, values as written.

    The first of two equal names wins.  BadMessage(400) for what cannot be a name.
    """
    result: Parameters = {}
    if " " in text or "\t" in text or '"' in text or "<" in text:
        pieces = [_unspaced(piece) for piece in split(text, ";")]
    else:
        pieces = text.split(";")
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if name not in USUAL_PARAMETERS:
            name = name.lower()
            if not name or name.strip(PARAMETER_NAME):
                raise BadMessage(400, "bad parameter name")
        if name not in result:
            result[name] = value if equals else None
    return result


def _unspaced(piece: str) -> str:
    """`name = value` without the white space around the sign (EQUAL, §25.1); a quoted value must be nothing
    else."""
    name, equals, value = piece.partition("=")
    if not equals:
        return piece
    value = value.lstrip(LWS)
    if '"' in value and (value[0] != '"' or end_of_quoted(value, 0) != len(value)):
        raise BadMessage(400, "quote inside a parameter value")
    return f"{name.rstrip(LWS)}={value}"


def parameters_text(params: Parameters) -> str:
    """The inverse of `parameters`, with a semicolon before each."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params.items()])


# Peers repeat themselves: the same few hosts are in the Via, From, To and Request-URI of every message.
@lru_cache(maxsize=4096)
def host_port(text: str, what: str) -> tuple[str, int | None]:
    """`host[:port]` as (host, port).  An IPv6 reference loses its brackets; three colons in a row, which the
    ABNF of RFC 3261 allowed by mistake (RFC 5118 §4.10), become two.  BadMessage(400) names `what`.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or host.count(":") < 2 or host.strip(IPV6) or (rest and rest[0] != ":"):
            raise BadMessage(400, f"{what}: bad IPv6 reference")
        return host.replace(":::", "::"), port_number(rest[1:], what) if rest else None
    host, colon, port = text.partition(":")
    # The usual characters first: two calls are cheaper than a look at each character.
    if not (host.replace(".", "").isalnum() and host.isascii()) and (not host or host.strip(HOSTNAME)):
        raise BadMessage(400, f"{what}: bad host")
    return host, port_number(port, what) if colon else None


def port_number(text: str, what: str) -> int:
    """A port from 0 to 65535."""
    return number(text, 65535, f"{what}: port")


def host_text(host: str, port: int | None) -> str:
    """The inverse of `host_port`."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"
