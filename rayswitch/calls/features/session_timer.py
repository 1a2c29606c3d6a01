"""Session timers (RFC 4028), for each half call by itself: a side that has vanished without a BYE is found out.

Both ends of a half call agree in each session refresh (INVITE, UPDATE) on an interval and on who refreshes.  When it is
we, an UPDATE without an offer goes out at half the interval, or a re-INVITE with what we said last when the peer knows
no UPDATE.  When it is the peer and nothing comes, or nobody answers our refresh, the call ends shortly before the
interval is over (§10).

A caller that knows timers and asks for none gets one, with him to refresh.  Devices are offered one in the INVITE; one
that does not take it is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.carried import has_option
from rayswitch.calls.features import exchange, release
from rayswitch.calls.session_interval import Rows, SessionTimer, refresher, seconds
from rayswitch.sip.message import Request, Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.leg import Leg

NAP = 60.0
"""Longest timer in seconds: one that outlives its call is not kept for half an hour."""
SLACK = 0.01
BUSY = 3.0
"""Seconds to wait while another exchange is under way (§14.1 of RFC 3261 has 2.1 to 4)."""
MOST = 86400
REASON = 'Q.850;cause=102;text="Session expired"'


# -- what is said about it ---------------------------------------------------------------------------------------------


def too_brief(call: Call, request: Request) -> Rows | None:
    """The headers of a 422, when the interval is shorter than we like and the sender can ask again (§9)."""
    asked = seconds(request, "session-expires")
    if asked is None or asked >= call.settings.min_se or not has_option(request, "supported", "timer"):
        return None
    return [("min-se", str(call.settings.min_se))]


def agree(call: Call, leg: Leg, request: Request) -> Rows:
    """The timer of a session refresh that `leg` has sent, as our 2xx states it (§9, table 2)."""
    knows = has_option(request, "supported", "timer")
    wished = seconds(request, "session-expires") or (call.settings.session_expires if knows else 0)
    if not wished:
        leg.timer = None
        return []
    interval = max(wished, call.settings.min_se, seconds(request, "min-se") or 0)
    ours = not knows or refresher(request) == "uas"
    begin(call, leg, interval, ours)
    if ours:
        return [("session-expires", f"{interval};refresher=uas")]
    return [("session-expires", f"{interval};refresher=uac"), ("require", "timer")]


def proposal(leg: Leg) -> Rows:
    """What a session refresh of ours asks for within a call: who refreshes stays who it was (§7.4)."""
    timer = leg.timer
    if timer is None:
        return []
    rows = [("session-expires", f"{max(timer.interval, leg.min_se)};refresher={'uac' if timer.ours else 'uas'}")]
    return [*rows, ("min-se", str(leg.min_se))] if leg.min_se else rows


def agreed(call: Call, leg: Leg, response: Response) -> None:
    """The timer that a peer's 2xx to our session refresh states; none without Session-Expires (§7.2)."""
    interval = seconds(response, "session-expires")
    if interval:
        begin(call, leg, interval, refresher(response) != "uas")
    else:
        leg.timer = None


def raised(leg: Leg, response: Response) -> bool:
    """Does this 422 leave something to try: a Min-SE longer than the one that was asked with (§7.3)?"""
    least = seconds(response, "min-se") or 0
    if response.status != 422 or least <= leg.min_se or least > MOST:
        return False
    leg.min_se = least
    return True


# -- while the call lasts ----------------------------------------------------------------------------------------------


def begin(call: Call, leg: Leg, interval: int, ours: bool) -> None:
    """A new interval, from now on."""
    serial = leg.timer.serial + 1 if leg.timer else 1
    leg.timer = SessionTimer(interval, ours, call.wall + interval, serial)
    sleep(call, leg, leg.timer)


def sleep(call: Call, leg: Leg, timer: SessionTimer) -> None:
    """Until it is due, or for a nap."""
    call.start(max(min(timer.due - call.wall, NAP), 0.0), "session", [leg.index, timer.serial])


def woken(call: Call, data: list[int]) -> None:
    """Refresh when it is our turn, end the call when nobody did."""
    index, serial = data
    leg = call.leg(index)
    timer = leg.timer if leg else None
    if leg is None or timer is None or timer.serial != serial or call.phase != "answered":
        return
    if call.wall >= timer.end - SLACK:
        release.end(call, "", 408, "Session expired", REASON)
        return
    if call.wall >= timer.due - SLACK:
        timer.due = timer.end
        if timer.ours:
            refresh(call, leg, timer)
    sleep(call, leg, timer)


def refresh(call: Call, leg: Leg, timer: SessionTimer) -> None:
    """An UPDATE, else a re-INVITE that says what we said last (§7.4)."""
    if call.exchange is not None or leg.unacknowledged is not None or leg.dialog is None or call.peer_of(leg) is None:
        again(call, timer)
    elif "UPDATE" in leg.peer_allows:
        call.send(leg, leg.dialog.request("UPDATE", leg.contact(call.id), proposal(leg)), refreshed)
    else:
        exchange.retell(call, leg, refreshed)


def again(call: Call, timer: SessionTimer) -> None:
    """In a moment, unless it is over then."""
    timer.due = min(call.wall + BUSY, timer.end)


def refreshed(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """The answer to our refresh; any failure but these is no reason to end before the interval does (§7.2)."""
    del data
    timer = leg.timer
    if response.status < 200 or timer is None or call.phase != "answered":
        return
    if response.status < 300:
        if response.cseq.method == "UPDATE" and leg.dialog is not None:
            leg.dialog.refresh(response)
            agreed(call, leg, response)
        call.save()
    elif response.status in (408, 481):
        release.end(call, "", response.status, "Peer gone")
    elif response.status in (405, 501) and response.cseq.method == "UPDATE":
        leg.peer_allows = leg.peer_allows.replace("UPDATE", "")
        refresh(call, leg, timer)
    elif raised(leg, response):
        refresh(call, leg, timer)
    elif response.status == 491:
        again(call, timer)
        sleep(call, leg, timer)


def resumed(call: Call) -> None:
    """After a restart the intervals go on."""
    for leg in (call.a, call.b):
        if leg is not None and leg.timer is not None:
            sleep(call, leg, leg.timer)


TIMERS = {"session": woken}
