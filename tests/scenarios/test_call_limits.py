"""Limits of calls: who is full rings nobody, and whatever was counted is given back however a call ends."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.calls.routing.route import Route
from tests.scenarios.switchroom import DOMAIN, Switchroom, sdp

ALICE, BOB = f"100@{DOMAIN}", f"200@{DOMAIN}"
ROWS: list[list[Any]] = [[ALICE, True, 2, 1], [BOB, False, 1, None]]
COUNTED = [row[:2] for row in ROWS]


def limited(**answers: bool) -> Switchroom:
    """Both have a limit; `a` and `b` say whether they may have one more."""
    room = Switchroom(devices=2)
    room.routes["200"] = Route("extension", BOB, "100", "200", limits=ROWS)
    room.limits = {{"a": ALICE, "b": BOB}[name]: allowed for name, allowed in answers.items()}
    return room


def test_who_has_no_limit_is_not_counted() -> None:
    room = Switchroom()
    room.talk()
    assert room.admits == [] and room.counted == []


def test_a_call_is_counted_before_anybody_rings_and_until_it_is_over() -> None:
    room = limited()
    room.a.invite()
    assert [effect.rows for effect in room.admits] == [ROWS]
    assert room.b.got == []
    room.limits = {ALICE: True, BOB: True}
    room.admitted(room.admits[0])
    assert room.b.methods() == ["INVITE"] and room.counted == COUNTED
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.a.ack()
    assert room.counted == COUNTED
    room.a.send("BYE")
    assert room.counted == []


@pytest.mark.parametrize(
    ("answers", "status"),
    [({"a": False, "b": True}, 403), ({"a": True, "b": False}, 486), ({"a": False, "b": False}, 403)],
)
def test_who_is_full_rings_nobody(answers: dict[str, bool], status: int) -> None:
    room = limited(**answers)
    room.a.invite()
    assert room.a.statuses() == [status] and room.b.got == [] and room.ended
    assert room.counted == []
    assert room.row()["cause"] == "Too many calls of this extension"


def test_a_call_that_fails_or_is_cancelled_counts_no_more() -> None:
    for end in (lambda room: room.a.cancel(), lambda room: [device.reply(486) for device in room.devices]):
        room = limited(a=True, b=True)
        room.a.invite()
        assert room.counted == COUNTED
        end(room)
        assert room.counted == [] and room.a.statuses()[-1] in (486, 487)


def test_after_a_restart_those_who_count_hear_of_it_again() -> None:
    room = limited(a=True, b=True)
    room.talk()
    room.restart()
    assert room.counted == COUNTED
    room.a.ack()
    room.order_release()
    assert room.counted == []
