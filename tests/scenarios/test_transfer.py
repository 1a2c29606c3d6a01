"""Blind transfer by either side: who is rung, who hears what, who talks to whom in the end, and every way it fails."""

from __future__ import annotations

import pytest

from rayswitch.calls.routing.route import Route
from tests.scenarios.switchroom import DOMAIN, Phone, Switchroom, sdp

TARGET = sdp("10.9.0.3", 7000, codec="0")


def room_of_three() -> tuple[Switchroom, Phone]:
    """100 talks with 200; 300 is somebody else."""
    room = Switchroom(devices=3)
    target = room.devices[2]
    room.homes = {
        f"{number}@{DOMAIN}": [[phone.uri, list(phone.flow), []]]
        for number, phone in (("100", room.a), ("200", room.b), ("300", target))
    }
    room.talk()
    return room, target


def order(phone: Phone, to: str = f"<sip:300@{DOMAIN}>", *headers: tuple[str, str]) -> int:
    return phone.send("REFER", b"", ("refer-to", to), *headers)


def told(phone: Phone) -> list[tuple[str, str]]:
    """What NOTIFY has said: the status line, and the state of the subscription."""
    return [
        (request.body.decode().strip(), (request.get("subscription-state") or "").partition(";")[0])
        for request in phone.got
        if request.method == "NOTIFY"
    ]


def agree(phone: Phone) -> None:
    """200 to every NOTIFY."""
    for index, request in enumerate(list(phone.got)):
        if request.method == "NOTIFY" and phone.keys[index] in phone.room.call.pending:
            phone.reply(200, to=index)


@pytest.mark.parametrize("who", ["callee", "caller"])
def test_the_other_one_talks_with_the_target(who: str) -> None:
    room, target = room_of_three()
    orders, stays = (room.b, room.a) if who == "callee" else (room.a, room.b)
    number = order(orders)
    assert orders.statuses(number) == [202]
    (invite,) = target.got
    assert str(invite.from_.uri) == f"sip:{'100' if who == 'callee' else '200'}@{DOMAIN}"
    assert invite.get("referred-by") == f"<sip:{'200' if who == 'callee' else '100'}@{DOMAIN}>"
    assert stays.got[-1:] == ([] if who == "callee" else room.b.got[:1])  # he hears nothing of it yet
    target.reply(180)
    target.reply(200, TARGET)
    assert told(orders) == [
        ("SIP/2.0 100 Trying", "active"),
        ("SIP/2.0 180 Ringing", "active"),
        ("SIP/2.0 200 OK", "terminated"),
    ]
    agree(orders)
    assert orders.methods()[-1] == "BYE" and len(target.acks) == 1
    orders.reply(200)
    again = stays.got[-1]
    assert again.method == "INVITE" and again.to.tag
    stays.reply(200, sdp("10.0.0.9", 4444))
    (stream,) = room.connected[-1].streams
    assert sorted([stream[1][1], stream[3][1]]) == [4444, 7000]
    number = target.send("BYE")
    assert target.statuses(number) == [200] and stays.methods()[-1] == "BYE"
    room.settle()
    row = room.row()
    assert row["sip_status"] == 200 and row["marks"][0].startswith("transferred by ")
    assert room.leased == set()


def test_requests_pass_between_the_new_two() -> None:
    room, target = room_of_three()
    order(room.a)
    target.reply(200, TARGET)
    room.a.reply(200, to=-1)
    room.b.reply(200, sdp("10.9.0.1", 6000))
    number = target.send("INVITE", sdp("10.9.0.3", 7002))
    assert room.b.got[-1].method == "INVITE"
    room.b.reply(200, sdp("10.9.0.1", 6000))
    assert target.statuses(number) == [200]
    target.ack(number=number)
    number = room.b.send("INFO", b"5", ("content-type", "application/dtmf"))
    target.reply(200)
    assert room.b.statuses(number) == [200]
    assert room.a.statuses(room.a.send("INFO", b"x", ("content-type", "text/plain"))) == [481]


def test_one_who_was_put_on_hold_is_offered_as_open() -> None:
    room, target = room_of_three()
    room.a.send("INVITE", sdp(direction="sendonly"))
    room.b.reply(200, sdp("10.9.0.1", 6000, direction="recvonly"))
    room.a.ack()
    order(room.a)
    assert b"recvonly" not in target.got[0].body and b"sendonly" not in target.got[0].body
    target.reply(200, TARGET)
    assert b"sendonly" not in room.b.got[-1].body


@pytest.mark.parametrize("status", [486, 404, 603, 302])
def test_a_target_that_refuses_leaves_the_call_as_it_was(status: int) -> None:
    room, target = room_of_three()
    order(room.b)
    target.reply(status)
    assert told(room.b)[-1][0].startswith(f"SIP/2.0 {status}") and told(room.b)[-1][1] == "terminated"
    agree(room.b)
    assert room.call.phase == "answered" and "BYE" not in room.b.methods()
    number = room.a.send("INFO", b"5", ("content-type", "application/dtmf"))
    room.b.reply(200)
    assert room.a.statuses(number) == [200]
    number = order(room.b)  # and he may try again
    assert room.b.statuses(number) == [202] and room.b.got[-1].get("event") == f"refer;id={number}"


