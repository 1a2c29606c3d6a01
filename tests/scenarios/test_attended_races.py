"""Attended transfer when something else happens at the same moment."""

from __future__ import annotations

import pytest

from rayswitch.calls.events import Relocated
from rayswitch.calls.features.relocation import LEAVES
from tests.scenarios.switchroom import DOMAIN, Phone, Switchroom, ports_of, sdp
from tests.scenarios.test_attended_transfer import Consultation, room_of_three

HOLD = sdp("10.9.0.1", 6000, direction="sendonly")


def on_its_way_to_hold() -> tuple[Consultation, int]:
    """200 has just put 300 on hold, who has not answered that yet, and transfers."""
    talk = Consultation()
    hold = talk.again.send("INVITE", HOLD)
    talk.order()
    return talk, hold


def test_who_stays_hangs_up_while_the_place_is_waited_for() -> None:
    """200 and 300 talk on."""
    talk, hold = on_its_way_to_hold()
    talk.stays.send("BYE")
    talk.pass_on()
    talk.target.reply(200, sdp("10.9.0.3", 7000, direction="recvonly"))
    talk.again.ack(number=hold)
    count = len(talk.target.got)
    talk.first.clock.run(1)
    assert len(talk.target.got) == count and talk.second.call.phase == "answered"


def test_the_target_hangs_up_while_its_place_is_waited_for() -> None:
    """It is rung: the first call hears at once that there is no place any more."""
    talk, _ = on_its_way_to_hold()
    talk.target.send("BYE")
    talk.second.settle()
    talk.first.clock.run(1)
    assert talk.second.ended and talk.first.inquiries[-1].called == "300"


def test_a_phone_gives_up_while_it_waits_for_its_place() -> None:
    room, dora, place = room_of_three()
    hold = room.b.send("INVITE", HOLD)
    dora.enter(place)
    dora.cancel()
    assert dora.statuses() == [487]
    room.a.reply(200, sdp())
    room.b.ack(number=hold)
    room.clock.run(1)
    assert dora.statuses() == [487] and "BYE" not in room.b.methods()
    room.b.send("BYE")
    room.settle()
    assert room.row("b2")["sip_status"] == 487


def test_the_call_ends_while_a_phone_waits_for_its_place() -> None:
    room, dora, place = room_of_three()
    room.b.send("INVITE", HOLD)
    dora.enter(place)
    room.a.send("BYE")
    room.settle()
    assert room.ended and dora.statuses() == [603] and room.row("b2")["sip_status"] == 603


def test_the_first_call_waits_for_new_ports_when_it_is_joined() -> None:
    """It needs none; the former ones go back, and it can move again."""
    talk = Consultation()
    talk.order()
    talk.first.media = "later"
    talk.first.feed(Relocated(LEAVES))
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    talk.first.lease()
    talk.stays.reply(200, sdp("10.0.0.1", 4000))
    talk.first.clock.run(1)
    talk.stays.reply(200, sdp("10.0.0.1", 4000))
    talk.first.clock.run(1)
    assert talk.first.call.moving == [] and talk.first.call.former is None and talk.first.leased == set()


def phone(room: Switchroom, name: str, number: str, host: str) -> Phone:
    """One more, which is registered as `number`."""
    one = Phone(room, name, (host, 5070))
    room.devices.append(one)
    room.homes = {f"{number}@{DOMAIN}": [[one.uri, list(one.flow), []]]}
    return one


def test_both_of_the_new_two_transfer_at_once() -> None:
    """100 to 500, 300 to 400; the news of 400 are on their way to 100 when 500 answers."""
    talk = Consultation()
    talk.connect()
    eve, frank = phone(talk.first, "eve", "500", "10.9.0.50"), phone(talk.second, "frank", "400", "10.9.0.40")
    talk.target.send("REFER", b"", ("refer-to", f"<sip:400@{DOMAIN}>"))
    talk.stays.send("REFER", b"", ("refer-to", f"<sip:500@{DOMAIN}>"))
    frank.reply(200, sdp("10.9.0.40", 9000, codec="8"))
    talk.pass_on()
    assert talk.stays.methods()[-1] == "INVITE"
    eve.reply(200, sdp("10.9.0.50", 9100, codec="8"))
    for _ in range(3):
        talk.first.clock.run(5)
        for one in (eve, frank):
            for index in range(len(one.got)):
                if one.keys[index] in one.room.call.pending:
                    one.reply(200, sdp(one.host, 9100 if one is eve else 9000, codec="8"), to=index)
    assert talk.first.call.phase == talk.second.call.phase == "answered"
    for room, other, port in ((talk.first, talk.second, 9100), (talk.second, talk.first, 9000)):
        (stream,) = room.connected[-1].streams
        remotes = {stream[1][1], stream[3][1]}
        assert port in remotes and remotes - {port} <= ports_of(other.connected[-1])


