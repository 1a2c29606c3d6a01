"""After a restart: are both phones of a call still in it?

A BYE may have been answered a moment before the process died, and then its call is taken up from a journal that does
not know. So each side is asked with an OPTIONS inside the dialog: a phone that has hung up says 481, and the call is
over (RFC 3261 §12.2.1.2). Any other answer, and none, changes nothing: a phone on TCP cannot even be reached before
it has connected again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.features import release

if TYPE_CHECKING:
    from rayswitch.calls.call import Call
    from rayswitch.calls.leg import Leg
    from rayswitch.sip.message import Response

SPREAD = 4.0
"""Seconds over which the calls of a host ask, so that they do not all ask at once."""
SOONEST = 0.5
NO_SUCH_DIALOG = 481


def resumed(call: Call) -> None:
    """Ask in a moment; which, its id says."""
    call.start(SOONEST + int(call.id[-4:], 16) / 0xFFFF * SPREAD, "still there?")


def ask(call: Call, data: Any) -> None:
    """OPTIONS to both sides."""
    del data
    if call.phase != "answered":
        return
    for leg in (call.a, call.b):
        if leg is not None and leg.dialog is not None:
            call.send(leg, leg.dialog.request("OPTIONS", None), told)


def told(call: Call, leg: Leg, data: Any, response: Response) -> None:
    """481: that side has left; the other one is told."""
    del data
    if response.status == NO_SUCH_DIALOG:
        release.end(call, leg.side, 200, "Hung up while the switch restarted", spare=leg)


TIMERS = {"still there?": ask}
