"""How the two numbers of a call are written to the other side, and who is named.

    sip          sip:4711@carrier.example
    user=phone   sip:4711@carrier.example;user=phone        (RFC 3261 §19.1.1)
    tel          tel:+4930123456, tel:4711;phone-context=carrier.example      (RFC 3966 §5.1)

Where a line or trunk wants the caller named besides, that is P-Asserted-Identity or P-Preferred-Identity (RFC 3325).
An asserted one goes out also when the people who are called are not to see it (`Privacy: id`), a preferred one not.
"""

from __future__ import annotations

from rayswitch.calls.attempt import Attempt, Goal, Rows
from rayswitch.calls.carried import quoted, user_part
from rayswitch.calls.privacy import ANONYMOUS

__all__ = ["identity", "uri_of", "who_calls"]

UNKNOWN = f'"Anonymous" <sip:{"@".join(ANONYMOUS)}>'
DIGITS = frozenset("0123456789*#abcdABCD")
HEADERS = {"asserted": "p-asserted-identity", "preferred": "p-preferred-identity"}


def uri_of(number: str, domain: str, form: str = "sip") -> str:
    """A number as a URI; what is no telephone number is always a SIP URI."""
    if form == "sip" or not DIGITS.issuperset(number.removeprefix("+")) or number in ("", "+"):
        return f"sip:{user_part(number)}@{domain}"
    if form == "tel":
        return f"tel:{number}" if number[0] == "+" else f"tel:{number};phone-context={domain}"
    return f"sip:{user_part(number)}@{domain};{form}"


def who_calls(attempt: Attempt, goal: Goal, domain: str) -> str:
    """The caller as those who are called see him."""
    if attempt.private or goal.private:
        return UNKNOWN
    display = f'"{quoted(attempt.display)}" ' if attempt.display else ""
    return f"{display}<{uri_of(goal.caller or attempt.caller, domain, goal.form)}>"


def identity(attempt: Attempt, goal: Goal, domain: str) -> Rows:
    """The caller as the other side's network gets him."""
    header = HEADERS.get(goal.identity)
    hidden = attempt.private or goal.private
    if header is None or not goal.asserted or (hidden and goal.identity != "asserted"):
        return ()
    row = (header, f"<{uri_of(goal.asserted, domain, goal.form)}>")
    return (row, ("privacy", "id")) if hidden else (row,)
