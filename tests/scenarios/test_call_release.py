"""How a call ends, what stands in its record, and what is left of it after a restart (RFC 3261 §15, 13.3.1.4)."""

from __future__ import annotations

import msgpack
import pytest

from rayswitch.calls.events import MediaFigures, MediaGatewayRestarted, TimerFired
from rayswitch.sip.events import TimedOut
from tests.scenarios.switchroom import WALL, Phone, Switchroom, sdp


def talking() -> Switchroom:
    room = Switchroom()
    room.talk()
    return room


def sides(room: Switchroom, first: str) -> tuple[Phone, Phone]:
    return (room.a, room.b) if first == "a" else (room.b, room.a)


both = pytest.mark.parametrize("first", ["a", "b"])


@both
def test_bye_from_one_side(first: str) -> None:
    room = talking()
    me, other = sides(room, first)
    room.clock.run(10)
    number = me.send("BYE", b"", ("reason", 'SIP;cause=200;text="x"'), ("reason", 'Q.850;cause=17;text="busy"'))
    assert me.statuses(number) == [200]
    bye = other.got[-1]
    assert bye.method == "BYE" and "Q.850;cause=17" in (bye.get("reason") or "")
    other.reply(200)
    room.clock.run(1)
    assert room.ended and room.leased == set()
    assert (room.row()["release_side"], room.row()["q850"], room.row()["duration"]) == (first, 17, pytest.approx(10))


def test_bye_from_both_at_once() -> None:
    room = talking()
    first, second = room.a.send("BYE"), room.b.send("BYE")
    assert room.a.statuses(first) == [200] and room.b.statuses(second) == [200]
    assert room.a.methods() == [] and room.b.methods() == ["INVITE", "BYE"]
    room.b.reply(481)
    room.clock.run(1)
    assert room.ended and room.row()["release_side"] == "a"


@both
def test_a_bye_that_nobody_answers(first: str) -> None:
    room = talking()
    me, other = sides(room, first)
    me.send("BYE")
    other.silent()
    room.clock.run(1)
    assert room.ended and len(room.records) == 1


def test_our_2xx_is_repeated_until_the_ack_and_given_up_after_64_t1() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000))
    for seconds, count in ((0.6, 2), (1.0, 3), (2.0, 4), (4.0, 5), (4.0, 6), (20.0, 11)):
        room.clock.run(seconds)
        assert room.a.statuses(1).count(200) == count
    assert room.call.phase == "answered"
    room.clock.run(0.5)
    assert room.call.phase == "ending" and room.a.methods() == ["BYE"] and room.b.methods()[-1] == "BYE"
    room.settle()
    assert room.row()["sip_status"] == 408 and room.row()["cause"] == "No ACK"


def test_no_bye_to_the_caller_before_his_ack() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.b.send("BYE")
    assert room.a.methods() == []
    room.clock.run(1)
    assert room.a.statuses(1).count(200) == 2 and not room.ended
    room.a.ack()
    assert room.a.methods() == ["BYE"]
    room.a.reply(200)
    assert room.ended


def test_the_ack_never_comes_but_the_bye_goes() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.b.send("BYE")
    room.clock.run(33)
    assert room.a.methods() == ["BYE"]
    room.a.silent()
    assert room.ended and room.row()["release_side"] == "b"


def test_a_caller_that_hangs_up_instead_of_the_ack_needs_no_bye() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.b.send("BYE")
    room.a.send("BYE")
    room.clock.run(1)
    assert room.a.methods() == [] and room.ended


# -- inside the dialog -----------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
def test_info_and_message_pass_with_their_body(first: str, method: str) -> None:
    room = talking()
    me, other = sides(room, first)
    number = me.send(method, b"Signal=5", ("content-type", "application/dtmf-relay"), ("info-package", "x"))
    got = other.got[-1]
    assert (got.method, got.body, got.content_type) == (method, b"Signal=5", "application/dtmf-relay")
    assert got.get("info-package") == "x"
    other.reply(200)
    assert me.statuses(number) == [200]


@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "OPTIONS", "UPDATE"])
def test_questions_whether_the_dialog_lives(method: str) -> None:
    room = talking()
    number = room.a.send(method)
    assert room.a.statuses(number) == [200] and room.b.methods() == ["INVITE"]
    room.b.send("BYE")
    number = room.a.send(method)
    assert room.a.statuses(number) == [481]


