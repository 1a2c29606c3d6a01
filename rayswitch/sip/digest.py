"""Digest authentication, both sides (RFC 3261 §22, RFC 7616, RFC 8760): MD5 and SHA-256 with qop=auth.

Everything works on HA1, the hash of `user:realm:password`; no password is kept.  The functions are pure: the
client's cnonce is handed in, the server's nonces come from `Nonces` (`nonces.py`), which this module
re-exports.

A server offers `challenges`, SHA-256 first because a client takes the first it understands (RFC 8760 §2.4),
and checks what comes back with `verify`.  A client gives the challenges to `answer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from hmac import compare_digest

from rayswitch.sip.grammar import LWS, BadMessage, quote, split, unquote
from rayswitch.sip.nonces import Nonces, owner_of_nonce

__all__ = [
    "ALGORITHMS",
    "Credentials",
    "Nonces",
    "answer",
    "challenge",
    "challenges",
    "ha1",
    "owner_of_nonce",
    "parse_credentials",
    "response",
    "verify",
]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


USUAL_FIELDS = frozenset(
    ("username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "nc", "qop", "opaque", "stale", "domain")
)
# In the order of a server's offer.
ALGORITHMS: dict[str, Callable[[str], str]] = {"SHA-256": _sha256, "MD5": _md5}


class Credentials:
    """The value of an Authorization or Proxy-Authorization header with scheme Digest.

    `nc` is the nonce count as a number, `nc_text` as it was written (it goes into the hash); `algorithm` is
    "MD5" when not written (RFC 7616 §3.4); `qop` and `cnonce` are None when absent.
    """

    __slots__ = (
        "algorithm",
        "cnonce",
        "nc",
        "nc_text",
        "nonce",
        "opaque",
        "qop",
        "realm",
        "response",
        "uri",
        "username",
    )

    def __init__(self, fields: Mapping[str, str]) -> None:
        try:
            self.username = fields["username"]
            self.realm = fields["realm"]
            self.nonce = fields["nonce"]
            self.uri = fields["uri"]
            self.response = fields["response"]
        except KeyError as missing:
            raise BadMessage(400, f"credentials without {missing.args[0]}") from None
        self.algorithm = fields.get("algorithm", "MD5").upper()
        self.cnonce = fields.get("cnonce")
        self.qop = fields.get("qop")
        self.opaque = fields.get("opaque")
        self.nc_text = fields.get("nc", "")
        self.nc = _nonce_count(self.nc_text) if self.nc_text else 0

    def __repr__(self) -> str:
        return f"<Credentials {self.username!r} realm {self.realm!r}>"


def ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(user:realm:password) in hex.  KeyError for an algorithm not in ALGORITHMS."""
    return ALGORITHMS[algorithm](f"{user}:{realm}:{password}")


