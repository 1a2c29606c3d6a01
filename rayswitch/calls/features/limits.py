"""Limits: before anybody rings, the call is counted for those of its parties who may not have any number of calls.

`call.held` has what it is counted for, as [name, outgoing, dialled number]; the number is "" for who calls. It is
given back as soon as the call is over, and what was held for numbers that were tried in vain when another one answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Attempt, Goal
from rayswitch.calls.effects import Admit, Free, Hold
from rayswitch.calls.events import Admitted
from rayswitch.calls.features import routing
from rayswitch.calls.routing.route import OUTSIDE

if TYPE_CHECKING:
    from rayswitch.calls.call import Call


def admit(call: Call, attempt: Attempt, goal: Goal) -> None:
    """Go on with this goal once all its parties may have one call more; who has no limit is not asked."""
    assert goal.route is not None
    rows = [row for row in goal.route.limits if not holds(call, row[0], row[1])]
    if not rows:
        routing.go_on(call, attempt, goal)
        return
    goal.waiting = True
    call.out.append(Admit(goal.number, rows))


def holds(call: Call, name: str, outgoing: bool) -> bool:
    """Is the call counted for this already?"""
    return any(held[0] == name and held[1] == outgoing for held in call.held)


def admitted(call: Call, event: Admitted) -> None:
    """They may, or one may not; the call may have given up meanwhile."""
    attempt = call.attempt
    goal = attempt.goal(event.called) if attempt else None
    if attempt is None or goal is None or not goal.waiting:
        free(call, event.rows)
        return
    goal.waiting = False
    if event.full is None:
        call.held += [[name, outgoing, "" if outgoing else goal.number] for name, outgoing in event.rows]
        routing.go_on(call, attempt, goal)
    else:
        routing.reject(call, attempt, goal, *refusal(*event.full))


def refusal(name: str, outgoing: bool) -> tuple[int, str, int]:
    """What the caller hears when there would be too many calls of this name."""
    if name.startswith(OUTSIDE):
        return LINE_FULL
    return CALLER_FULL if outgoing else CALLED_FULL


LINE_FULL = (503, "Too many calls by this line or trunk", 34)
CALLER_FULL = (403, "Too many calls of this extension", 21)
CALLED_FULL = (486, "Too many calls of this extension", 17)


def keep(call: Call, goal: Goal, side: str) -> None:
    """This goal has answered, and takes this side of the call: the others that did are counted no more."""
    if not call.held:
        return
    if side == "b":
        free(call, [row for row in call.held if row[2] not in ("", goal.number)])
        return
    free(call, [row for row in call.held if row[2] == ""])
    call.held = [[*row[:2], "" if row[2] == goal.number else row[2]] for row in call.held]


def leave(call: Call, side: str) -> None:
    """Who was on this side is so no more, and nobody who is counted takes his place."""
    free(call, [row for row in call.held if (row[2] == "") == (side == "a")])


def free_all(call: Call) -> None:
    """The call is over."""
    if call.held:
        free(call, call.held)


def free(call: Call, rows: list[list[object]]) -> None:
    """Give these back."""
    if rows:
        call.out.append(Free([row[:2] for row in rows]))
        call.held = [row for row in call.held if row not in rows]


def resumed(call: Call) -> None:
    """After a restart those who count have to hear of it again."""
    if call.held:
        call.out.append(Hold([row[:2] for row in call.held]))


EVENTS = {Admitted: admitted}