@pytest.mark.parametrize(("answer", "heard"), [(415, 415), (401, 403), (603, 603)])
def test_a_refused_info_is_refused(answer: int, heard: int) -> None:
    room = talking()
    number = room.a.send("INFO", b"x", ("content-type", "text/plain"))
    room.b.reply(answer)
    assert room.a.statuses(number) == [heard] and room.call.phase == "answered"


@pytest.mark.parametrize("answer", [481, 408])
def test_an_info_that_finds_nobody_ends_the_call(answer: int) -> None:
    room = talking()
    number = room.a.send("INFO", b"x", ("content-type", "text/plain"))
    room.b.reply(481) if answer == 481 else room.b.silent()
    assert room.a.statuses(number) == ([481] if answer == 481 else [])
    assert room.a.methods() == ["BYE"]


def test_info_before_the_answer() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(180)
    assert room.a.statuses(room.a.send("INFO", b"x", ("content-type", "text/plain"))) == [480]
    assert room.b.statuses(room.b.send("INFO")) == [200]


@pytest.mark.parametrize(("method", "status"), [("REGISTER", 405), ("SUBSCRIBE", 405), ("FOO", 501)])
def test_methods_that_are_not_served(method: str, status: int) -> None:
    room = talking()
    number = room.a.send(method)
    assert room.a.statuses(number) == [status] and "INVITE" in (room.a.last().get("allow") or "")


def test_a_request_of_another_dialog_or_an_older_one() -> None:
    room = talking()
    tag, room.a.tag = room.a.tag, "forged"
    assert room.a.statuses(room.a.send("BYE")) == [481]
    room.a.tag = tag
    room.a.send("INFO")
    room.a.cseq = 1
    room.a.send("INFO")
    assert room.a.last().status == 500 and room.call.phase == "answered"
    room.a.ack(number=9)  # an ACK for nothing


# -- the record ------------------------------------------------------------------------------------------------------


def test_the_rows_of_an_answered_call() -> None:
    room = Switchroom(2)
    room.a.invite()
    room.clock.run(1)
    room.b.reply(180)
    room.clock.run(2)
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="8"))
    room.devices[1].reply(487)
    room.a.ack()
    room.clock.run(60)
    room.b.send("BYE")
    room.settle()
    (rows,) = room.records
    assert [row["leg"] for row in rows] == ["call", "a", "b1", "b2"]
    whole, near, winner, loser = rows
    wanted = {
        "call_id": room.id, "caller": "100", "display": "Alice", "dialled": "200", "reached": "200",
        "start": WALL, "ring": WALL + 1, "answer": WALL + 3, "end": WALL + 63, "duration": 60.0, "release_side": "b",
        "sip_status": 200, "q850": 16, "codec": "PCMA", "marks": [], "packets_rx": 5, "packets_tx": 7, "bytes_rx": 800,
    }  # fmt: skip
    assert {name: whole[name] for name in wanted} == wanted
    assert near == whole | {"leg": "a"}
    assert (winner["packets_rx"], winner["packets_tx"], winner["duration"]) == (7, 5, 60.0)
    assert (loser["answer"], loser["duration"], loser["sip_status"], loser["packets_rx"]) == (None, 0.0, 487, 0)
    assert (loser["reached"], loser["cause"]) == (room.devices[1].uri, "not this device")


def test_the_row_of_a_device_that_refused_says_what_it_said() -> None:
    room = Switchroom(2)
    room.a.invite()
    room.b.reply(486)
    room.devices[1].reply(603)
    assert [room.row(leg)["sip_status"] for leg in ("call", "a", "b1", "b2")] == [603, 603, 486, 603]
    assert [room.row(leg)["q850"] for leg in ("call", "b1", "b2")] == [21, 17, 21]
    assert [room.row(leg)["cause"] for leg in ("call", "b1", "b2")] == ["Decline", "Busy Here", "Decline"]


def test_a_record_without_figures_waits_two_seconds() -> None:
    room = talking()
    room.figures = None
    room.a.send("BYE")
    room.b.reply(200)
    room.clock.run(1.9)
    assert room.records == []
    room.clock.run(0.2)
    assert room.ended and room.row()["packets_rx"] == 0


