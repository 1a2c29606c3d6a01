"""The end of a call, whoever wants it: BYE and CANCEL of a side, a refusal, a lost ACK, an order.

However it ends, the same four things follow: the other side hears of it, the media goes back, the figures and the last
words of cancelled devices come in, the CDR is written. A call stays for stragglers (the answer to our BYE, a 2xx that
crossed our CANCEL) until its last request is answered; until then a second BYE gets its 200 too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rayswitch.calls.effects import Record, Respond
from rayswitch.calls.events import MediaFigures, Release
from rayswitch.calls.features import answer, branches, early, entering, limits, transfer
from rayswitch.calls.leg import Leg, Unacknowledged
from rayswitch.sip.events import CancelReceived
from rayswitch.sip.message import Message, Response, respond

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.media_plan import MediaPlan
    from rayswitch.sip.events import RequestReceived

RECORD_WAIT = 2.0
"""Seconds a CDR waits for the figures of a media gateway, and for devices to admit that they were cancelled."""

UNANSWERED = ("setup", "ringing", "answering")
"""Phases in which the caller still waits for his answer; in the last a device has given one, and ports are missing."""


def bye(call: Call, leg: Leg, event: RequestReceived) -> None:
    """BYE from one side (RFC 3261 §15.1.2); before the answer it ends the early dialog, as CANCEL would."""
    call.answer(event, 200)
    leg.unacknowledged = None
    reason = said(event.request)
    if call.phase == "answered" and (transfer.left(call, leg) or is_replaced(call, leg)):
        return
    if call.phase == "answered":
        end(call, leg.side, 200, "BYE", reason, spare=leg)
    elif leg is call.a and call.phase in UNANSWERED:
        give_up(call, reason)
    elif leg is call.b and call.phase in UNANSWERED:
        call.b = None
        refuse(call, 480, side="b")


def is_replaced(call: Call, leg: Leg) -> bool:
    """Is his place being taken by somebody else?"""
    return (call.exchange is not None and call.exchange.left(leg)) or entering.left(call, leg)


def cancelled(call: Call, event: CancelReceived) -> None:
    """CANCEL of the caller (§9.2), or of an offer that is still on its way."""
    exchange = call.exchange
    if call.phase in UNANSWERED:
        give_up(call, event.reason)
    elif exchange is not None and exchange.event is not None and exchange.event.server == event.server:
        exchange.cancel(call)
    else:
        entering.withdraw(call, event.server)


def give_up(call: Call, reason: str | None) -> None:
    """The caller no longer wants it: CANCEL whatever rings, 487 to his INVITE."""
    branches.cancel_all(call, reason)
    refuse(call, 487, "Request Terminated", side="a")


def refuse(
    call: Call,
    status: int,
    reason: str = "",
    headers: Sequence[tuple[str, str]] = (),
    side: str = "",
    reason_from: Response | None = None,
) -> None:
    """The final answer of a call that was never answered; `side` is who wanted it so, "" for the switch."""
    assert call.a is not None and call.a.invite is not None and call.record is not None
    if call.exchange is not None:
        call.exchange.refuse(call, 487)
    if call.b is not None:  # its 2xx has come, our own has not gone
        call.record.legs[call.b.index - 1][2] = 487
        answer.send_home(call, call.b, call.b.cseq)
        call.b = None
    extra = [*headers, *passed_failure(reason_from, call.settings.domain)]
    response = respond(call.a.invite, status, reason or None, to_tag=early.tag(call), headers=extra)
    call.out.append(Respond(call.a.server, response))
    over(call, side, status, reason or response.reason, said(reason_from) if reason_from else None)


def said(message: Message) -> str | None:
    """All Reason values of a message (RFC 3326), None without one."""
    return ", ".join(message.get_all("reason")) or None


def passed_failure(response: Response | None, domain: str) -> list[tuple[str, str]]:
    """What a device's failure says to the caller besides its status (§8.1.3, 20.33, 20.43, RFC 3326).

    The first word after a warning's code is the host that warns: ours, since nobody behind us is to be seen.
    """
    if response is None:
        return []
    rows = [(name, value) for name in ("reason", "retry-after") for value in response.get_all(name)]
    return rows + [("warning", anonymous(warning, domain)) for warning in response.get_all("warning")]


def anonymous(warning: str, domain: str) -> str:
    """`399 host "text"` with our name for the host; of several warnings in a row the first."""
    text = warning.partition('"')[2].partition('"')[0].rstrip("\\")
    return f'{warning[:3]} {domain} "{text}"'


def end(call: Call, side: str, status: int, cause: str, reason: str | None = None, spare: Leg | None = None) -> None:
    """End an answered call: BYE to both sides but to the one that said BYE itself."""
    if call.phase != "answered":
        return
    if call.exchange is not None:
        call.exchange.refuse(call, 487)
        if call.phase != "answered":
            return  # with the exchange it was over
    branches.cancel_all(call, None)
    for leg in (call.a, call.b):
        if leg is not None and leg is not spare:
            bye_to(call, leg, reason)
    over(call, side, status, cause, reason)


def bye_to(call: Call, leg: Leg, reason: str | None) -> None:
    """BYE, once our 2xx is acknowledged (§15); whatever the answer, that half call is over (§15.1.1)."""
    assert leg.dialog is not None
    waiting = leg.unacknowledged
    if waiting is not None:
        waiting.bye, waiting.reason = True, reason
        call.strays[(leg.dialog.call_id, leg.dialog.remote_tag)] = leg  # its place in the call may be another's
        return
    headers = [("reason", reason)] if reason else []
    call.send(leg, leg.dialog.request("BYE", None, headers), said_bye)


def overdue(call: Call, leg: Leg, waiting: Unacknowledged) -> None:
    """The ACK has come, or will never come: the BYE that waited for it goes."""
    if waiting.bye:
        bye_to(call, leg, waiting.reason)


def said_bye(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """The answer to our BYE: nothing hangs on it."""
    del call, leg, data, response


def over(call: Call, side: str, status: int, cause: str, reason: str | None) -> None:
    """No matter how: from now on nothing but records and stragglers.

    A call whose record has to wait is journalled as ended, so that no restart takes it for a running one.
    """
    assert call.record is not None
    call.phase, call.wish, call.attempt, call.transfer = "ending", None, None, None
    call.wishes.clear()
    entering.close(call)
    call.record.close(call.wall, side, status, cause, q850_of(reason))
    give_back(call, call.media)
    give_back(call, call.former)
    call.former = None
    limits.free_all(call)
    settle(call)
    if not call.recorded:
        call.save()
        call.start(RECORD_WAIT, "record")


def give_back(call: Call, media: MediaPlan | None) -> None:
    """Its ports; what was counted there comes in a moment."""
    if media is not None and media.gateway:
        call.out.append(media.release())
        call.counting += media.connected


def settle(call: Call) -> None:
    """The CDR, when the figures are there and the last device has given its final answer."""
    if call.phase == "ending" and not call.branches and not call.counting:
        write(call)


def figures(call: Call, event: MediaFigures) -> None:
    """What the media gateway counted; a call that has moved has had several."""
    assert call.record is not None
    call.record.figures = [*call.record.figures, *event.streams]
    call.counting = max(0, call.counting - 1)
    settle(call)


def write_now(call: Call, data: Any) -> None:
    """The CDR does not wait for ever."""
    del data
    write(call)


def write(call: Call) -> None:
    """The CDR, once."""
    if not call.recorded and call.record is not None:
        call.recorded = True
        call.out.append(Record(call.record.rows(call.id)))


def lost(call: Call) -> None:
    """A call that died with its process before it was answered: the row it began is finished."""
    if call.record is not None:
        call.record.close(call.wall, "", 500, "Switch process lost")
        call.phase = "ending"
        write(call)
        call.pending.clear()


def ordered(call: Call, event: Release) -> None:
    """The operator or a shutdown ends the call."""
    if call.phase == "answered":
        end(call, "", 200, event.cause)
    elif call.phase in UNANSWERED:
        branches.cancel_all(call, None)
        refuse(call, 503, event.cause)


def q850_of(reason: str | None) -> int:
    """The cause number of a `Q.850;cause=16` among Reason values (RFC 3326), 0 without one."""
    _, protocol, params = (reason or "").upper().partition("Q.850")
    if not protocol:
        return 0
    _, _, value = params.partition("CAUSE=")
    digits = value.split(";")[0].split(",")[0].strip()
    return int(digits) if digits.isdigit() and len(digits) < 4 else 0


METHODS = {"BYE": bye}
TIMERS = {"record": write_now}
EVENTS = {CancelReceived: cancelled, MediaFigures: figures, Release: ordered}
