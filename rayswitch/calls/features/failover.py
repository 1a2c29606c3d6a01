"""A call to an outgoing group: its lines and trunks are tried one after the other, until one takes it.

The next one is tried when a member is down or full, when it answers 5xx or 408, and when it says nothing at all to our
INVITE for four seconds. Any other failure is an answer, and the caller hears it; of several he hears the best, as
among devices (``branches.best``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Attempt, Branch, Goal
from rayswitch.calls.effects import Free, Seize
from rayswitch.calls.events import MemberRefused, MemberSeized
from rayswitch.calls.features import branches, limits, routing
from rayswitch.calls.routing.route import ANONYMOUS
from rayswitch.sip.answering import MOST_ANSWERS, Answering, challenges, is_stale
from rayswitch.sip.message import Response

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

SILENCE = 4.0
"""Seconds that a member has for its first response."""


def next_member(call: Call, attempt: Attempt, goal: Goal) -> None:
    """Ask the next line or trunk; without one the attempt has failed, or all are down or full."""
    goal.member = ""
    if goal.members:
        goal.member = goal.members.popleft()
        call.out.append(Seize(goal.number, goal.member, goal.caller or attempt.caller, goal.called))
    elif attempt.failures:
        attempt.sought.remove(goal)
        branches.fail(call, attempt, attempt.failures.pop(), "b")
    else:
        routing.reject(call, attempt, goal, 503, "No line or trunk is free", 34)


def seized(call: Call, event: MemberSeized) -> None:
    """It takes the call, unless nobody wants that any more."""
    attempt, place = call.attempt, event.place
    goal = attempt.goal(event.called) if attempt else None
    if attempt is None or goal is None or goal.member != event.member:
        call.out.append(Free([[event.member, True]]))
        return
    call.held.append([event.member, True, goal.number])
    goal.domain, goal.no_answer = place.domain, place.no_answer
    goal.private = place.caller == ANONYMOUS
    goal.identity, goal.form = place.identity, place.form
    goal.asserted = (goal.caller or attempt.caller) if goal.private else (place.caller or goal.caller or attempt.caller)
    goal.caller = place.caller or goal.caller
    goal.answering = Answering(place.user, place.secret, call.ids.token) if place.user else None
    attempt.sought.remove(goal)
    branches.reach(call, attempt, goal, [[place.uri, place.flow, place.path]], place.bypass)


def refused(call: Call, event: MemberRefused) -> None:
    """It is down, or full."""
    attempt = call.attempt
    goal = attempt.goal(event.called) if attempt else None
    if attempt is not None and goal is not None and goal.member == event.member:
        next_member(call, attempt, goal)


def invited(call: Call, branch: Branch) -> None:
    """Its INVITE is out: it has to say something soon, and somebody has to answer."""
    index = branch.leg.index
    assert call.record is not None
    call.record.went_by = branch.goal.member
    branch.row.append(branch.goal.member)
    if branch.goal.members:
        call.start(SILENCE, "silent", index)
    if branch.goal.no_answer or index != branch.attempt.first:  # the system's timer may be over by then
        call.start(branch.goal.no_answer or call.settings.no_answer, "member-no-answer", index)


def silent(call: Call, index: int) -> None:
    """Not a word: the next one gets the call, and this one, should it wake up, a CANCEL."""
    branch = call.branches.get(index)
    if branch is None or branch.heard or not branches.rings(branch, branch.attempt):
        return
    if call.attempt is branch.attempt and branch.goal.members:
        branches.cancel(call, branch, None)
        skip(call, branch, Response.new(408))


def overdue(call: Call, index: int) -> None:
    """A line with a no-answer time of its own, or one that came after such a line."""
    branch = call.branches.get(index)
    if branch is not None and branches.rings(branch, branch.attempt):
        branches.no_answer(call, branch.attempt.first)


def proves(call: Call, branch: Branch, response: Response) -> bool:
    """A member wants to know who calls (RFC 3261 §22.2, 22.3): the INVITE goes again with the proof, once for each who
    asks and once more for a nonce that was too old."""
    answering = branch.goal.answering
    if response.status not in (401, 407) or answering is None or not branches.rings(branch, call.attempt):
        return False
    offers = challenges(response)
    if response.status in answering.offers and not is_stale(offers):
        return False
    if branch.leg.cseq > MOST_ANSWERS or not answering.learn(response.status, offers):
        return False
    branches.ask_again(call, branch, [])
    return True


def goes_on(call: Call, branch: Branch, response: Response) -> bool:
    """A branch has failed: is there another member, or was it given up before?"""
    if branch.cancelled:
        return True
    goal = branch.goal
    if not goal.member:
        return False
    if goal.members and (response.status == 408 or 500 <= response.status < 600):
        skip(call, branch, response)
        return True
    leave(call, goal)
    return False


def skip(call: Call, branch: Branch, failure: Response) -> None:
    """From this member to the next."""
    attempt, goal = branch.attempt, branch.goal
    leave(call, goal)
    attempt.failures.append(failure)
    attempt.sought.append(goal)
    next_member(call, attempt, goal)


def leave(call: Call, goal: Goal) -> None:
    """The member has one call less."""
    limits.free(call, [row for row in call.held if row[0] == goal.member])


TIMERS = {"silent": silent, "member-no-answer": overdue}
EVENTS = {MemberSeized: seized, MemberRefused: refused}