def test_figures_that_come_twice_or_too_late() -> None:
    room = talking()
    room.figures = None
    room.a.send("BYE")
    room.clock.run(3)
    room.feed(MediaFigures([[{"packets": 1}, {}]]))
    room.feed(TimerFired("record"))
    assert len(room.records) == 1


def test_order_from_above() -> None:
    room = talking()
    room.order_release("Shutdown")
    room.order_release("Shutdown")
    assert room.a.methods() == ["BYE"] and room.b.methods() == ["INVITE", "BYE"]
    room.settle()
    assert (room.row()["cause"], room.row()["release_side"], room.ended) == ("Shutdown", "", True)


# -- restart ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_plain() -> None:
    room = talking()
    for saved in room.saved:
        again = msgpack.unpackb(msgpack.packb(saved.snapshot))
        assert msgpack.packb(again) == msgpack.packb(saved.snapshot)


@both
def test_an_answered_call_goes_on_after_a_restart(first: str) -> None:
    room = talking()
    room.a.send("INFO", b"x", ("content-type", "text/plain"))
    room.b.reply(200)
    used = room.b.got[-1].cseq.number
    saved = room.saved[-1]
    saved.snapshot = msgpack.unpackb(msgpack.packb(saved.snapshot))
    room.clock.run(5)
    described = len(room.connected)
    room.restart()
    assert len(room.connected) == described + 1 and room.connected[-1] == room.connected[-2]
    assert room.a.statuses(1) == [180, 200, 200], "nobody knows whether the 200 was heard"
    room.a.ack(number=1)
    me, other = sides(room, first)
    number = me.send("INVITE", sdp(me.flow.remote[0], 4444, direction="sendonly"))
    assert b"a=sendonly" in other.got[-1].body
    assert first == "b" or other.got[-1].cseq.number > used
    other.reply(200, sdp(other.flow.remote[0], 6666, direction="recvonly"))
    assert me.statuses(number) == [200]
    me.ack()
    other.send("BYE")
    assert me.got[-1].method == "BYE"
    room.settle()
    assert (room.row()["duration"], room.row()["answer"]) == (5.0, WALL)
    assert room.ended and room.leased == set()


def test_an_answer_that_was_never_heard_ends_after_the_restart() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(180)
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.restart()
    room.clock.run(20)
    assert room.a.statuses(1).count(200) > 5 and not room.records
    room.clock.run(20)
    assert [phone.got[-1].method for phone in (room.a, room.b)] == ["BYE", "BYE"]
    room.settle()
    assert room.ended and room.row()["sip_status"] == 408 and room.row()["cause"] == "No ACK"


@both
def test_a_side_that_hung_up_while_the_process_died_ends_the_call(first: str) -> None:
    room = talking()
    room.clock.run(60)
    room.restart()
    room.clock.run(5)
    me, other = sides(room, first)
    assert [phone.got[-1].method for phone in (me, other)] == ["OPTIONS", "OPTIONS"]
    other.reply(200)
    assert room.call.phase == "answered"
    me.reply(481)
    assert me.got[-1].method == "OPTIONS" and other.got[-1].method == "BYE"
    room.settle()
    assert room.ended and room.row()["release_side"] == first


@both
def test_whoever_cannot_be_asked_after_a_restart_is_left_alone(first: str) -> None:
    room = talking()
    room.restart()
    room.a.ack()
    room.clock.run(5)
    me, other = sides(room, first)
    me.gone()
    other.silent()
    assert room.call.phase == "answered" and not room.records


def test_two_restarts_do_not_make_an_answer_heard() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    for _ in range(3):
        room.restart()
        room.clock.run(25)
    room.clock.run(10)
    assert room.a.got[-1].method == "BYE"


def test_an_answer_that_was_heard_at_last_is_not_repeated_by_the_next() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000, codec="0"))
    room.restart()
    room.a.ack()
    said = len(room.a.answers)
    room.restart()
    assert len(room.a.answers) == said


def test_an_old_call_is_not_answered_again_after_a_restart() -> None:
    room = talking()
    room.clock.run(60)
    room.restart()
    assert room.a.statuses(1) == [180, 200]
    room.b.send("BYE")
    assert room.a.got[-1].method == "BYE", "nothing waits for an ACK"


