"""INVITEs that wait until the place that they want can be taken (see `replacing.py`).

While they wait there is no exchange that a CANCEL, or the end of the call, could find: `call.entering` has them, so
that each gets its answer and the record says what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.events import Replacing
    from rayswitch.calls.leg import Leg

DECLINED = 603


def turn_away(call: Call, event: Replacing, new: Leg, status: int) -> None:
    """It gets no place; the record says so."""
    assert call.record is not None
    call.record.legs[new.index - 1][2] = status
    call.answer(event, status)


def withdraw(call: Call, server: Any) -> None:
    """The CANCEL of one that waits (RFC 3261 §9.2)."""
    for event, new in [entry for entry in call.entering if entry[0].server == server]:
        call.entering.remove((event, new))
        turn_away(call, event, new, 487)


def close(call: Call) -> None:
    """The call is over: whoever waits does so in vain."""
    waiting, call.entering = call.entering, []
    for event, new in waiting:
        turn_away(call, event, new, DECLINED)
