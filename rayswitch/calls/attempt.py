"""An attempt to reach somebody: on whose behalf, with what offer, and who hears how it goes.

One attempt may ring many devices at once (its branches), of several numbers when it is forwarded (its goals). A call
has one at a time: that of its caller before the answer, that of a transfer after it. What an attempt leads to is
decided by who began it: `progressed`, `won` and `lost` are functions of the feature that did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rayswitch.calls.leg import Leg
from rayswitch.calls.routing.route import Place, Route
from rayswitch.sdp.session import Session
from rayswitch.sip.answering import Answering
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

Rows = Sequence[tuple[str, str]]
Path = tuple[tuple[str, int], ...]


class Goal:
    """A number to be reached, with the rights of an extension, line or trunk ("": those of who calls)."""

    __slots__ = (
        "answering",
        "aor",
        "asserted",
        "called",
        "caller",
        "domain",
        "form",
        "identity",
        "member",
        "members",
        "no_answer",
        "number",
        "path",
        "place",
        "private",
        "rights",
        "route",
        "waiting",
    )

    def __init__(self, number: str, rights: str = "", path: Path = ()) -> None:
        """`path`: who has forwarded the call to this number, and the status that said so, the first one first."""
        self.number = number
        self.rights = rights
        self.path = path
        self.route: Route | None = None
        """Where the dial plan leads it."""
        self.aor = ""
        self.caller = ""
        self.called = number
        """Both numbers as the other side sees them; no `caller`: that of the attempt."""
        self.domain = ""
        """In From and To; "" is ours."""
        self.private = False
        """Is its caller not to be named?"""
        self.identity = ""
        """Is the line or trunk told besides who calls: "asserted", "preferred"?"""
        self.asserted = ""
        """Who that is."""
        self.form = "sip"
        """How numbers are written there (see `Place`)."""
        self.answering: Answering | None = None
        """Proves to its line or trunk who calls."""
        self.no_answer = 0.0
        """Seconds of ringing that its line or trunk allows, 0 for any."""
        self.waiting = False
        """Limits that have not been looked at yet."""
        self.members: deque[str] = deque()
        """Lines and trunks that have not been tried yet."""
        self.member = ""
        """The one that is being tried."""
        self.place: Place | None = None
        """Where it takes the call; the servers in it have not been tried yet."""

    def lead(self, route: Route) -> None:
        """The dial plan has decided."""
        self.route, self.aor = route, route.name
        self.caller, self.called = route.caller, route.called or self.number
        self.members.extend(route.members)


class Device(NamedTuple):
    """Where a goal was found."""

    goal: Goal
    uri: str
    flow: Flow
    path: list[str]


class Branch:
    """One INVITE to one device; `key` is its client transaction in `gateway`, None once it has ended."""

    __slots__ = ("attempt", "cancelled", "gateway", "goal", "heard", "key", "leg", "row")

    def __init__(self, attempt: Attempt, goal: Goal, leg: Leg, row: list[Any], gateway: str) -> None:
        self.attempt = attempt
        self.goal = goal
        self.leg = leg
        self.gateway = gateway
        self.row = row
        self.key: int | None = None
        self.cancelled = False
        self.heard = False
        """Has there been a provisional response?"""


Answered = Callable[["Call", Branch, Response], None]


class Attempt:
    """`caller` and `display` are who calls, `offer` what he offers (None: the offer is asked for), `headers` what else
    every INVITE carries; `side` names the ports that the media of the devices gets (see `MediaPlan`)."""

    __slots__ = (
        "caller", "display", "failures", "first", "found", "headers", "hops", "lost", "offer", "private", "progressed",
        "side", "sought", "tried", "won",
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
        private: bool = False,
    ) -> None:
        """`hops` is the Max-Forwards of its INVITEs; `lost` gets the best failure, and "b" when a device said so; a
        `private` caller is not to be named."""
        self.caller = caller
        self.display = display
        self.offer = offer
        self.headers = headers
        self.hops = hops
        self.progressed = progressed
        self.won = won
        self.lost = lost
        self.side = side
        self.private = private
        self.tried: set[str] = set()
        """All numbers that were sought so far."""
        self.sought: list[Goal] = []
        """Goals whose devices are being looked for."""
        self.found: list[Device] = []
        """Devices that wait for their ports."""
        self.failures: list[Response] = []
        self.first = 0
        """Index of its first half call, 0 before anything rings."""

    def goal(self, number: str) -> Goal | None:
        """The goal that is being looked for by this number."""
        return next((goal for goal in self.sought if goal.number == number), None)

    def take(self, aor: str) -> Goal | None:
        """The goal that was looked for under this address-of-record: it is found, or is nowhere."""
        for goal in self.sought:
            if goal.aor == aor:
                self.sought.remove(goal)
                return goal
        return None
