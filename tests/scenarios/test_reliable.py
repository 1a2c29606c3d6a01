"""Reliable provisional responses on either side, each half call by itself (RFC 3262)."""

from __future__ import annotations

import pytest

from rayswitch.sip.message import Response
from tests.scenarios.switchroom import Phone, Switchroom, sdp

EARLY = sdp("10.9.0.1", 6000, codec="0")
OTHER = sdp("10.9.0.2", 7000, codec="0")
CAN = ("supported", "timer, 100REL")
MUST = ("require", "100rel")
UPDATES = ("allow", "INVITE, UPDATE, PRACK")


def reliable(phone: Phone, number: int, status: int = 183, body: bytes = EARLY, *headers: tuple[str, str]) -> None:
    """A device's reliable response."""
    phone.reply(status, body, MUST, ("rseq", str(number)), *headers, to=0)


def rack(response: Response) -> tuple[str, str]:
    return "rack", f"{response.get('rseq')} {response.cseq.number} INVITE"


def prack(phone: Phone, response: Response, body: bytes = b"") -> list[int]:
    """The caller's PRACK of a response; what the switch says to it."""
    phone.peer_tag = response.to.tag or ""
    return phone.statuses(phone.send("PRACK", body, rack(response)))


def asking(*headers: tuple[str, str], devices: int = 1) -> Switchroom:
    room = Switchroom(devices)
    room.a.invite(None, *headers)
    return room


# -- towards the caller ------------------------------------------------------------------------------------------------


def test_a_caller_that_does_not_know_it_gets_plain_responses() -> None:
    room = asking(("supported", "timer"))
    reliable(room.b, 5)
    assert room.a.last().status == 183 and not room.a.last().has("rseq") and not room.a.last().has("require")
    room.clock.run(3)
    assert room.a.statuses() == [183]


def test_early_media_is_reliable_for_who_can_and_ringing_for_who_must() -> None:
    room = asking(CAN)
    room.b.reply(180)
    assert not room.a.last().has("rseq")
    room.b.reply(183, EARLY)
    assert room.a.last().get("require") == "100rel" and int(room.a.last().get("rseq") or 0) >= 1
    room = asking(MUST)
    room.b.reply(180)
    assert room.a.last().status == 180 and room.a.last().get("require") == "100rel"


def test_it_is_repeated_until_the_prack() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    first = room.a.last()
    room.clock.run(1.6)  # T1, then 2 T1
    assert room.a.statuses() == [183] * 3 and len({answer.get("rseq") for answer in room.a.answers}) == 1
    assert prack(room.a, first) == [200]
    said = len(room.a.answers)
    room.clock.run(20)
    assert len(room.a.answers) == said
    assert prack(room.a, first) == [481], "a second PRACK acknowledges nothing"


def test_without_a_prack_the_call_is_refused() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    room.clock.run(31.9)
    assert 504 not in room.a.statuses()
    room.clock.run(0.2)
    assert room.a.statuses()[-1] == 504 and len(room.b.cancels) == 1
    room.settle()
    assert room.ended and room.row()["cause"] == "No PRACK"


@pytest.mark.parametrize("value", ["", "1 1 INVITE", "x", "{} 2 INVITE", "{} 1 UPDATE", "{} 1"])
def test_a_prack_that_fits_nothing_is_481(value: str) -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    text = value.format(room.a.last().get("rseq"))
    number = room.a.send("PRACK", b"", ("rack", text))
    assert room.a.statuses(number) == [481]
    room.clock.run(0.6)
    assert room.a.statuses().count(183) == 2, "it is still waited for"


def test_a_prack_where_nothing_was_promised() -> None:
    room = asking()
    room.b.reply(183, EARLY)
    assert room.a.statuses(room.a.send("PRACK", b"", ("rack", "1 1 INVITE"))) == [481]
    assert room.b.statuses(room.b.send("PRACK", b"", ("rack", "1 1 INVITE"))) == [481]


