"""Several devices ring: RFC 3261 §13.2.2.4 and §16.7 as a B2BUA keeps them, and the ways a call ends before its
answer."""

from __future__ import annotations

import pytest

from rayswitch.calls.features.answer import ELSEWHERE
from rayswitch.calls.routing.route import Route
from rayswitch.sip.events import ResponseReceived
from tests.scenarios.switchroom import Switchroom, fresh, sdp

ANSWER = sdp("10.9.0.1", 6000, codec="0")


def ringing(devices: int) -> Switchroom:
    room = Switchroom(devices)
    room.a.invite()
    for device in room.devices:
        device.reply(180)
    return room


def test_all_devices_ring_and_the_caller_hears_it() -> None:
    room = ringing(3)
    assert [device.methods() for device in room.devices] == [["INVITE"]] * 3
    assert room.a.statuses() == [180, 180, 180]
    assert len({device.got[0].call_id for device in room.devices}) == 3


def test_the_first_2xx_wins_and_the_others_are_cancelled() -> None:
    room = ringing(3)
    room.devices[1].reply(200, ANSWER)
    assert room.a.statuses()[-1] == 200
    assert [device.cancels for device in room.devices] == [[ELSEWHERE], [], [ELSEWHERE]]
    assert len(room.devices[1].acks) == 1
    room.devices[0].reply(487)
    room.devices[2].reply(487)
    assert room.call.phase == "answered" and not room.call.branches


def test_a_late_2xx_gets_ack_and_one_bye_however_often_it_comes() -> None:
    room = ringing(2)
    room.devices[0].reply(200, ANSWER)
    late = room.devices[1]
    for _ in range(3):
        late.reply(200, ANSWER, to=0)
    assert late.methods() == ["INVITE", "BYE"]
    assert len(late.acks) == 3 and {str(ack.cseq) for ack in late.acks} == {"1 ACK"}
    assert room.a.statuses().count(200) == 1


def test_a_2xx_that_crosses_the_cancel_of_the_caller() -> None:
    room = ringing(1)
    room.a.cancel()
    assert room.a.statuses()[-1] == 487
    assert len(room.b.cancels) == 1
    room.b.reply(200, ANSWER)
    assert len(room.b.acks) == 1 and room.b.methods() == ["INVITE", "BYE"]
    room.b.reply(200)
    assert room.ended and room.row()["sip_status"] == 487


def test_the_reason_of_the_callers_cancel_reaches_every_device() -> None:
    room = ringing(2)
    room.a.cancel(reason='SIP;cause=200;text="Call completed elsewhere"')
    assert [device.cancels for device in room.devices] == [['SIP;cause=200;text="Call completed elsewhere"']] * 2


def test_cancel_before_any_device_was_asked() -> None:
    room = Switchroom()
    room.found = None
    room.a.invite()
    room.a.cancel()
    assert room.a.statuses() == [487] and room.ended
    assert room.row()["release_side"] == "a"


def test_cancel_while_the_ports_are_asked_for_gives_them_back_and_rings_nobody() -> None:
    room = Switchroom()
    room.media = "later"
    room.a.invite()
    room.a.cancel()
    room.lease()
    assert room.a.statuses() == [487] and room.b.got == []
    assert room.leased == set() and room.ended


def test_cancel_that_crosses_our_200_changes_nothing() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, ANSWER)
    room.a.cancel()
    room.a.ack()
    assert room.call.phase == "answered" and room.a.statuses() == [200]


def test_bye_before_the_answer_ends_the_early_dialog() -> None:
    room = ringing(1)
    number = room.a.send("BYE")
    assert room.a.statuses(number) == [200] and room.a.statuses(1) == [180, 487]
    assert len(room.b.cancels) == 1


@pytest.mark.parametrize(
    ("failures", "heard"),
    [
        ((486, 404), 486),
        ((404, 486), 404),
        ((500, 486), 486),
        ((503, 480), 480),
        ((408, 486), 486),
        ((486, 415), 415),
        ((302, 486), 486),
        ((503, 503), 480),
        ((500, 503), 500),
        ((407, 408), 403),
        ((302, 302), 480),
    ],
)
def test_the_best_failure_is_passed_on(failures: tuple[int, int], heard: int) -> None:
    room = ringing(2)
    for device, status in zip(room.devices, failures, strict=True):
        assert room.a.statuses() == [180, 180]
        device.reply(status)
    assert room.a.statuses()[-1] == heard and room.ended


def test_6xx_ends_the_search_at_once() -> None:
    room = ringing(3)
    room.devices[1].reply(603)
    assert room.a.statuses()[-1] == 603
    assert [len(device.cancels) for device in room.devices] == [1, 0, 1]
    room.settle()
    assert room.ended and room.row()["sip_status"] == 603


def test_silence_of_one_device_and_loss_of_the_other() -> None:
    room = ringing(2)
    room.devices[0].silent()
    room.devices[1].gone()
    assert room.a.statuses()[-1] == 408
    assert [room.row(leg)["sip_status"] for leg in ("b1", "b2")] == [408, 503]


def test_no_answer_in_time() -> None:
    room = ringing(2)
    room.clock.run(59.9)
    assert room.a.statuses() == [180, 180]
    room.clock.run(0.2)
    assert room.a.statuses()[-1] == 408
    assert [len(device.cancels) for device in room.devices] == [1, 1]
    room.settle()
    assert room.row()["sip_status"] == 408 and room.row()["release_side"] == ""


def test_a_device_that_never_answers_its_cancel_does_not_hold_the_record_up() -> None:
    room = ringing(2)
    room.a.cancel()
    room.devices[0].reply(487)
    room.clock.run(3)
    assert room.row()["sip_status"] == 487 and room.row("b2")["sip_status"] == 487
    assert not room.ended
    room.devices[1].silent()
    assert room.ended


