"""Redirections: a device that answers 3xx says where the call shall go instead (RFC 3261 §8.1.3.4, 21.3).

It is followed as a forwarding by the extension that was called, with its rights: the dial plan decides where that
leads, and whether. The caller hears 181. Of several targets those with the highest q are rung together. No number is
tried twice in a call, and there are MOST forwardings in a row; a redirection that leads nowhere counts as a failure.

Those who are rung learn who forwarded: Diversion (RFC 5806), the last one first, and History-Info (RFC 7044).
A line or trunk that redirects is not followed: its carrier has no rights here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from rayswitch.calls.attempt import Attempt, Branch, Goal, Rows
from rayswitch.calls.carried import number_in, user_part
from rayswitch.calls.features import early, routing
from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import BadMessage, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

MOST = 5
FORWARDED = 181


def follows(call: Call, branch: Branch, response: Response) -> bool:
    """Has this redirection led to somebody who may be asked?"""
    attempt, goal = branch.attempt, branch.goal
    if not 300 <= response.status < 400 or goal.member or branch.cancelled or len(goal.path) >= MOST:
        return False
    numbers = [number for number in targets(call, branch, response) if number not in attempt.tried]
    if not numbers:
        return False
    if attempt.side == "b" and call.phase == "ringing":
        early.provisional(call, FORWARDED, "Call Is Being Forwarded", b"")
    for number in numbers:
        routing.seek(call, attempt, forwarded(call, goal, number, response.status))
    return True


def targets(call: Call, branch: Branch, response: Response) -> list[str]:
    """The numbers that the device names, those with the highest q; whole addresses when they are not in our domain."""
    contacts = response.contacts
    best = max((contact.q for contact in contacts), default=0.0)
    named = [target(call, branch, contact) for contact in contacts if contact.q == best]
    return list(dict.fromkeys(number for number in named if number))


def target(call: Call, branch: Branch, contact: NameAddr) -> str:
    """One of them; "" when it cannot be read."""
    try:
        return number_in(contact.uri, call.settings.domain, branch.leg.flow.local[0].lower())
    except BadMessage:
        return ""


def forwarded(call: Call, goal: Goal, number: str, status: int) -> Goal:
    """The goal of a forwarding by the extension that `goal` has reached."""
    return Goal(number, goal.called, (*goal.path, (goal.called, status)))


def history(attempt: Attempt, goal: Goal, domain: str) -> Rows:
    """What those who are rung for a goal hear of its forwardings; nothing when there were none."""
    if not goal.path:
        return ()
    diversions = [
        ("diversion", f"<sip:{user_part(number)}@{domain}>;reason=deflection;counter=1")
        for number, _ in reversed(goal.path)
    ]
    return [*diversions, ("history-info", ", ".join(entries(goal, domain)))]


def entries(goal: Goal, domain: str) -> list[str]:
    """History-Info from the first called one to who is rung now (RFC 7044 §5, 10.1; RFC 4458 for the cause)."""
    numbers = [*(number for number, _ in goal.path), goal.called]
    reasons = [quote(f"SIP;cause={status}") for _, status in goal.path]
    found = []
    for place, number in enumerate(numbers):
        cause = f";cause={goal.path[place - 1][1]}" if place else ""
        reason = f"?Reason={reasons[place]}" if place < len(reasons) else ""
        index = ".".join(["1"] * (place + 1))
        mapped = f";mp={'.'.join(['1'] * place)}" if place else ""
        found.append(f"<sip:{user_part(number)}@{domain}{cause}{reason}>;index={index}{mapped}")
    return found
