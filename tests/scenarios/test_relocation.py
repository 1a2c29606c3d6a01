"""A call goes on from elsewhere: new ports, both sides told one after the other, the former ports given back."""

from __future__ import annotations

import pytest

from rayswitch.calls.events import MediaFigures, MediaGatewayRestarted, Relocated
from rayswitch.calls.features.relocation import LEAVES, LOST
from tests.scenarios.switchroom import Phone, Switchroom, ports_of, sdp


def talking() -> Switchroom:
    room = Switchroom()
    room.talk()
    return room


def told(phone: Phone) -> bool:
    """Has it a re-INVITE that it has not answered?"""
    return (
        phone.got != []
        and phone.methods()[-1] == "INVITE"
        and phone.keys[len(phone.got) - 1] in phone.room.call.pending
    )


def test_both_sides_hear_of_the_new_ports_and_the_old_ones_go_back() -> None:
    room = talking()
    before = ports_of(room.connected[-1])
    room.feed(Relocated(media=LEAVES))
    after = ports_of(room.connected[-1])
    assert len(after) == 2 and not after & before
    assert told(room.a) and not told(room.b)
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert told(room.b) and room.released == []
    room.b.reply(200, sdp("10.9.0.1", 5000, codec="0"))
    assert len(room.a.acks) == 1 and len(room.b.acks) == 2
    assert [room.a.got[-1].body.count(b"m=audio"), room.b.got[-1].body.count(b"m=audio")] == [1, 1]
    told_ports = {int(phone.got[-1].body.split(b"m=audio ")[1].split()[0]) for phone in (room.a, room.b)}
    assert told_ports == after
    room.b.send("BYE")
    room.a.reply(200)
    room.settle()
    assert room.leased == set()
    assert room.row()["packets_rx"] == 10, "what both media gateways have counted"


def test_without_a_loss_of_media_only_the_contact_is_told() -> None:
    room = talking()
    before = ports_of(room.connected[-1])
    room.feed(Relocated(media=""))
    room.a.reply(200, sdp("10.0.0.1", 4000))
    room.b.reply(200, sdp("10.9.0.1", 5000, codec="0"))
    assert ports_of(room.connected[-1]) == before
    assert room.a.methods()[-1] == room.b.methods()[-1] == "INVITE"


@pytest.mark.parametrize("status", [491, 500])
def test_a_side_that_has_something_to_say_itself_is_told_later(status: int) -> None:
    room = talking()
    room.feed(Relocated(media=LEAVES))
    room.a.reply(status)
    assert told(room.b), "the other one need not wait for that"
    room.b.reply(200, sdp("10.9.0.1", 5000, codec="0"))
    room.clock.run(1.0)
    assert told(room.a)
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert len(room.released) == 1


def test_a_side_that_has_left_ends_the_call() -> None:
    room = talking()
    room.feed(Relocated(media=LEAVES))
    room.a.reply(481)
    assert room.b.methods()[-1] == "BYE"
    room.b.reply(200)
    room.settle()
    assert room.row()["cause"] == "Hung up while the call moved"


def test_a_side_that_is_silent_ends_nothing() -> None:
    room = talking()
    room.feed(Relocated(media=LEAVES))
    room.a.silent()
    assert told(room.b)
    room.b.reply(200, sdp("10.9.0.1", 5000, codec="0"))
    assert room.call.phase == "answered"


def test_it_waits_for_an_exchange_that_is_under_way() -> None:
    room = talking()
    room.a.send("INVITE", sdp("10.0.0.1", 4002))
    room.feed(Relocated(media=""))
    room.b.reply(200, sdp("10.9.0.1", 5000, codec="0"))
    room.a.ack()
    room.clock.run(1.0)
    assert told(room.a)


def test_ports_that_nobody_has_are_asked_for_again() -> None:
    room = talking()
    room.media = "refused"
    room.feed(Relocated(media=LEAVES))
    assert not told(room.a) and room.call.phase == "answered"
    room.media = "at once"
    room.clock.run(1.0)
    assert told(room.a)


def test_a_call_that_still_rings_has_lost_what_it_offered() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(180)
    room.feed(Relocated(media=LOST))
    assert room.a.last().status == 503


def test_a_media_gateway_that_comes_back_in_between_changes_nothing() -> None:
    room = talking()
    room.feed(Relocated(media=LEAVES))
    room.feed(MediaGatewayRestarted())
    room.feed(MediaFigures([]))
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert told(room.b)


def test_a_call_that_ends_before_it_has_new_ports_gives_the_old_ones_back() -> None:
    room = talking()
    before = ports_of(room.connected[-1])
    room.media = "late"
    room.feed(Relocated(media=LEAVES))
    room.feed(Relocated(media=LEAVES))
    room.b.send("BYE")
    (released,) = room.released
    assert released.connected and before and len(room.asked) == 2, "what was asked for is asked for once"
    room.a.reply(200)
    room.lease()
    room.settle()
    assert room.leased == set()
