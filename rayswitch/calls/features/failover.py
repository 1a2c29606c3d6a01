"""A call to an outgoing group: its lines and trunks are tried one after the other, until one takes it.

The next one is tried when a member is down or full, when it answers 5xx or 408, and when it says nothing at all to our
INVITE for four seconds. Any other failure is an answer, and the caller hears it; of several he hears the best, as
among devices (``branches.best``).

A member whose name leads to several servers is tried at the next of them first, when one says 503, cannot be reached or
says nothing (RFC 3263 §4.3); its home hears of it, and lets calls begin at another one for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.attempt import Attempt, Branch, Goal
from rayswitch.calls.effects import Free, Seize, Shun
from rayswitch.calls.events import MemberRefused, MemberSeized
from rayswitch.calls.features import branches, limits, routing
from rayswitch.calls.routing.route import ANONYMOUS
from rayswitch.sip.answering import MOST_ANSWERS, Answering, challenges, is_stale
from rayswitch.sip.flow import Flow
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
    goal.place = place
    attempt.sought.remove(goal)
    go_to(call, attempt, goal, place.flow)


def go_to(call: Call, attempt: Attempt, goal: Goal, flow: Flow) -> None:
    """Call one server of the member; what it asks for to know us, another one has not asked for."""
    place = goal.place
    assert place is not None
    goal.answering = Answering(place.user, place.secret, call.ids.token) if place.user else None
    branches.reach(call, attempt, goal, [[place.uri, flow, place.path]], place.bypass)


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
    if has_next(branch.goal):
        call.start(SILENCE, "silent", index)
    if branch.goal.no_answer or index != branch.attempt.first:  # the system's timer may be over by then
        call.start(branch.goal.no_answer or call.settings.no_answer, "member-no-answer", index)


def silent(call: Call, index: int) -> None:
    """Not a word: the next one gets the call, and this one, should it wake up, a CANCEL."""
    branch = call.branches.get(index)
    if branch is None or branch.heard or not branches.rings(branch, branch.attempt):
        return
    if call.attempt is branch.attempt and has_next(branch.goal):
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
    if has_next(goal) and (response.status == 408 or 500 <= response.status < 600):
        return skip(call, branch, response)
    leave(call, goal)
    return False


def has_next(goal: Goal) -> bool:
    """Is there somewhere else to go: a server of this member, or another member?"""
    return bool(goal.members or (goal.place and goal.place.others))


def skip(call: Call, branch: Branch, failure: Response) -> bool:
    """From this server, or this member, to the next."""
    attempt, goal, place = branch.attempt, branch.goal, branch.goal.place
    of_server = failure.status == 503 or (failure.status == 408 and not branch.heard)
    if of_server:
        call.out.append(Shun(goal.member, branch.leg.flow))
    if of_server and place is not None and place.others:
        attempt.failures.append(failure)
        go_to(call, attempt, goal, place.others.pop(0))
        return True
    leave(call, goal)
    if not goal.members:
        return False
    attempt.failures.append(failure)
    attempt.sought.append(goal)
    next_member(call, attempt, goal)
    return True


def leave(call: Call, goal: Goal) -> None:
    """The member has one call less."""
    limits.free(call, [row for row in call.held if row[0] == goal.member])


TIMERS = {"silent": silent, "member-no-answer": overdue}
EVENTS = {MemberSeized: seized, MemberRefused: refused}
