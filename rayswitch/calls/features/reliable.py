"""Provisional responses that arrive for certain (RFC 3262), for each half call by itself.

Towards the caller: what he demands to be reliable (`Require: 100rel`), and early media whenever he can (`Supported`),
goes out with an RSeq and again until his PRACK; one at a time, others wait.  Without a PRACK the call is refused.  A
2xx waits for the PRACK of a description that it would complete (§5).

Towards a device: each reliable response is acknowledged by PRACK, in order; a repetition is for nobody else.  A device
is told that we can when we offer in the INVITE: without an offer the PRACK would have to carry the caller's answer,
which he may not be able to give yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rayswitch.calls.carried import has_option
from rayswitch.calls.effects import Respond
from rayswitch.calls.features import branches, exchange, release
from rayswitch.calls.leg import Leg
from rayswitch.sip.message import Request, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.sip.events import RequestReceived

GIVE_UP = 64
"""Times T1 without a PRACK (§3)."""


class Promised:
    """Our reliable responses to the caller's INVITE; `settled`: one with a description was acknowledged."""

    __slots__ = ("after", "cseq", "interval", "number", "queue", "required", "settled", "waited", "waiting")

    def __init__(self, cseq: int, required: bool, number: int) -> None:
        self.cseq = cseq
        self.required = required
        self.number = number
        """The last RSeq."""
        self.settled = False
        self.waiting: Response | None = None
        self.interval = self.waited = 0.0
        self.queue: deque[Response] = deque()
        self.after: Callable[[], None] | None = None
        """What waits for the PRACK."""


class Confirmed:
    """Reliable responses of a device, the last one with this To tag and number; `settled`: one held a description."""

    __slots__ = ("number", "settled", "tag")

    def __init__(self) -> None:
        self.tag: str | None = None
        self.number = 0
        self.settled = False


def wanted(call: Call, request: Request) -> Promised | None:
    """What the caller can; None when he does not know of it."""
    required = has_option(request, "require", "100rel")
    if not required and not has_option(request, "supported", "100rel"):
        return None
    first = int.from_bytes(call.ids.token(3), "big") + 1  # §3: between 1 and 2**31 - 1
    return Promised(request.cseq.number, required, first)


# -- towards the caller ------------------------------------------------------------------------------------------------


def promise(call: Call, leg: Leg, response: Response) -> bool:
    """Take charge of a provisional response to the caller; False: it may go as it is."""
    state = leg.promised
    if state is None or not (state.required or response.body):
        return False
    if leg.sdp is None:
        # The first reliable response to an INVITE without an offer must hold one (§5), and there is none yet.
        return bool(state.required)
    response.add("require", "100rel")
    if state.waiting is not None:
        state.queue.append(response)
    else:
        send(call, leg, state, response)
    return True


def send(call: Call, leg: Leg, state: Promised, response: Response) -> None:
    """Out with the next number."""
    state.number += 1
    response.add("rseq", str(state.number))
    state.waiting, state.interval, state.waited = response, call.settings.t1, 0.0
    call.out.append(Respond(leg.server, response))
    call.start(state.interval, "1xx", state.number)


def again(call: Call, number: int) -> None:
    """T1, 2 T1, 4 T1 …; after 64 T1 the INVITE is refused (§3)."""
    leg = call.a
    state = leg.promised if leg else None
    if leg is None or state is None or state.waiting is None or state.number != number:
        return
    if call.phase not in release.UNANSWERED:
        return
    state.waited += state.interval
    left = GIVE_UP * call.settings.t1 - state.waited
    if left <= 0:
        branches.cancel_all(call, None)
        release.refuse(call, 504, "No PRACK")
        return
    state.interval = min(2 * state.interval, left)
    call.out.append(Respond(leg.server, state.waiting))
    call.start(state.interval, "1xx", number)


def acknowledged(call: Call, leg: Leg, event: RequestReceived) -> None:
    """PRACK: for the response that waits, else 481 (§3); an offer in it is one like any other."""
    state = leg.promised
    if state is None or state.waiting is None or not matches(event.request, state):
        call.answer(event, 481)
        return
    state.settled = state.settled or bool(state.waiting.body)
    state.waiting = None
    if exchange.is_offer(event.request):
        exchange.offered(call, leg, event)
    else:
        call.answer(event, 200)
    after, state.after = state.after, None
    if call.phase not in release.UNANSWERED:
        return
    if after is not None:
        after()
    elif state.queue:
        send(call, leg, state, state.queue.popleft())


def matches(request: Request, state: Promised) -> bool:
    """RAck: response number, CSeq number and method (§7.2)."""
    return (request.get("rack") or "").split() == [str(state.number), str(state.cseq), "INVITE"]


def when_settled(leg: Leg, then: Callable[[], None]) -> None:
    """A 2xx may go once no description waits for its PRACK (§5)."""
    state = leg.promised
    if state is not None and state.waiting is not None and state.waiting.body:
        state.queue.clear()
        state.after = then
    else:
        then()


# -- towards a device --------------------------------------------------------------------------------------------------


def confirm(call: Call, leg: Leg, response: Response) -> bool:
    """PRACK a reliable response; False when it is a repetition, or not the next one, and must not be looked at (§4)."""
    if not has_option(response, "require", "100rel"):
        return True
    number = response.get("rseq") or ""
    if not (number.isascii() and number.isdigit()) or not leg.meet(response):
        return False
    state = leg.confirmed
    if state is None:
        state = leg.confirmed = Confirmed()
    tag = response.to.tag
    if state.tag == tag and int(number) != state.number + 1:
        return False
    state.tag, state.number = tag, int(number)
    state.settled = bool(response.body)
    assert leg.dialog is not None
    rack = ("rack", f"{number} {response.cseq.number} INVITE")
    call.send(leg, leg.dialog.request("PRACK", None, [rack]), heard)
    return True


def heard(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """The answer to a PRACK: whatever it is, the INVITE decides."""
    del call, leg, data, response


def is_settled(leg: Leg) -> bool:
    """Has this side a description from us, or we from it, that no later response to the INVITE can change?"""
    state = leg.confirmed or leg.promised
    return state is not None and state.settled


METHODS = {"PRACK": acknowledged}
TIMERS = {"1xx": again}
