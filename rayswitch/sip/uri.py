"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966), and any other absolute URI kept opaque.

`Uri.parse` gives the class that the scheme asks for.  All are `Uri`s, so a dial plan can look at `.user` and
`.host` without asking which one it got: of a tel URI `.user` is the number as written and `.host` is empty.

`host` is without the brackets of an IPv6 reference, ready for a socket; `str()` puts them back.  `user`,
parameter values and `headers` stay as written, with their escapes, so that `str(Uri.parse(text))` changes
nothing that matters; `.user_decoded` resolves them.  Parameter names are lower case.
"""

from __future__ import annotations

from rayswitch.sip.grammar import (
    BadMessage,
    Parameters,
    host_port,
    host_text,
    is_token,
    parameters,
    parameters_text,
)

# Parameters that must be absent in both or equal in both (RFC 3261 §19.1.4); others count only when both have
# them.
DECISIVE = ("transport", "user", "ttl", "method", "maddr")
VISUAL_SEPARATORS = str.maketrans("", "", "-.()")
FORBIDDEN = frozenset(' \t"<>')
HEX = "0123456789abcdefABCDEF"


class Uri:
    """A sip or sips URI.  `port` is None when not written; `headers` is the text after `?` (escaped)."""

    __slots__ = ("headers", "host", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        user: str | None,
        host: str,
        port: int | None = None,
        params: Parameters | None = None,
        headers: str = "",
        password: str | None = None,
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params: Parameters = {} if params is None else params
        self.headers = headers

    @staticmethod
    def parse(text: str) -> Uri:
        """The Uri, TelUri or OtherUri that `text` spells; BadMessage(400) if it spells none."""
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if scheme == "sip" or scheme == "sips":
            return _parse_sip(scheme, rest)
        if not colon or not FORBIDDEN.isdisjoint(rest):
            raise BadMessage(400, "bad URI")
        return _parse_tel(rest) if scheme == "tel" else _parse_other(scheme, rest)

    def __str__(self) -> str:
        userinfo = "" if self.user is None else f"{self.user}@"
        if self.password is not None:
            userinfo = f"{self.user}:{self.password}@"
        headers = f"?{self.headers}" if self.headers else ""
        tail = parameters_text(self.params) if self.params else ""
        return f"{self.scheme}:{userinfo}{host_text(self.host, self.port)}{tail}{headers}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def user_decoded(self) -> str:
        """The user part with its %-escapes resolved; "" when there is none."""
        return decode(self.user) if self.user else ""

    @property
    def transport(self) -> str | None:
        """The transport parameter in upper case ("TCP"), as in a Via; None when absent."""
        value = self.params.get("transport") if self.params else None
        return value.upper() if value else None

    def aor(self) -> str:
        """`user@host`, user decoded, host in lower case: the key of an address-of-record (§10.3)."""
        return f"{self.user_decoded}@{self.host.lower()}"

    def __eq__(self, other: object) -> bool:
        """Equality by RFC 3261 §19.1.4."""
        if not isinstance(other, Uri):
            return NotImplemented
        return (
            self._identity() == other._identity()
            and _same_parameters(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        password = None if self.password is None else decode(self.password)
        user = None if self.user is None else self.user_decoded
        return (self.scheme, user, password, self.host.lower(), self.port)


class TelUri(Uri):
    """A tel URI (RFC 3966): `user` is the number as written, `number` the same without visual separators."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"tel:{self.user}{parameters_text(self.params)}"

    @property
    def number(self) -> str:
        """Digits (with `+` if global) without `-`, `.`, `(` and `)`."""
        return (self.user or "").translate(VISUAL_SEPARATORS)

    @property
    def context(self) -> str | None:
        """The phone-context of a local number (RFC 3966 §5.1.5)."""
        return self.params.get("phone-context")

    def aor(self) -> str:
        """The bare number: a telephone number has no domain."""
        return self.number

    def __eq__(self, other: object) -> bool:
        """Equality by RFC 3966 §4: separators and case do not count, every parameter does."""
        if not isinstance(other, TelUri):
            return False if isinstance(other, Uri) else NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return ("tel", self.number.lower(), frozenset(map(_tel_parameter, self.params.items())))


