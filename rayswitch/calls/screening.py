"""What is refused before anybody looks at what a request wants (RFC 3261 §8.2, 16.3).

`objection(request)` is the first one of the table `CHECKS`, or None.  It needs no state, so that a gateway can
say no without waking an entity.
"""

from __future__ import annotations

from collections.abc import Callable

from rayswitch.sip.identifiers import tag_parts
from rayswitch.sip.message import Request

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, PRACK, REFER, REGISTER"
KNOWN = frozenset(
    [
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
        "UPDATE",
        "INFO",
        "MESSAGE",
        "REGISTER",
        "REFER",
        "NOTIFY",
        "SUBSCRIBE",
        "PUBLISH",
        "PRACK",
    ]
)
OPTIONS = "path, outbound, 100rel, timer, replaces, norefersub"
"""Option tags that may be required of us."""
SUPPORTED = frozenset(OPTIONS.split(", "))
SCHEMES = ("sip:", "sips:", "tel:")
SDP_METHODS = frozenset({"INVITE", "UPDATE"})

Answer = tuple[int, list[tuple[str, str]]]

PROVED = {"REGISTER": "authorization", "INVITE": "proxy-authorization"}
"""Requests whose sender has to prove who he is, and the header where he does it."""

NEW: dict[str, Answer] = {
    "OPTIONS": (200, [("allow", ALLOW), ("accept", "application/sdp"), ("supported", OPTIONS)]),
    "REFER": (403, []),
    **dict.fromkeys(("BYE", "UPDATE", "INFO", "PRACK"), (481, [])),
}
"""Outside of a dialog: OPTIONS is how phones and peers ask whether we live (§11.2); REFER would be
a call on behalf of somebody who is in none; others make no sense there."""


def objection(request: Request) -> Answer | None:
    """The first objection of `CHECKS`: a status, and the headers that say what would do."""
    for check in CHECKS:
        answer = check(request)
        if answer is not None:
            return answer
    return None


def answer_without_state(request: Request) -> Answer | None:
    """What a request gets that nothing has to be remembered of (§8.2.7): an objection, a ping, no such dialog.

    None for what needs a transaction or a password, and for ACK and CANCEL, which belong to somebody else's.
    """
    method = request.method
    if method in ("ACK", "CANCEL"):
        return None
    answer = objection(request)
    if answer is not None:
        return answer
    tag = request.to.tag
    if tag:
        return None if tag_parts(tag) else (481, [])
    return NEW.get(method) or (None if method in PROVED else refusal_of_method(method))


def refusal_of_method(method: str) -> Answer:
    """405 for a method we know and do not serve here, 501 for one nobody knows (§8.2.1, 21.5.2)."""
    return (405 if method in KNOWN else 501), [("allow", ALLOW)]


def hops(request: Request) -> Answer | None:
    """§16.3 step 3: 483 when no hop is left for what we would send on; OPTIONS ends here anyway (§11)."""
    return (483, []) if request.max_forwards == 0 and request.method in ("INVITE", "MESSAGE") else None


def scheme(request: Request) -> Answer | None:
    """§8.2.2.1: 416 for a Request-URI of an unknown kind."""
    return None if request.uri.lower().startswith(SCHEMES) else (416, [])


def extensions(request: Request) -> Answer | None:
    """§8.2.2.3: 420 names every required option that we do not have."""
    if not (request.has("require") or request.has("proxy-require")):
        return None
    required = request.values("require") + request.values("proxy-require")
    missing = [tag for tag in required if tag.lower() not in SUPPORTED]
    return (420, [("unsupported", ", ".join(missing))]) if missing else None


def body(request: Request) -> Answer | None:
    """§8.2.3: 415 for a body of a kind or coding that we could not read and may not ignore."""
    if not request.body or request.method not in SDP_METHODS or optional(request):
        return None
    if (request.get("content-encoding") or "identity").lower() != "identity":
        return 415, [("accept-encoding", "identity")]
    if request.content_type != "application/sdp":
        return 415, [("accept", "application/sdp")]
    return None


def optional(request: Request) -> bool:
    """`handling=optional` of RFC 3459 §3: a body that may be ignored."""
    return "handling=optional" in (request.get("content-disposition") or "").replace(" ", "").lower()


CHECKS: tuple[Callable[[Request], Answer | None], ...] = (scheme, extensions, hops, body)
