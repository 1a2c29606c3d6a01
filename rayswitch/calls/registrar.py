"""REGISTER as a message: what the registrar reads out of it, and the 200 it answers with (RFC 3261 §10.3, RFC 3327)."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from typing import Any

from rayswitch.calls.events import RegisterReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import BadMessage, Request, Response, respond

MAX_CONTACTS = 10
MALFORMED = 3600
"""Seconds a contact gets whose expires parameter cannot be read (§10.2.1.1)."""


def read(request: Request, flow: Flow, token: Any, wall: float, nat: str = "auto", most: int = 0) -> RegisterReceived:
    """The event for the registration; BadMessage(400) for contacts that contradict each other (§10.3 step 6)."""
    return RegisterReceived(
        token,
        request.call_id,
        request.cseq.number,
        wanted(request),
        request.expires,
        request.get_all("path"),
        flow,
        wall,
        nat,
        most,
    )


def wanted(request: Request) -> list[list[Any]] | str | None:
    """None for a query, "*" for everything, else [uri, params, seconds | None] for each contact."""
    if not request.has("contact"):
        return None
    if request.contact_star:
        if request.expires != 0:
            raise BadMessage(400, "Contact: * needs Expires: 0", request)
        return "*"
    contacts = request.contacts
    if len(contacts) > MAX_CONTACTS:
        raise BadMessage(400, f"More than {MAX_CONTACTS} contacts", request)
    return [[str(contact.uri), kept(contact), seconds(contact)] for contact in contacts]


def kept(contact: NameAddr) -> str:
    """The contact parameters to give back, as ";a=b;c"; expires is ours to say."""
    pairs = ((name, value) for name, value in contact.params.items() if name != "expires")
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in pairs)


def seconds(contact: NameAddr) -> int | None:
    """The contact's own expires parameter, None without one."""
    text = contact.params.get("expires")
    if text is None:
        return None
    return min(int(text), 2**32 - 1) if text.isascii() and text.isdigit() else MALFORMED


def answer(request: Request, result: list[Any], wall: float, tag: str) -> Response:
    """The response for what the registration replied: [status, reason, headers, contacts]."""
    status, reason, headers, contacts = result
    rows: list[tuple[str, str]] = [(name, value) for name, value in headers]
    if status == 200:
        rows += [("contact", f"<{uri}>{params};expires={left}") for uri, params, left, _ in contacts]
        rows += [("path", path) for path in request.get_all("path")]
        rows.append(("date", date(int(wall))))
        if outbound(request):
            rows.append(("require", "outbound"))
    return respond(request, status, reason, to_tag=tag, headers=rows)


def outbound(request: Request) -> bool:
    """RFC 5626 §6: is this a registration by instance and reg-id, that phone and edge proxy both know to be one?"""
    if "outbound" not in (request.get("supported") or ""):
        return False
    edge = request.values("path")[-1:]
    return all(";ob" in path for path in edge) and any("reg-id" in contact.params for contact in request.contacts)


@lru_cache(maxsize=2)
def date(second: int) -> str:
    """The Date header of a second (§20.17): phones set their clock by it."""
    return formatdate(second, usegmt=True)
