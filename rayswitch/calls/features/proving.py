"""A carrier wants to know who asks, inside the call too: requests to its side carry the proof (RFC 3261 §22.2, 22.3).

Once a challenge has been met every request to that side is signed, so that most pass at once; one that is challenged
all the same goes again with the next CSeq, once for each who asks and once more for a nonce that was too old. An ACK
has the credentials of its INVITE (§13.2.2.4).

The secret is kept in no journal. A call that another process has taken up asks for it anew, and knows no challenge yet:
its first request is challenged once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rayswitch.calls.effects import FindAccount
from rayswitch.calls.events import AccountFound
from rayswitch.calls.routing.route import OUTSIDE
from rayswitch.sip.answering import MOST_ANSWERS, Answering, challenges, is_stale
from rayswitch.sip.message import Request, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call, Waiting
    from rayswitch.calls.leg import Leg

CHALLENGES = (401, 407)


class Signed(NamedTuple):
    """A request that may have to go again, and the challenges (by status) that it has met."""

    request: Request
    met: tuple[int, ...] = ()


def sign(leg: Leg, request: Request) -> None:
    """Add what this side has asked for so far."""
    assert leg.answering is not None
    rows = leg.answering.rows(request.method, request.uri)
    for name, value in rows:
        request.set(name, value)
    if request.method == "INVITE":
        leg.proof = rows


def is_wanted(call: Call, key: int, method: str) -> bool:
    """After the end only a BYE goes again (§15), an offer only while whoever made it waits for the answer."""
    if method == "BYE" or call.phase == "ending":
        return method == "BYE"
    exchange = call.exchange
    return method != "INVITE" or (exchange is not None and exchange.key == key and not exchange.cancelled)


def is_first(leg: Leg, request: Request) -> bool:
    """The INVITE that begins a dialog is asked again by its branch; so is what belongs to a dialog of another fork."""
    assert leg.dialog is not None
    return (request.method == "INVITE" and leg.invite is not None) or request.to.tag != leg.dialog.remote_tag


def goes_again(call: Call, key: int, waiting: Waiting, response: Response) -> bool:
    """Is the request `key` challenged, and sent again with the answer?"""
    then, leg, data, signed = waiting
    status, answering, dialog = response.status, leg.answering, leg.dialog
    if status not in CHALLENGES or signed is None or answering is None or dialog is None:
        return False
    if is_first(leg, signed.request) or not is_wanted(call, key, signed.request.method):
        return False
    offers = challenges(response)
    if (status in signed.met and not is_stale(offers)) or len(signed.met) == MOST_ANSWERS:
        return False
    if not answering.learn(status, offers):
        return False
    request = signed.request.copy()
    request.remove("via")  # of the transaction that has failed
    dialog.local_seq += 1
    request.set("cseq", f"{dialog.local_seq} {request.method}")
    again = call.send(leg, request, then, data, (*signed.met, status))
    if call.exchange is not None and call.exchange.key == key:
        call.exchange.key, call.exchange.cseq = again, dialog.local_seq
    return True


def resumed(call: Call) -> None:
    """After a restart: the lines and trunks of the call have to tell how we prove who we are."""
    members = {leg.rights for leg in (call.a, call.b) if leg is not None and leg.rights.startswith(OUTSIDE)}
    call.out += [FindAccount(member) for member in sorted(members)]


def found(call: Call, event: AccountFound) -> None:
    """From here on requests to that side can be proved."""
    for leg in (call.a, call.b):
        if leg is not None and leg.rights == event.member and leg.answering is None and event.user:
            leg.answering = Answering(event.user, event.secret, call.ids.token)


EVENTS = {AccountFound: found}