class OtherUri(Uri):
    """A URI of a scheme that SIP does not route (http, isbn, …): `opaque` is all after the colon."""

    __slots__ = ("opaque",)

    def __init__(self, scheme: str, opaque: str) -> None:
        super().__init__(scheme, None, "")
        self.opaque = opaque

    def __str__(self) -> str:
        return f"{self.scheme}:{self.opaque}"

    def _identity(self) -> tuple[object, ...]:
        return (self.scheme, self.opaque)


def decode(text: str) -> str:
    """`text` with %-escapes resolved as UTF-8 octets; a % without two hex digits stays (RFC 3261 §25.1)."""
    if "%" not in text:
        return text
    head, *pieces = text.encode("utf-8", "surrogateescape").split(b"%")
    octets = bytearray(head)
    for piece in pieces:
        if len(piece) >= 2 and chr(piece[0]) in HEX and chr(piece[1]) in HEX:
            octets.append(int(piece[:2], 16))
            octets += piece[2:]
        else:
            octets += b"%" + piece
    return octets.decode("utf-8", "surrogateescape")


def _parse_sip(scheme: str, rest: str) -> Uri:
    user = password = None
    # An unescaped @ can only end the userinfo, which itself may contain ; ? and / (§25.1).
    userinfo, at, address = rest.partition("@")
    if at:
        user, colon, secret = userinfo.partition(":")
        if not user:
            raise BadMessage(400, "URI: empty user")
        password = secret if colon else None
        if (colon or not user.isalnum()) and not FORBIDDEN.isdisjoint(userinfo):
            raise BadMessage(400, "bad URI")
    else:
        address = rest
    address, _, headers = address.partition("?")
    address, semicolon, tail = address.partition(";")
    if (tail or headers) and not FORBIDDEN.isdisjoint(tail + headers):
        raise BadMessage(400, "bad URI")
    host, port = host_port(address, "URI")
    return Uri(scheme, user, host, port, _uri_parameters(tail) if semicolon else None, headers, password)


def _uri_parameters(tail: str) -> Parameters:
    """As `parameters`; names written with escapes (`%6C%72` is `lr`, RFC 4475 §3.1.1.3) are resolved."""
    params = parameters(tail)
    if "%" not in tail:
        return params
    decoded = ((decode(name).lower(), name, value) for name, value in params.items())
    return {plain if is_token(plain) else name: value for plain, name, value in decoded}


def _parse_tel(rest: str) -> TelUri:
    subscriber, semicolon, tail = rest.partition(";")
    digits = subscriber.translate(VISUAL_SEPARATORS)
    if digits[:1] == "+":
        digits = digits[1:]
    if not digits or digits.strip("0123456789abcdefABCDEF*#"):
        raise BadMessage(400, "tel URI: bad number")
    return TelUri("tel", subscriber, "", None, parameters(tail) if semicolon else None)


def _parse_other(scheme: str, rest: str) -> OtherUri:
    if not rest or not is_token(scheme) or not scheme[0].isalpha():
        raise BadMessage(400, "bad URI")
    return OtherUri(scheme, rest)


def _same_parameters(ours: Parameters, theirs: Parameters) -> bool:
    if not ours and not theirs:
        return True
    for name in {*ours, *theirs}:
        if name in ours and name in theirs:
            if decode(ours[name] or "").lower() != decode(theirs[name] or "").lower():
                return False
        elif name in DECISIVE:
            return False
    return True


def _header_set(headers: str) -> list[str]:
    if not headers:
        return []
    pairs = [piece.partition("=") for piece in headers.split("&")]
    return sorted(f"{decode(name).lower()}={decode(value)}" for name, _, value in pairs)


def _tel_parameter(item: tuple[str, str | None]) -> tuple[str, str]:
    name, value = item
    text = decode(value or "").lower()
    # A phone-context that is a global number prefix may hold visual separators too (RFC 3966 §4).
    numeric = name in ("ext", "phone-context") and text[:1] in "+0123456789"
    return name, text.translate(VISUAL_SEPARATORS) if numeric else text