def test_one_at_a_time_in_order() -> None:
    room = asking(MUST)
    room.b.reply(180)
    room.b.reply(183, EARLY)
    room.b.reply(182)
    assert room.a.statuses() == [180]
    numbers = []
    for status in (180, 183, 182):
        assert room.a.statuses()[-1] == status
        response = room.a.last()
        numbers.append(int(response.get("rseq") or 0))
        room.a.peer_tag = response.to.tag or ""
        room.a.send("PRACK", b"", rack(response))
        room.a.answers = [answer for answer in room.a.answers if answer.cseq.method == "INVITE"]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_the_200_waits_for_the_prack_of_the_description() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    early = room.a.last()
    room.b.reply(200, EARLY)
    assert 200 not in room.a.statuses() and len(room.b.acks) == 1
    assert prack(room.a, early) == [200]
    final = room.a.last()
    assert (final.status, final.cseq.method, final.body) == (200, "INVITE", b""), "he has the description already"
    room.a.ack(number=1)
    room.a.send("BYE")
    room.settle()
    assert room.ended and room.row()["q850"] == 16


def test_a_200_that_waits_for_a_prack_which_never_comes() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    room.b.reply(200, EARLY)
    room.clock.run(33)
    assert room.a.statuses()[-1] == 504 and room.b.methods() == ["INVITE", "BYE"]
    room.settle()
    assert room.ended and room.leased == set()


def test_a_prack_after_the_end_answers_nothing() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    early = room.a.last()
    room.b.reply(200, EARLY)
    room.a.cancel()
    assert prack(room.a, early) == [200] and room.a.statuses(1) == [183, 487]


def test_the_200_does_not_wait_for_the_prack_of_mere_ringing() -> None:
    room = asking(MUST)
    room.b.reply(180)
    ringing = room.a.last()
    room.b.reply(200, EARLY)
    assert room.a.last().status == 200 and room.a.last().body
    assert prack(room.a, ringing) == [200]
    room.clock.run(0.6)
    assert room.a.statuses().count(180) == 1, "an answered INVITE has nothing provisional any more"


def test_a_cancel_ends_the_repetitions() -> None:
    room = asking(CAN)
    room.b.reply(183, EARLY)
    room.a.cancel()
    room.clock.run(5)
    assert room.a.statuses() == [183, 487]


def test_without_an_offer_nothing_can_be_promised() -> None:
    """The first reliable response would have to hold the offer (§5)."""
    room = Switchroom()
    room.a.invite(b"", MUST)
    assert room.b.got[0].get("supported") == "timer, replaces"
    room.b.reply(180)
    assert room.a.statuses() == []
    room.b.reply(200, EARLY)
    assert room.a.statuses() == [200]
    room = Switchroom()
    room.a.invite(b"", CAN)
    room.b.reply(180)
    assert room.a.statuses() == [180] and not room.a.last().has("rseq")


# -- towards a device --------------------------------------------------------------------------------------------------


def test_a_device_gets_a_prack_for_each_once() -> None:
    room = asking()
    assert "100rel" in (room.b.got[0].get("supported") or "")
    reliable(room.b, 70, 180, b"")
    reliable(room.b, 70, 180, b"")
    reliable(room.b, 71)
    assert room.b.methods() == ["INVITE", "PRACK", "PRACK"]
    assert [request.get("rack") for request in room.b.got[1:]] == ["70 1 INVITE", "71 1 INVITE"]
    assert [request.cseq.number for request in room.b.got[1:]] == [2, 3]
    assert room.a.statuses() == [180, 183]


def test_one_that_is_not_the_next_is_not_looked_at() -> None:
    room = asking()
    reliable(room.b, 70, 180, b"")
    reliable(room.b, 72)
    room.b.reply(183, EARLY, MUST, ("rseq", "x"), to=0)
    room.b.reply(183, EARLY, MUST, to=0)
    assert room.b.methods() == ["INVITE", "PRACK"] and room.a.statuses() == [180]