def test_what_the_dial_plan_refuses_him_he_cannot_give_to_another() -> None:
    room, _ = room_of_three()
    room.routes["300"] = Route("reject", status=403, reason="Call level 3 needed", q850=21)
    order(room.b)
    assert [(asked.caller, asked.called, asked.rights) for asked in room.inquiries[1:]] == [("100", "300", "200")]
    assert told(room.b)[-1] == ("SIP/2.0 403 Call level 3 needed", "terminated")


def test_nobody_answers_in_time() -> None:
    room, target = room_of_three()
    order(room.b)
    target.reply(180)
    room.clock.run(61)
    assert told(room.b)[-1][0].startswith("SIP/2.0 408") and len(target.cancels) == 1
    assert room.call.phase == "answered"


def test_who_transfers_may_hang_up_at_once() -> None:
    room, target = room_of_three()
    order(room.b)
    number = room.b.send("BYE")
    assert room.b.statuses(number) == [200] and room.call.phase == "answered" and "BYE" not in room.a.methods()
    target.reply(180)
    target.reply(200, TARGET)
    assert room.a.got[-1].method == "INVITE" and "BYE" not in room.b.methods()
    room.a.reply(200, sdp("10.0.0.1", 4000))
    room.a.send("BYE")
    assert target.methods()[-1] == "BYE"


def test_he_is_rung_again_when_the_target_fails_then() -> None:
    room, target = room_of_three()
    order(room.b)
    room.b.send("BYE")
    target.reply(486)
    back = room.b.got[-1]
    assert back.method == "INVITE" and not back.to.tag and str(back.from_.uri) == f"sip:100@{DOMAIN}"
    room.b.tag = "again"
    room.b.reply(200, sdp("10.9.0.1", 6006, codec="0"))
    assert room.a.got[-1].method == "INVITE"
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert room.call.phase == "answered"


def test_the_call_ends_when_he_does_not_answer_either() -> None:
    room, target = room_of_three()
    order(room.b)
    room.b.send("BYE")
    target.reply(486)
    room.b.reply(480)
    assert room.a.methods() == ["BYE"]
    room.settle()
    assert room.row()["cause"] == "Transfer failed"


def test_who_stays_hangs_up_meanwhile() -> None:
    room, target = room_of_three()
    order(room.b)
    target.reply(180)
    room.a.send("BYE")
    assert len(target.cancels) == 1 and room.b.methods()[-1] == "BYE"
    room.settle()
    assert room.ended and room.row()["release_side"] == "a"


def test_who_stays_is_busy_with_an_offer_of_his_own() -> None:
    room, target = room_of_three()
    order(room.b)
    target.reply(200, TARGET)
    room.a.reply(491)
    count = len(room.a.got)
    room.clock.run(3)
    assert len(room.a.got) == count + 1 and room.a.got[-1].method == "INVITE"
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert room.call.phase == "answered"


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ("", 400),
        ("<sip:@>", 400),
        ("<sip:300@pbx.example.com;method=BYE>", 501),
    ],
)
def test_an_order_that_makes_no_sense(refer_to: str, status: int) -> None:
    room, target = room_of_three()
    number = order(room.b, refer_to) if refer_to else room.b.send("REFER")
    assert room.b.statuses(number) == [status] and target.got == []


def test_a_second_order_while_one_is_carried_out() -> None:
    room, _ = room_of_three()
    order(room.b)
    assert room.b.statuses(order(room.b)) == [491]
    assert room.a.statuses(order(room.a)) == [491]


def test_without_a_subscription_nobody_is_told() -> None:
    room, target = room_of_three()
    number = order(room.b, f"<sip:300@{DOMAIN}>", ("refer-sub", "false"))
    assert room.b.statuses(number) == [202] and room.b.last().get("refer-sub") == "false"
    target.reply(200, TARGET)
    assert told(room.b) == [] and room.b.methods()[-1] == "BYE"


def test_a_restart_while_the_target_rings() -> None:
    room, _ = room_of_three()
    order(room.b)
    room.restart()
    assert room.call.phase == "answered"  # as if nothing had been asked
    room, _ = room_of_three()
    order(room.b)
    room.b.send("BYE")
    room.call.save()
    room.saved.extend(effect for effect in room.call.out if type(effect).__name__ == "SaveCall")
    room.restart()
    assert room.a.methods() == ["BYE"]


def test_the_new_two_after_a_restart() -> None:
    room, target = room_of_three()
    order(room.a)
    target.reply(200, TARGET)
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.restart()
    number = room.b.send("BYE")
    assert room.b.statuses(number) == [200] and target.methods()[-1] == "BYE"