def test_who_stays_says_500_because_he_is_busy() -> None:
    """RFC 3261 §14.2: an INVITE of ours was open, and it comes again."""
    talk = Consultation()
    talk.order()
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    talk.stays.reply(500, b"", ("retry-after", "2"))
    talk.first.clock.run(5)
    assert talk.first.call.phase == "answered" and talk.stays.methods()[-2:] == ["INVITE", "INVITE"]


def test_both_calls_move_at_once() -> None:
    """Their offers to each other cross (491), once."""
    talk = Consultation()
    talk.connect()
    talk.first.feed(Relocated(""))
    talk.second.feed(Relocated(""))
    talk.pass_on()
    for _ in range(30):
        for one in (talk.stays, talk.target):
            if one.keys[len(one.got) - 1] in one.room.call.pending:
                one.reply(200, sdp(one.host, 4000 if one is talk.stays else 7000, codec="0"))
        talk.first.clock.run(0.1)
    for room in (talk.first, talk.second):
        assert room.call.moving == [] and room.call.exchange is None


@pytest.mark.parametrize("acknowledges", [True, False])
def test_who_transfers_has_not_acknowledged_his_hold(acknowledges: bool) -> None:
    """The BYE waits for his ACK (RFC 3261 §15), and comes."""
    talk = Consultation()
    hold = talk.orders.send("INVITE", HOLD)
    talk.stays.reply(200, sdp(direction="recvonly"))
    talk.connect()
    assert "BYE" not in talk.orders.methods()
    if acknowledges:
        talk.orders.ack(number=hold)
    talk.first.clock.run(33)
    assert talk.orders.methods().count("BYE") == 1 and talk.first.call.phase == "answered"


@pytest.mark.parametrize("hangs_up", [True, False])
def test_the_target_has_an_offer_of_its_own(hangs_up: bool) -> None:
    """491: it is asked again (RFC 3261 §14.1), be 200 still there or not."""
    talk = Consultation()
    talk.order()
    if hangs_up:
        talk.again.send("BYE")
    talk.target.reply(491)
    talk.first.clock.run(5)
    assert talk.told() == ["100"] and talk.target.methods() == ["INVITE"] * 3
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    assert talk.told() == ["100", "200"] and talk.again.methods() == ([] if hangs_up else ["BYE"])


def test_a_target_that_is_always_busy() -> None:
    talk = Consultation()
    talk.order()
    for _ in range(3):
        talk.target.reply(491)
        talk.first.clock.run(5)
    assert talk.told() == ["100", "491"] and talk.first.call.phase == talk.second.call.phase == "answered"


def test_who_transfers_hangs_up_while_the_place_is_waited_for() -> None:
    """His hold is answered to nobody; the target is not disturbed by his BYE."""
    talk, hold = on_its_way_to_hold()
    bye = talk.again.send("BYE")
    assert talk.again.statuses(bye) == [200] and talk.again.statuses(hold) == [487]
    talk.target.reply(200, sdp("10.9.0.3", 7000, direction="recvonly"))
    talk.first.clock.run(0.3)
    assert "BYE" not in talk.target.methods()
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    assert talk.told() == ["100", "200"] and talk.stays.got[-1].method == "INVITE" and talk.again.methods() == []


def test_he_does_so_and_nobody_comes() -> None:
    talk, _ = on_its_way_to_hold()
    talk.again.send("BYE")
    talk.stays.send("BYE")
    talk.pass_on()
    assert talk.target.methods()[-1] == "BYE" and talk.second.call.phase == "ending"