def test_numbers_go_on_after_the_answer() -> None:
    room = asking()
    reliable(room.b, 70)
    room.b.reply(200, b"", to=1)
    room.b.reply(200, EARLY, to=0)
    room.a.ack()
    room.a.send("BYE")
    assert [str(request.cseq) for request in room.b.got] == ["1 INVITE", "2 PRACK", "3 BYE"]
    assert str(room.b.acks[0].cseq) == "1 ACK"


def test_a_reliable_answer_is_final() -> None:
    """What a 200 says after a reliable description does not count (RFC 6337 §2.1)."""
    room = asking()
    reliable(room.b, 70)
    room.b.reply(200, sdp("10.66.6.6", 9999), to=0)
    assert room.a.last().status == 200 and b"m=audio" in room.a.last().body
    assert room.connected[-1].streams[0][3] == ["10.9.0.1", 6000]
    room = asking()
    reliable(room.b, 70)
    room.b.reply(200, to=0)
    assert room.a.last().status == 200 and b"m=audio" in room.a.last().body


def test_a_failed_prack_changes_nothing() -> None:
    room = asking()
    reliable(room.b, 70)
    room.b.reply(481, to=1)
    room.b.reply(200, EARLY, to=0)
    assert room.a.statuses()[-1] == 200


def test_two_devices_behind_one_proxy_have_numbers_of_their_own() -> None:
    room = asking()
    reliable(room.b, 70, 180, b"")
    room.b.reply(180, b"", MUST, ("rseq", "9"), to=0, tag="another")
    assert [request.get("rack") for request in room.b.got[1:]] == ["70 1 INVITE", "9 1 INVITE"]
    assert [request.to.tag for request in room.b.got[1:]] == [room.b.tag, "another"]


# -- both, and offers in early dialogs ---------------------------------------------------------------------------------


def both_settled() -> Switchroom:
    room = asking(CAN, UPDATES)
    reliable(room.b, 70, 183, EARLY, UPDATES)
    room.b.reply(200, to=1)
    assert prack(room.a, room.a.last()) == [200]
    return room


def test_an_update_of_the_caller_in_an_early_dialog() -> None:
    room = both_settled()
    number = room.a.send("UPDATE", sdp("10.0.0.1", 4444))
    assert room.b.methods() == ["INVITE", "PRACK", "UPDATE"] and not room.a.statuses(number)
    room.b.reply(200, sdp("10.9.0.1", 6006))
    assert room.a.statuses(number) == [200] and room.a.last().body
    assert room.connected[-1].streams[0][1] == ["10.0.0.1", 4444]
    assert room.connected[-1].streams[0][3] == ["10.9.0.1", 6006]
    room.b.reply(200, EARLY, to=0)
    assert room.a.last().status == 200 and room.a.last().body == b""
    assert room.connected[-1].streams[0][3] == ["10.9.0.1", 6006], "the 200 tells nothing new"


def test_an_update_of_the_device_in_an_early_dialog() -> None:
    room = both_settled()
    number = room.b.send("UPDATE", sdp("10.9.0.1", 6008))
    assert room.a.methods() == ["UPDATE"] and b"m=audio" in room.a.got[0].body
    room.a.reply(200, sdp("10.0.0.1", 4000), UPDATES)
    assert room.b.statuses(number) == [200]
    assert room.connected[-1].streams[0][3] == ["10.9.0.1", 6008]


def test_an_offer_in_the_prack_itself() -> None:
    room = asking(CAN, UPDATES)
    reliable(room.b, 70, 183, EARLY, UPDATES)
    number = room.a.send("PRACK", sdp("10.0.0.1", 4444), rack(room.a.last()))
    assert room.b.methods() == ["INVITE", "PRACK", "UPDATE"]
    room.b.reply(200, EARLY)
    assert room.a.statuses(number) == [200] and b"m=audio" in room.a.last().body


def test_an_update_that_only_one_side_could_take_has_to_wait() -> None:
    room = asking(UPDATES)  # the caller does not know reliable responses: nothing is settled for him
    reliable(room.b, 70, 183, EARLY, UPDATES)
    assert room.b.statuses(room.b.send("UPDATE", EARLY)) == [491]
    assert room.a.statuses(room.a.send("UPDATE", sdp())) == [500]


