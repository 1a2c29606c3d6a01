"""INVITEs that wait until the place that they want can be taken (see `replacing.py`).

While one waits there is no exchange that a CANCEL, a BYE of the one whose place it wants, or the end of the call could
find: `call.entering` has it, so that it gets its answer and the record says what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.features import release

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.events import Replacing
    from rayswitch.calls.leg import Leg

DECLINED = 603


class Entering:
    """`new` wants the place of `leg`, and may look `tries` times more; `gone`: `leg` has hung up meanwhile."""

    __slots__ = ("event", "gone", "leg", "new", "tries")

    def __init__(self, event: Replacing, leg: Leg, new: Leg, tries: int) -> None:
        self.event = event
        self.leg = leg
        self.new = new
        self.tries = tries
        self.gone = False


def wait(call: Call, one: Entering, delay: float, cost: int = 1) -> None:
    """Look again in a moment."""
    one.tries -= cost
    call.entering.append(one)
    call.start(delay, "replace", one)


def turn_away(call: Call, one: Entering, status: int) -> None:
    """It gets no place, and the record says so; without the one whose place it was there is no call."""
    assert call.record is not None
    call.record.legs[one.new.index - 1][2] = status
    call.answer(one.event, status)
    if one.gone:
        release.end(call, one.leg.side, 200, "BYE", spare=one.leg)


def withdraw(call: Call, server: Any) -> None:
    """The CANCEL of one that waits (RFC 3261 §9.2)."""
    for one in [one for one in call.entering if one.event.server == server]:
        call.entering.remove(one)
        turn_away(call, one, 487)


def left(call: Call, leg: Leg) -> bool:
    """Does somebody wait for his place? Then he does what he would have been told to do."""
    successors = [one for one in call.entering if one.leg is leg]
    for one in successors:
        one.gone = True
    if successors and call.exchange is not None and call.exchange.asker is leg:
        call.exchange.refuse(call, 487)
    return bool(successors)


def close(call: Call) -> None:
    """The call is over: whoever waits does so in vain."""
    waiting, call.entering = call.entering, []
    for one in waiting:
        turn_away(call, one, DECLINED)