def response(
    ha1: str,
    nonce: str,
    nc: str,
    cnonce: str,
    qop: str | None,
    method: str,
    uri: str,
    algorithm: str = "MD5",
) -> str:
    """The request-digest in hex (RFC 7616 §3.4.1); `nc` are the 8 hex digits; `qop` None: the older form of
    RFC 2069, for servers that offer no qop (RFC 3261 §22.4)."""
    digest = ALGORITHMS[algorithm]
    ha2 = digest(f"{method}:{uri}")
    if qop is None:
        return digest(f"{ha1}:{nonce}:{ha2}")
    return digest(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")


def parse_credentials(header: str) -> Credentials | None:
    """The credentials of an Authorization value; None for a scheme other than Digest; BadMessage(400) when
    broken."""
    scheme, _, text = header.partition(" ")
    return Credentials(_fields(text)) if scheme.lower() == "digest" else None


def verify(credentials: Credentials, ha1: str, method: str) -> bool:
    """Do the credentials prove `ha1` (hex, of their algorithm) for `method`?  Constant time in the response.
    Only qop=auth counts: without it nothing stops a replay."""
    if credentials.qop != "auth" or not credentials.cnonce or credentials.algorithm not in ALGORITHMS:
        return False
    expected = response(
        ha1,
        credentials.nonce,
        credentials.nc_text,
        credentials.cnonce,
        "auth",
        method,
        credentials.uri,
        credentials.algorithm,
    )
    return compare_digest(expected.encode(), credentials.response.lower().encode("utf-8", "surrogateescape"))


def challenge(realm: str, nonce: str, algorithm: str, stale: bool = False) -> str:
    """One WWW-Authenticate or Proxy-Authenticate value."""
    again = ", stale=true" if stale else ""
    return f'Digest realm={quote(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{again}'


def challenges(realm: str, nonce: str, stale: bool = False) -> list[str]:
    """One value for each algorithm, the best first: a header row each (RFC 8760 §2.4)."""
    return [challenge(realm, nonce, algorithm, stale) for algorithm in ALGORITHMS]


def answer(
    challenges: Sequence[str],
    user: str,
    secret: str | Mapping[str, str],
    method: str,
    uri: str,
    cnonce: str,
    nc: int = 1,
) -> str | None:
    """The Authorization value that answers the first of `challenges` we can; None when there is none.

    `secret` is the password, or HA1 in hex by algorithm name.  `nc` counts the uses of this nonce from 1.
    """
    for text in challenges:
        scheme, _, rest = text.partition(" ")
        fields = _fields(rest) if scheme.lower() == "digest" else {}
        algorithm = fields.get("algorithm", "MD5").upper()
        if fields and algorithm in ALGORITHMS and _offers_auth(fields.get("qop")):
            if isinstance(secret, str):
                hashed = ha1(user, fields.get("realm", ""), secret, algorithm)
            elif algorithm in secret:
                hashed = secret[algorithm]
            else:
                continue
            return _authorization(fields, algorithm, user, hashed, method, uri, cnonce, nc)
    return None


def _offers_auth(qop: str | None) -> bool:
    return qop is None or "auth" in [offer.strip(LWS) for offer in qop.split(",")]


def _authorization(
    fields: Mapping[str, str],
    algorithm: str,
    user: str,
    ha1: str,
    method: str,
    uri: str,
    cnonce: str,
    nc: int,
) -> str:
    qop = "auth" if "qop" in fields else None
    nonce = fields.get("nonce", "")
    count = f"{nc:08x}"
    proof = response(ha1, nonce, count, cnonce, qop, method, uri, algorithm)
    text = (
        f"Digest username={quote(user)}, realm={quote(fields.get('realm', ''))}, nonce={quote(nonce)}, "
        f'uri={quote(uri)}, response="{proof}", algorithm={algorithm}'
    )
    if "opaque" in fields:
        text += f", opaque={quote(fields['opaque'])}"
    return text if qop is None else f'{text}, qop=auth, nc={count}, cnonce="{cnonce}"'


def _fields(text: str) -> dict[str, str]:
    """`name=value, name="value"` as a dict of unquoted values, names lower-cased."""
    fields: dict[str, str] = {}
    for piece in text.split(","):
        name, _, value = piece.strip(LWS).partition("=")
        if value[:1] == '"':
            # A comma or an escape inside the quotes: start again, carefully.
            if value.find('"', 1) != len(value) - 1 or "\\" in value:
                return _careful_fields(text)
            field = value[1:-1]
        elif value[:1] in ("", " ", "\t"):
            return _careful_fields(text)
        else:
            field = value
        if name not in USUAL_FIELDS or name in fields:
            return _careful_fields(text)
        fields[name] = field
    return fields


def _careful_fields(text: str) -> dict[str, str]:
    """The same for any spelling; the first of two equal names wins."""
    fields: dict[str, str] = {}
    for piece in split(text, ","):
        name, equals, value = piece.partition("=")
        name = name.strip(LWS).lower()
        if not equals or not name:
            raise BadMessage(400, "bad authentication parameter")
        fields.setdefault(name, unquote(value.strip(LWS)))
    return fields


def _nonce_count(text: str) -> int:
    if len(text) != 8 or text.strip("0123456789abcdefABCDEF"):
        raise BadMessage(400, "nc is not 8 hex digits")
    return int(text, 16)
