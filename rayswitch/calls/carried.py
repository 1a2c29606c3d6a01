"""What of one side's message means the same on the other side, and shows nothing of the sender's network."""

from __future__ import annotations

from urllib.parse import quote

from rayswitch.sdp.session import BadSession, Session, parse
from rayswitch.sip.message import Message, Request
from rayswitch.sip.uri import TelUri, Uri

PASSED = frozenset({"subject", "priority", "alert-info", "user-to-user", "accept-language", "answer-mode", "reason"})
SDP_CONTENT = (("content-type", "application/sdp"),)
ALLOWED_IN_DIALOG = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, PRACK, REFER"
SUPPORTED_WITH_OFFER = (("supported", "100rel, timer, replaces"),)
SUPPORTED_WITHOUT = (("supported", "timer, replaces"),)
"""Extensions that a device may use with us (RFC 3261 §20.37), by whether our INVITE holds an offer."""
ABILITIES = (("allow", ALLOWED_IN_DIALOG), *SUPPORTED_WITH_OFFER)
"""What a 2xx to an INVITE says of us (§13.3.1.4): phones look there whether their call can be transferred."""


def session_of(message: Message) -> Session | None:
    """The SDP in a message, None without one; raises BadSession."""
    if not message.body or message.content_type != "application/sdp":
        return None
    return parse(message.body)


def readable_session(message: Message) -> Session | None:
    """The SDP in a response; a broken one counts as none, there is nobody to complain to."""
    try:
        return session_of(message)
    except BadSession:
        return None


def has_option(message: Message, header: str, option: str) -> bool:
    """Is this option tag in that header (RFC 3261 §19.2)?"""
    return header in message.names and option in [value.lower() for value in message.values(header)]


def passed_on(message: Message) -> list[tuple[str, str]]:
    """The headers of the table `PASSED` that a message has."""
    names = message.names
    if PASSED.isdisjoint(names):
        return []
    return [(name, value) for name in PASSED.intersection(names) for value in message.get_all(name)]


def number_in(uri: Uri, *ours: str) -> str:
    """The number that a URI names, a whole address (user@host) when its host is none of `ours`; "" without one."""
    if isinstance(uri, TelUri):
        return uri.number
    number, host = str(uri.user_decoded or ""), uri.host.strip("[]").lower()
    return number if host in ours or not number else f"{number}@{host}"


def dialled(request: Request) -> str:
    """The dialled number: the user part of the Request-URI, or the number of a tel: URI without its dots and dashes."""
    uri = request.ruri
    return str(getattr(uri, "number", None) or getattr(uri, "user_decoded", "") or "")


def user_part(number: str) -> str:
    """A number as the user part of a URI: what may not stand there is escaped (RFC 3261 §25.1)."""
    if number.isalnum() and number.isascii():
        return number
    return quote(number, safe="-_.!~*'()&=+$,;?/", errors="surrogateescape")


def quoted(display: str) -> str:
    """A display name inside quotes (RFC 3261 §25.1 quoted-string)."""
    return display.replace("\\", "\\\\").replace('"', '\\"')
