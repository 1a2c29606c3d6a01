"""Whether a caller wants to be known (RFC 3323, RFC 3325 §9.3).

A phone is no part of the network that may know all the same, so `id`, `user` and `header` come to the same for those
who are called: nothing of the caller in From, and no identity asserted. What is between the two half calls (Via,
Contact, Call-ID, addresses in SDP) never passes anyhow, which is what `session` and `header` ask for.
"""

from __future__ import annotations

from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import BadMessage, Message

__all__ = ["ANONYMOUS", "HIDING", "asserted", "is_anonymous", "is_private"]

ANONYMOUS = ("anonymous", "anonymous.invalid")
"""User and host of who does not want to be known (RFC 3323 §4.1.1.3)."""
HIDING = frozenset({"id", "user", "header"})


def is_private(message: Message) -> bool:
    """Does its sender want his name and number kept back?"""
    if "privacy" in message.names:
        wishes = {word.strip().lower() for value in message.get_all("privacy") for word in value.split(";")}
        if "none" in wishes:
            return False
        if not HIDING.isdisjoint(wishes):
            return True
    return is_anonymous(message)


def asserted(message: Message) -> str:
    """The number in the first P-Asserted-Identity (RFC 3325 §9.1), "" without one that can be read."""
    for value in message.get_all("p-asserted-identity"):
        try:
            uri = NameAddr.parse(value).uri
        except BadMessage:
            continue
        return str(getattr(uri, "number", None) or getattr(uri, "user_decoded", "") or "")
    return ""


def is_anonymous(message: Message) -> bool:
    """Is his From that of nobody?"""
    uri = message.from_.uri
    return (getattr(uri, "user_decoded", "") or "").lower() == ANONYMOUS[0]
