"""What a registrar's answer says of time."""

from __future__ import annotations

from rayswitch.sip.headers import expires_of
from rayswitch.sip.message import Response
from rayswitch.sip.uri import Uri


def granted(response: Response, contacts: list[str], asked: int) -> int:
    """Seconds for which all of `contacts` are registered (RFC 3261 §10.2.4): the shortest of theirs, else the Expires
    header, else what was asked for.

    A registrar behind a NAT of its own may list our contact under another address: when none is recognised the header
    counts, and without one the shortest of all that it lists.
    """
    wanted = [Uri.parse(uri) for uri in contacts]
    listed = [(contact.uri, contact.expires) for contact in response.contacts] if response.has("contact") else []
    general = expires_of(response.get("expires"))
    mine = [seconds for uri, seconds in listed if uri in wanted]
    if mine:
        return min(seconds if seconds is not None else general if general is not None else asked for seconds in mine)
    if general is not None:
        return general
    return min((seconds for _, seconds in listed if seconds is not None), default=asked)


def retry_after(response: Response) -> float:
    """Seconds of its Retry-After, 0 without one; no more than an hour."""
    digits = (response.get("retry-after") or "").lstrip()
    count = len(digits) - len(digits.lstrip("0123456789"))
    return min(float(digits[:count][:9]), 3600.0) if count else 0.0