def test_the_answer_overtakes_the_update() -> None:
    room = both_settled()
    number = room.a.send("UPDATE", sdp("10.0.0.1", 4444))
    room.b.reply(200, to=0)
    assert room.a.last().cseq.method == "INVITE" and room.a.last().status == 200
    room.a.ack(number=1)
    room.b.reply(200, sdp("10.9.0.1", 6006), to=2)
    assert room.a.statuses(number) == [200]
    room.a.send("BYE")
    room.settle()
    assert room.ended and room.leased == set()


@pytest.mark.parametrize("end", ["cancel", "busy", "order"])
def test_the_end_while_an_early_update_is_open(end: str) -> None:
    room = both_settled()
    number = room.a.send("UPDATE", sdp("10.0.0.1", 4444))
    if end == "cancel":
        room.a.cancel()
    elif end == "busy":
        room.b.reply(486, to=0)
    else:
        room.order_release()
    assert room.a.statuses(number) == [487] and room.a.statuses(1)[-1] >= 480
    room.settle()
    assert room.ended and room.leased == set()


# -- one caller, descriptions of several devices -----------------------------------------------------------------------


def tags(phone: Phone, number: int = 1) -> list[str]:
    """The To tags of the answers to a request, each once, in order."""
    return list(dict.fromkeys(answer.to.tag or "" for answer in phone.answers if answer.cseq.number == number))


@pytest.mark.parametrize("caller", [(), (CAN,)])
def test_the_answer_of_another_device_is_another_dialog(caller: tuple[tuple[str, str], ...]) -> None:
    room = asking(*caller, devices=2)
    room.b.reply(183, EARLY)
    room.devices[1].reply(180)
    assert len(tags(room.a)) == 1
    room.devices[1].reply(200, OTHER)
    final = room.a.last()
    assert final.status == 200 and len(tags(room.a)) == 2 and final.to.tag == tags(room.a)[1]
    assert final.body and room.connected[-1].streams[0][3] == ["10.9.0.2", 7000]
    room.a.ack()
    said = len(room.a.answers)
    room.clock.run(20)
    assert len(room.a.answers) == said
    room.a.send("BYE")
    assert room.devices[1].methods() == ["INVITE", "BYE"] and room.a.last().status == 200
    room.settle()
    assert room.ended


def test_the_answer_of_the_device_that_spoke_is_the_same_dialog() -> None:
    room = asking(devices=2)
    room.devices[1].reply(180)
    room.b.reply(183, EARLY)
    room.b.reply(200, EARLY)
    assert len(tags(room.a)) == 1


def test_a_device_that_speaks_after_another_has_left() -> None:
    room = asking(CAN, devices=2)
    room.b.reply(183, EARLY)
    assert prack(room.a, room.a.last()) == [200]
    room.b.reply(486)
    room.devices[1].reply(183, OTHER)
    second = room.a.last()
    assert second.to.tag != room.a.answers[0].to.tag and second.get("rseq")
    room.a.cseq = 1  # the second dialog has numbers of its own
    assert prack(room.a, second)[-1] == 200
    room.devices[1].reply(200, OTHER)
    assert room.a.last().to.tag == second.to.tag and room.a.last().body == b""


def test_the_dialog_of_a_device_that_lost_is_over() -> None:
    room = asking(CAN, UPDATES, devices=2)
    reliable(room.b, 70, 183, EARLY, UPDATES)
    first = room.a.last()
    assert prack(room.a, first) == [200]
    number = room.a.send("UPDATE", sdp("10.0.0.1", 4444))
    room.devices[1].reply(200, OTHER)
    assert room.a.statuses(number) == [481]
    room.a.ack(number=1)
    room.a.peer_tag = first.to.tag or ""
    assert room.a.statuses(room.a.send("UPDATE")) == [481]
