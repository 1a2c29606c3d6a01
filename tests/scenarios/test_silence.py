"""The emergency stop: nobody has said anything for minutes."""

from __future__ import annotations

import pytest

from rayswitch.calls.events import MediaSilent
from tests.scenarios.switchroom import Switchroom, sdp


def test_a_silent_call_is_ended_on_both_sides() -> None:
    room = Switchroom()
    room.talk()
    room.feed(MediaSilent(300.0))
    assert room.a.methods() == ["BYE"] and room.b.methods() == ["INVITE", "BYE"]
    assert room.a.got[-1].get("reason") == 'Q.850;cause=41;text="No media"'
    room.settle()
    row = room.row()
    assert (row["cause"], row["q850"], row["release_side"]) == ("No media for 300 s", 41, "")


@pytest.mark.parametrize("hold", ["sendonly", "inactive", "recvonly"])
def test_who_is_on_hold_may_be_silent_until_he_comes_back(hold: str) -> None:
    room = Switchroom()
    room.talk()
    room.a.send("INVITE", sdp(direction=hold))
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.a.ack()
    room.feed(MediaSilent(300.0))
    assert room.call.phase == "answered"
    room.a.send("INVITE", sdp())
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.a.ack()
    room.feed(MediaSilent(300.0))
    assert room.call.phase == "ending"


def test_before_the_answer_and_after_the_end_it_is_nothing() -> None:
    room = Switchroom()
    room.a.invite()
    room.feed(MediaSilent(300.0))
    assert room.call.phase == "ringing"
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.a.ack()
    room.a.send("BYE")
    room.feed(MediaSilent(300.0))
    assert room.a.got == []
