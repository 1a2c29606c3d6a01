"""Session timers (RFC 4028) of each half call: who refreshes, what is refused, who has vanished."""

from __future__ import annotations

import pytest

from rayswitch.calls.call import Call, Settings
from tests.scenarios.switchroom import DOMAIN, WALL, Switchroom, sdp

TIMER = ("supported", "timer")
ANSWER = sdp("10.9.0.1", 6000, codec="0")


def expires(text: str) -> tuple[str, str]:
    return ("session-expires", text)


def call(*answered_with: tuple[str, str], invited_with: tuple[tuple[str, str], ...] = ()) -> Switchroom:
    """An answered call; the callee's 200 and the caller's INVITE carry these headers."""
    room = Switchroom()
    room.a.invite(None, *invited_with)
    room.b.reply(200, ANSWER, *answered_with)
    room.a.ack()
    return room


def shorter(room: Switchroom, **settings: int) -> None:
    """Other settings for a call that has not begun."""
    room.settings = Settings(DOMAIN, **settings)
    room.call = Call(room.id, room.settings, room.ids, WALL)


# -- what is agreed ----------------------------------------------------------------------------------------------------


def test_a_device_is_asked_for_half_an_hour() -> None:
    room = call()
    (invite,) = room.b.got
    assert invite.get("session-expires") == "1800" and "timer" in (invite.get("supported") or "")
    assert not room.a.last().has("session-expires")  # he knows no timers, and nobody else is his refresher


def test_no_interval_is_asked_for_when_it_is_switched_off() -> None:
    room = Switchroom()
    shorter(room, session_expires=0)
    room.a.invite()
    assert not room.b.got[0].has("session-expires")


def test_a_caller_that_knows_timers_gets_one_and_refreshes() -> None:
    room = call(invited_with=(TIMER,))
    assert room.a.last().get("session-expires") == "1800;refresher=uac"
    assert "timer" in (room.a.last().get("require") or "")


@pytest.mark.parametrize(
    ("wish", "granted"),
    [
        ("600", "600;refresher=uac"),
        ("600;refresher=uac", "600;refresher=uac"),
        ("600;refresher=uas", "600;refresher=uas"),
    ],
)
def test_the_caller_says_how_long_and_who(wish: str, granted: str) -> None:
    assert call(invited_with=(TIMER, expires(wish))).a.last().get("session-expires") == granted


def test_who_wants_less_than_is_good_is_told_so_before_anybody_rings() -> None:
    room = Switchroom()
    room.a.invite(None, TIMER, expires("60"))
    assert room.a.statuses() == [422] and room.a.last().get("min-se") == "90"
    assert room.b.got == [] and room.ended
    room = Switchroom()
    room.a.invite(None, expires("60"))  # from a proxy on the way: he could not ask again (§7.1)
    room.b.reply(200, ANSWER)
    assert room.a.last().get("session-expires") == "90;refresher=uas"


def test_a_device_that_wants_more_is_asked_again() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(422, b"", ("min-se", "3600"))
    again = room.b.got[1]
    assert (again.method, str(again.cseq), again.get("min-se")) == ("INVITE", "2 INVITE", "3600")
    assert again.get("session-expires") == "3600" and again.call_id == room.b.got[0].call_id
    room.b.reply(200, ANSWER)
    assert str(room.b.acks[-1].cseq) == "2 ACK" and room.a.statuses() == [200]
    room = Switchroom()
    room.a.invite()
    room.b.reply(422, b"", ("min-se", "90"))  # nothing would change
    room.b.reply(422, b"", ("min-se", "90"))
    assert len(room.b.got) <= 2 and room.a.statuses() != []


# -- refreshing --------------------------------------------------------------------------------------------------------


