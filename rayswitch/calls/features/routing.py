"""Where a number leads: the dial plan is asked, limits are looked at, then its devices or its lines are found.

    goal (a number) → routed → admitted (`limits`) → extension: located (`branches`) | group: seized (`failover`)

A goal is among those that its attempt has `sought` until there is somebody to ring for it, or nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Attempt, Goal
from rayswitch.calls.effects import FindRoute, Locate
from rayswitch.calls.events import Routed
from rayswitch.calls.features import branches, failover, limits
from rayswitch.calls.routing.route import EXTENSION, GROUP, REJECT, SERVICE
from rayswitch.sip.message import Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


def seek(call: Call, attempt: Attempt, goal: Goal) -> None:
    """Ask where this number leads."""
    attempt.sought.append(goal)
    attempt.tried.add(goal.number)
    call.out.append(FindRoute(call.gateway, attempt.caller, goal.number, goal.rights or attempt.caller))


def routed(call: Call, event: Routed) -> None:
    """The dial plan has decided."""
    attempt = call.attempt
    goal = attempt.goal(event.called) if attempt else None
    if attempt is None or goal is None or goal.route is not None:
        return
    goal.lead(event.route)
    limits.admit(call, attempt, goal)


def go_on(call: Call, attempt: Attempt, goal: Goal) -> None:
    """It may go there."""
    assert goal.route is not None
    KINDS[goal.route.kind](call, attempt, goal)


def to_extension(call: Call, attempt: Attempt, goal: Goal) -> None:
    """To its devices: where they registered, or where they always are."""
    assert goal.route is not None
    if goal.route.contacts:
        attempt.sought.remove(goal)
        branches.reach(call, attempt, goal, goal.route.contacts)
    else:
        call.out.append(Locate(goal.aor))


def to_group(call: Call, attempt: Attempt, goal: Goal) -> None:
    """To its lines and trunks, the first one first."""
    failover.next_member(call, attempt, goal)


def to_service(call: Call, attempt: Attempt, goal: Goal) -> None:
    """There are no services yet."""
    assert goal.route is not None
    reject(call, attempt, goal, 501, f"Service {goal.route.name} is not there", 79)


def to_nobody(call: Call, attempt: Attempt, goal: Goal) -> None:
    """The dial plan refuses it."""
    route = goal.route
    assert route is not None
    reject(call, attempt, goal, route.status, route.reason, route.q850)


def reject(call: Call, attempt: Attempt, goal: Goal, status: int, reason: str, q850: int = 0) -> None:
    """This goal is not to be reached: the reason goes to the caller and into the record (RFC 3326)."""
    attempt.sought.remove(goal)
    headers = [("reason", f'Q.850;cause={q850};text="{reason}"')] if q850 else []
    branches.fail(call, attempt, Response.new(status, reason, headers))


KINDS: dict[str, Callable[[Call, Attempt, Goal], None]] = {
    EXTENSION: to_extension,
    GROUP: to_group,
    SERVICE: to_service,
    REJECT: to_nobody,
}

EVENTS = {Routed: routed}
