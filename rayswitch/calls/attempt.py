"""An attempt to reach somebody: on whose behalf, with what offer, and who hears how it goes.

One attempt may ring many devices at once (its branches), of several numbers when it is forwarded (its goals).  A call
has one at a time: that of its caller before the answer, that of a transfer after it.  What an attempt leads to is
decided by who began it: `progressed`, `won` and `lost` are functions of the feature that did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rayswitch.calls.leg import Leg
from rayswitch.sdp.session import Session
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

Rows = Sequence[tuple[str, str]]


class Goal:
    """A number to be rung."""

    __slots__ = ("aor", "number")

    def __init__(self, number: str, aor: str) -> None:
        self.number = number
        self.aor = aor


class Device(NamedTuple):
    """Where a goal was found."""

    goal: Goal
    uri: str
    flow: Flow
    path: list[str]


class Branch:
    """One INVITE to one device; `key` is its client transaction in `gateway`, None once it has ended."""

    __slots__ = ("attempt", "cancelled", "gateway", "goal", "key", "leg", "row")

    def __init__(self, attempt: Attempt, goal: Goal, leg: Leg, row: list[Any], gateway: str) -> None:
        self.attempt = attempt
        self.goal = goal
        self.leg = leg
        self.gateway = gateway
        self.row = row
        self.key: int | None = None
        self.cancelled = False


Answered = Callable[["Call", Branch, Response], None]


class Attempt:
    """`caller` and `display` are who calls, `offer` what he offers (None: the offer is asked for), `headers` what else
    every INVITE carries; `side` names the ports that the media of the devices gets (see `MediaPlan`)."""

    __slots__ = (
        "caller", "display", "failures", "first", "found", "headers", "hops", "lost", "offer", "progressed", "side",
        "sought", "won",
    )  # fmt: skip

    def __init__(
        self,
        caller: str,
        display: str,
        offer: Session | None,
        headers: Rows,
        hops: int,
        progressed: Answered,
        won: Answered,
        lost: Callable[[Call, Response, str], None],
        side: str = "b",
    ) -> None:
        """`hops` is the Max-Forwards of its INVITEs; `lost` gets the best failure, and "b" when a device said so."""
        self.caller = caller
        self.display = display
        self.offer = offer
        self.headers = headers
        self.hops = hops
        self.progressed = progressed
        self.won = won
        self.lost = lost
        self.side = side
        self.sought: list[Goal] = []
        """Goals whose devices are being looked for."""
        self.found: list[Device] = []
        """Devices that wait for their ports."""
        self.failures: list[Response] = []
        self.first = 0
        """Index of its first half call, 0 before anything rings."""

    def take(self, aor: str) -> Goal | None:
        """The goal that was looked for under this address-of-record: it is found, or is nowhere."""
        for goal in self.sought:
            if goal.aor == aor:
                self.sought.remove(goal)
                return goal
        return None