def test_our_turn_an_update_at_half_the_interval_and_again_after_it() -> None:
    room = call(expires("200;refresher=uac"), ("allow", "INVITE, UPDATE, BYE"))
    room.clock.run(99)
    assert room.b.methods() == ["INVITE"]
    room.clock.run(2)
    update = room.b.got[-1]
    assert update.method == "UPDATE" and not update.body and update.get("session-expires") == "200;refresher=uac"
    room.b.reply(200, b"", expires("200;refresher=uac"))
    room.clock.run(98)
    assert len(room.b.got) == 2
    room.clock.run(3)
    assert room.b.methods() == ["INVITE", "UPDATE", "UPDATE"]


def test_our_turn_with_a_phone_that_knows_no_update() -> None:
    room = call(expires("200;refresher=uac"), ("allow", "INVITE, BYE"))
    offered = room.a.last().body
    room.clock.run(101)
    invite = room.b.got[-1]
    assert invite.method == "INVITE" and invite.to.tag and invite.body == room.b.got[0].body
    room.b.reply(200, ANSWER, expires("200;refresher=uac"))
    assert len(room.b.acks) == 2 and room.call.exchange is None
    assert room.a.last().body == offered and room.a.got == []  # the caller hears nothing of it


def test_nobody_answers_our_refresh_and_the_call_ends_before_the_interval() -> None:
    room = call(expires("200;refresher=uac"), ("allow", "INVITE, UPDATE, BYE"))
    room.clock.run(101)
    room.b.silent()
    assert room.a.methods() == ["BYE"] or room.a.got == []
    room.clock.run(70)
    assert room.a.methods() == ["BYE"]
    room.settle()
    assert room.row()["duration"] <= 169


def test_his_turn_and_nothing_comes() -> None:
    room = call(invited_with=(TIMER, expires("300;refresher=uac")))
    room.clock.run(267)
    assert room.b.methods() == ["INVITE"]
    room.clock.run(2)
    assert room.b.methods() == ["INVITE", "BYE"] and room.a.methods() == ["BYE"]
    assert room.b.got[-1].get("reason") == 'Q.850;cause=102;text="Session expired"'
    room.settle()
    assert (room.row()["cause"], room.row()["q850"]) == ("Session expired", 102)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_his_turn_and_he_refreshes(method: str) -> None:
    room = call(invited_with=(TIMER, expires("300;refresher=uac")))
    for _ in range(3):
        room.clock.run(150)
        number = room.a.send(method, sdp() if method == "INVITE" else b"", TIMER, expires("300;refresher=uac"))
        assert room.a.statuses(number) == [200]
        assert room.a.last().get("session-expires") == "300;refresher=uac"
        if method == "INVITE":
            room.a.ack(number=number)
    assert room.b.methods() == ["INVITE"]  # the same description: nobody else is asked
    room.clock.run(267)
    assert room.b.methods() == ["INVITE"]
    room.clock.run(2)
    assert room.b.methods() == ["INVITE", "BYE"]


def test_a_refresh_that_is_too_brief_changes_nothing() -> None:
    room = call(invited_with=(TIMER, expires("300;refresher=uac")))
    number = room.a.send("UPDATE", b"", TIMER, expires("20"))
    assert room.a.statuses(number) == [422]
    room.clock.run(200)
    assert room.call.phase == "answered"


def test_a_refresh_without_an_interval_ends_the_timer() -> None:
    room = call(expires("200;refresher=uas"))
    room.b.send("UPDATE")
    room.clock.run(1000)
    assert room.call.phase == "answered"


def test_a_peer_that_is_gone_ends_the_call_at_once() -> None:
    room = call(expires("200;refresher=uac"), ("allow", "INVITE, UPDATE, BYE"))
    room.clock.run(101)
    room.b.reply(481)
    assert room.a.methods() == ["BYE"]


def test_the_interval_goes_on_after_a_restart() -> None:
    room = call(expires("200;refresher=uac"), ("allow", "INVITE, UPDATE, BYE"), invited_with=(TIMER, expires("400")))
    room.clock.run(50)
    room.restart()
    room.clock.run(45)
    assert "UPDATE" not in room.b.methods()
    room.clock.run(60)
    assert room.b.methods().count("UPDATE") == 1
    room.b.reply(200, b"", expires("200;refresher=uac"))
