"""Lines and trunks (FEATURES §4): accounts that are registered at carriers, and peers that are known by address.

An outgoing group names them as `line/NAME` and `trunk/NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rayswitch.config.kinds import DOMAIN, SOURCE, Kind, choice, seconds, whole
from rayswitch.config.settings import setting, settings
from rayswitch.records.extension import LIMIT
from rayswitch.records.numbering import NAME, NOTE, NUMBER
from rayswitch.sip.grammar import BadMessage
from rayswitch.sip.uri import Uri

__all__ = ["Line", "Trunk"]

LONGEST = 128
DAY = 86400
TRANSPORTS = (None, "UDP", "TCP", "TLS")
PARAMETER_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()[]/:&+$%=;")


def read_server(text: str) -> str:
    """As a SIP URI without a user; what has no scheme gets one."""
    if not text or len(text) > LONGEST:
        raise ValueError
    try:
        uri = Uri.parse(text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")
    except BadMessage as error:
        raise ValueError(error.reason) from None
    if uri.user or uri.headers or not uri.host:
        raise ValueError("a server has no user and no headers")
    if uri.transport not in TRANSPORTS:
        raise ValueError("its transport is none of udp, tcp, tls")
    return str(uri)


def read_user(text: str) -> str:
    if not text or len(text) > LONGEST or not text.isprintable() or not set('<>"@ ').isdisjoint(text):
        raise ValueError
    return text


def read_secret(text: str) -> str:
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError
    return text


def read_parameters(text: str) -> str:
    if not PARAMETER_SIGNS.issuperset(text) or text.startswith(";") or len(text) > LONGEST:
        raise ValueError
    return text


def read_certificate(text: str) -> str:
    """Without wildcards, which SIP does not know (RFC 5922 §7.2)."""
    name = DOMAIN.read(text)
    if ":" in name or name.replace(".", "").isdigit():
        raise ValueError("a certificate is known by a name, not by an address")
    return name


def address_and_port(text: str) -> tuple[str, int]:
    """An entry of `addresses`: the address or network, and the port; 0 without one."""
    host, bracket, rest = text.partition("]")
    if bracket:
        return host[1:], int(rest[1:])
    host, colon, rest = text.partition(":")
    return (host, int(rest)) if colon and ":" not in rest else (text, 0)


def optional(kind: Kind[str]) -> Kind[str]:
    """The same, or nothing."""
    return Kind(f"{kind.expected}, or nothing", lambda text: text and kind.read(text))


SERVER = Kind("a server such as sip.example.com, 192.0.2.5:5080 or sip:192.0.2.5;transport=tcp", read_server)
USER = Kind(f"a user name of 1 to {LONGEST} printable characters", read_user)
SECRET = Kind(f"a password of at most {LONGEST} printable characters", read_secret, mask=lambda text: "another")
PARAMETERS = Kind("URI parameters such as isub=7;phone-context=example.com, or nothing", read_parameters)
CERTIFICATE = Kind("a name in a certificate, such as sip.example.com", read_certificate)


@dataclass(frozen=True, slots=True)
class Outside:
    """What lines and trunks have in common."""

    user: str = setting(optional(USER), "", "User that answers the challenges of the other side.")
    secret: str = setting(SECRET, "", "Its password, kept as it is: the other side wants it proved, not hashed.")
    domain: str = setting(
        optional(DOMAIN), "", "In From and To, where the other side wants a name of its own; empty: its server."
    )
    target: str = setting(
        optional(NUMBER), "", "The number that incoming calls go to; empty: the one that the other side names."
    )
    caller: str = setting(
        choice("caller", "account", "anonymous"),
        "caller",
        "Who calls, in From: the caller's own number, that of the account, or nobody.",
    )
    unified_caller: str = setting(optional(NUMBER), "", "One caller number for all calls.")
    assert_identity: str = setting(
        choice("no", "asserted", "preferred"),
        "no",
        "Name the caller in P-Asserted-Identity, or in P-Preferred-Identity (RFC 3325).",
    )
    number_format: str = setting(
        choice("sip", "user=phone", "tel"),
        "sip",
        "How numbers are written: as SIP URIs, with user=phone, or as tel URIs.",
    )
    uri_parameters: str = setting(PARAMETERS, "", "Parameters for every Request-URI.")
    no_answer: float = setting(seconds(0, 3600), 0.0, "Seconds of ringing, then 408; 0: `call.no_answer`.")
    max_incoming: int | None = setting(LIMIT, None, "Calls in at once; 0: none, answered 503.")
    max_outgoing: int | None = setting(LIMIT, None, "Calls out at once; 0: none.")
    media: str = setting(
        choice("relay", "bypass"), "relay", "`bypass`: media goes past the switch when both sides say so."
    )
    addresses: tuple[str, ...] = settings(
        SOURCE,
        (),
        "Where its calls may come from, besides its server and the servers that its name leads to; with a port: over"
        " UDP from that one only.",
    )
    certificate: str = setting(
        optional(CERTIFICATE),
        "",
        "Name in the certificate that its TLS connections show (`sip.tls.clients`): calls over them are its own,"
        " wherever they come from. Its servers do not count then, `addresses` do.",
    )
    note: str = setting(NOTE, "", "For people.")


@dataclass(frozen=True, slots=True)
class Line(Outside):
    """An account that is registered at a carrier."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)
    name: str = setting(NAME, "", "Its name.")
    number: str = setting(optional(USER), "", "The number or name of the account; empty: `user`.")
    registrar: str = setting(optional(SERVER), "", "Where it is registered.")
    proxy: str = setting(optional(SERVER), "", "Outbound proxy: everything is sent there.")
    expires: int = setting(whole(30, DAY), 3600, "Seconds of registration that are asked for.")
    register_same_dialog: str = setting(
        choice("auto", "true", "false"),
        "auto",
        "One Call-ID for all REGISTERs (RFC 3261 §10.2.4) or a new one for each; `auto`: a new one for each once the"
        " registrar answers `P-Registrar-Error: Invalid CSeq number`.",
    )


@dataclass(frozen=True, slots=True)
class Trunk(Outside):
    """A peer that is known by its address, its certificate, or a password."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)
    name: str = setting(NAME, "", "Its name.")
    server: str = setting(optional(SERVER), "", "Where calls go.")
    options: float = setting(
        seconds(0, DAY), 30.0, "Seconds between OPTIONS that see whether it is there: down after three misses; 0: none."
    )
    incoming_user: str = setting(
        optional(USER),
        "",
        "User that it proves to be when it calls (407), wherever from; no extension has that name. Its servers do not"
        " count then, `addresses` do.",
    )
    incoming_secret: str = setting(SECRET, "", "The password of `incoming_user`.")


def shown(record: Any) -> str:
    """As a member of groups: line/NAME or trunk/NAME."""
    return f"{'line' if isinstance(record, Line) else 'trunk'}/{record.name}"