def test_a_restart_in_the_middle_of_ringing_leaves_a_record() -> None:
    room = Switchroom(2)
    room.a.invite()
    room.b.reply(180)
    room.restart()
    assert room.ended and room.row()["sip_status"] == 500 and room.row()["cause"] == "Switch process lost"
    assert [(row["leg"], row["sip_status"]) for row in room.records[0]] == [
        ("call", 500), ("a", 500), ("b1", 500), ("b2", 500),
    ]  # fmt: skip


def test_a_restart_between_bye_and_record_is_no_running_call() -> None:
    room = talking()
    room.clock.run(7)
    room.figures = None
    room.a.send("BYE")
    assert not room.records
    room.restart()
    assert room.ended and (room.row()["duration"], room.row()["sip_status"]) == (7.0, 200)


def test_what_comes_from_before_the_restart() -> None:
    room = talking()
    acks = len(room.b.acks)
    room.restart()
    for key in (0, 1, 2):
        room.feed(TimedOut(key))
        room.feed(TimerFired("2xx", [0, 1]))
    room.feed(TimerFired("no-answer"))
    room.feed(MediaGatewayRestarted())
    assert room.call.phase == "answered"
    room.b.reply(200, sdp("10.9.0.1", 6000), to=0)  # the ACK was lost with the process
    assert len(room.b.acks) == acks + 1 and str(room.b.acks[-1].cseq) == "1 ACK"


def test_a_restarted_media_gateway_is_told_again() -> None:
    room = talking()
    before = len(room.connected)
    room.feed(MediaGatewayRestarted())
    assert len(room.connected) == before + 1
    room.a.send("BYE")
    room.feed(MediaGatewayRestarted())
    assert len(room.connected) == before + 1


# -- what nobody may see ---------------------------------------------------------------------------------------------


def test_nothing_of_one_side_reaches_the_other() -> None:
    room = Switchroom(2)
    room.a.invite(None, ("record-route", "<sip:10.44.0.1;lr>"), ("subject", "hello"), ("x-secret", "10.55.0.1"))
    room.b.reply(183, sdp("10.9.0.1", 6000), ("record-route", "<sip:10.66.0.1;lr>"), ("server", "BobPhone"))
    room.devices[1].reply(486, b"", ("warning", '399 10.9.0.2 "x"'))
    room.b.reply(200, sdp("10.9.0.1", 6000), ("record-route", "<sip:10.66.0.1;lr>"), ("server", "BobPhone"))
    room.a.ack()
    room.a.send("INVITE", sdp())
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.a.ack()
    room.a.send("INFO", b"x", ("content-type", "text/plain"))
    room.b.reply(200)
    room.b.send("BYE")
    to_b = b"".join(message.encode() for message in (*room.b.got, *room.b.acks))
    to_a = b"".join(message.encode() for message in (*room.a.answers, *room.a.got))
    own = [
        line for line in to_a.split(b"\r\n") if line.split(b":")[0] in (b"Via", b"Call-ID", b"Record-Route", b"Route")
    ]
    to_a = b"\n".join(line for line in to_a.split(b"\r\n") if line not in own).replace(b"@10.0.0.1:5062", b"")
    for secret in (b"10.0.0.1", b"10.44.", b"10.55.", b"alice", b"SecretPhone", b"x-secret"):
        assert secret not in to_b
    for secret in (b"10.9.0", b"10.66.", b"bob1", b"BobPhone", room.b.call_id.encode()):
        assert secret not in to_a
    assert room.b.got[0].get("subject") == "hello"
    assert room.a.call_id != room.b.call_id and room.a.tag.encode() not in to_b


def test_who_calls_is_who_proved_it() -> None:
    room = Switchroom()
    room.a.invite()
    invite = room.b.got[0]
    assert str(invite.from_.uri) == "sip:100@pbx.example.com" and invite.from_.display == "Alice"
    assert invite.max_forwards == 69 and invite.uri == room.b.uri


def test_dialled_characters_that_a_uri_must_escape() -> None:
    room = Switchroom()
    room.a.invite()
    room2 = Switchroom()
    room2.dialled = "*9#1 <x>"
    room2.a.invite()
    assert room2.b.got[0].to.uri.user_decoded == "*9#1 <x>"


def test_path_becomes_route() -> None:
    room = Switchroom()
    assert room.found is not None
    room.found[0][2] = ["<sip:edge.example.com;lr>"]
    room.a.invite()
    assert room.b.got[0].get_all("route") == ["<sip:edge.example.com;lr>"]