def test_what_a_device_says_about_its_refusal_reaches_the_caller() -> None:
    room = ringing(1)
    room.b.reply(
        486,
        b"",
        ("reason", 'SIP;cause=486;text="x"'),
        ("reason", 'Q.850;cause=21;text="no"'),
        ("retry-after", "30"),
        ("warning", '399 10.9.0.1:5070 "busy"'),
    )
    answer = room.a.last()
    assert answer.get_all("reason") == ['SIP;cause=486;text="x"', 'Q.850;cause=21;text="no"']
    assert answer.get("retry-after") == "30" and answer.get("warning") == f'399 {"pbx.example.com"} "busy"'
    assert room.row()["q850"] == 21


def test_nobody_has_the_number_nobody_is_registered() -> None:
    room = Switchroom()
    room.routes["200"] = Route("reject", status=404, reason="No such number", q850=1)
    room.a.invite()
    assert room.a.statuses() == [404] and room.ended
    assert room.a.last().get("reason") == 'Q.850;cause=1;text="No such number"'
    assert (room.row()["q850"], room.row()["cause"]) == (1, "No such number")
    room = Switchroom()
    room.found = []
    room.a.invite()
    assert room.a.statuses() == [480] and room.ended


def test_media_refused_is_503_before_anything_rings() -> None:
    room = Switchroom(2)
    room.media = "refused"
    room.a.invite()
    assert room.a.statuses() == [503] and room.a.last().get("retry-after")
    assert [device.got for device in room.devices] == [[], []] and room.ended
    assert room.row()["sip_status"] == 503


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"v=0\r\nnonsense", (), 400),
        (sdp("10.0.0.1", 0), (), 488),
        (None, (("record-route", '<sip:proxy;lr>, "open <sip:x>, <'),), 400),
    ],
)
def test_an_invite_that_cannot_be_served(body: bytes, headers: tuple[tuple[str, str], ...], status: int) -> None:
    room = Switchroom()
    room.a.invite(body, *headers)
    assert room.a.statuses() == [status] and room.ended and room.b.got == []


def test_a_2xx_that_makes_no_dialog_is_a_failure_of_that_device() -> None:
    room = ringing(2)
    room.b.reply(200, ANSWER, ("record-route", "<sip:proxy;lr>, <sip:x"))
    assert 200 not in room.a.statuses()
    room.devices[1].reply(200, ANSWER)
    assert room.a.statuses()[-1] == 200


def test_an_answer_without_a_session_is_no_answer() -> None:
    room = ringing(1)
    room.b.reply(200)
    assert room.a.statuses()[-1] == 488
    assert len(room.b.acks) == 1 and room.b.methods() == ["INVITE", "BYE"]
    room.settle()
    assert room.ended and room.row("b1")["answer"] is None


def test_a_repeated_2xx_gets_the_same_ack() -> None:
    room = Switchroom()
    room.talk()
    room.b.reply(200, ANSWER, to=0)
    first, second = room.b.acks
    assert (first.uri, first.rows[1:]) == (second.uri, second.rows[1:])


def test_a_second_answer_behind_a_proxy_is_sent_home_once() -> None:
    room = Switchroom()
    room.talk()
    for _ in range(2):
        room.b.reply(200, ANSWER, to=0, tag="other-phone")
    assert [ack.to.tag for ack in room.b.acks] == ["bob1-tag", "other-phone", "other-phone"]
    assert room.b.methods() == ["INVITE", "BYE"] and room.b.got[1].to.tag == "other-phone"
    assert room.call.phase == "answered"


def test_a_response_nobody_waits_for() -> None:
    room = Switchroom()
    room.talk()
    before = len(room.b.acks)
    stray = fresh(room.a.answers[-1])
    room.feed(ResponseReceived(0, stray, room.a.flow))
    room.b.silent(to=0)
    assert len(room.b.acks) == before and room.call.phase == "answered"


def test_early_media_of_the_first_speaker_alone() -> None:
    room = Switchroom(2)
    room.a.invite()
    room.b.reply(183, ANSWER)
    assert room.a.last().status == 183 and b"198.51.100.7" in room.a.last().body
    assert room.connected[-1].streams[0][3] == ["10.9.0.1", 6000]
    room.devices[1].reply(183, sdp("10.9.0.2", 7000))
    assert room.a.last().status == 183 and not room.a.last().body
    room.b.reply(486)
    room.devices[1].reply(200, sdp("10.9.0.2", 7000))
    assert room.connected[-1].streams[0][3] == ["10.9.0.2", 7000]


def test_the_answer_may_be_that_of_the_early_media() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(183, ANSWER)
    room.b.reply(200)
    assert room.a.last().status == 200 and b"m=audio" in room.a.last().body


def test_a_cancelled_device_is_no_longer_heard() -> None:
    room = ringing(1)
    room.a.cancel()
    room.b.reply(183, ANSWER)
    assert room.a.statuses() == [180, 487]


def test_early_media_is_counted_and_given_back_when_nobody_answers() -> None:
    room = Switchroom(2)
    room.a.invite()
    room.b.reply(183, ANSWER)
    room.a.cancel()
    room.clock.run(0.5)
    assert room.records == []  # one device has not said its last word
    room.settle()
    assert room.ended and room.leased == set()
    assert {row["sip_status"] for row in room.records[0]} == {487}


def test_order_from_above_while_it_rings() -> None:
    room = ringing(2)
    room.order_release()
    assert room.a.statuses()[-1] == 503
    assert [len(device.cancels) for device in room.devices] == [1, 1]
    room.settle()
    assert room.row()["cause"] == "Shutdown" and room.ended
