"""Offers inside a call: re-INVITE, UPDATE, hold, glare, late offers (RFC 3261 §14, 3264, 3311)."""

from __future__ import annotations

import pytest

from tests.scenarios.switchroom import Phone, Switchroom, sdp

ALLOWS_UPDATE = ("allow", "INVITE, ACK, BYE, UPDATE")


def talking(devices: int = 1) -> Switchroom:
    room = Switchroom(devices)
    room.talk()
    return room


def sides(room: Switchroom, asker: str) -> tuple[Phone, Phone]:
    return (room.a, room.b) if asker == "a" else (room.b, room.a)


both = pytest.mark.parametrize("asker", ["a", "b"])


def test_each_200_says_what_can_be_done_with_the_call() -> None:
    """RFC 3261 §13.3.1.4: to the caller, to a new offer, to who takes a place."""
    room = talking()
    answers = [room.a.last()]
    room.b.send("INVITE", sdp("10.5.5.5", 4444))
    room.a.reply(200, sdp())
    answers.append(room.b.last())
    room.b.ack()
    newcomer = Phone(room, "dora", ("10.9.0.7", 5060))
    room.devices.append(newcomer)
    newcomer.enter(room.b.replaces())
    room.a.reply(200, sdp())
    answers.append(newcomer.last())
    for answer in answers:
        assert answer.status == 200
        assert "REFER" in answer.values("allow") and "replaces" in answer.values("supported")


@both
@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
def test_hold_and_resume(asker: str, direction: str) -> None:
    room = talking()
    me, other = sides(room, asker)
    versions = []
    for said, back in ((direction, "recvonly"), ("sendrecv", "sendrecv")):
        number = me.send("INVITE", sdp("10.5.5.5", 4444, direction=said))
        offer = other.got[-1]
        assert offer.method == "INVITE" and f"a={said}\r\n".encode() in offer.body and b"10.5.5.5" not in offer.body
        versions.append(offer.body.split(b"\r\n")[1])
        other.reply(200, sdp("10.6.6.6", 6666, direction=back))
        assert len(other.acks) >= 1 and other.acks[-1].cseq.number == offer.cseq.number
        assert me.statuses(number) == [200] and f"a={back}\r\n".encode() in me.last().body
        me.ack()
    assert len(set(versions)) == 2  # o= rises with every change (RFC 3264 §8)
    assert room.call.exchange is None and room.call.phase == "answered"


def test_hold_the_old_way() -> None:
    room = talking()
    room.a.send("INVITE", sdp("0.0.0.0", 4444))
    assert b"a=sendonly" in room.b.got[-1].body and b"c=IN IP4 198.51.100.7" in room.b.got[-1].body
    room.b.reply(200, sdp("10.9.0.1", 6000, direction="recvonly"))
    assert room.connected[-1].streams[0][1] is None
    room.a.ack()
    room.a.send("INVITE", sdp("10.0.0.1", 4000))
    room.b.reply(200, sdp("10.9.0.1", 6000))
    assert room.connected[-1].streams[0][1] == ["10.0.0.1", 4000]


@both
def test_an_update_passes_as_update_or_becomes_a_reinvite(asker: str) -> None:
    room = talking()
    me, other = sides(room, asker)
    number = me.send("UPDATE", sdp("10.0.0.1", 4002))
    assert other.got[-1].method == "INVITE"
    other.reply(200, sdp("10.9.0.1", 6002), ALLOWS_UPDATE)
    assert other.acks[-1].cseq.number == other.got[-1].cseq.number
    assert me.statuses(number) == [200]
    number = me.send("UPDATE", sdp("10.0.0.1", 4004))
    assert other.got[-1].method == "UPDATE"
    acks = len(other.acks)
    other.reply(200, sdp("10.9.0.1", 6002))
    assert me.statuses(number) == [200] and len(other.acks) == acks
    me.send("INVITE", sdp())  # the exchange is over without any ACK
    assert other.got[-1].method == "INVITE"


@both
def test_an_update_without_an_offer_refreshes_the_target(asker: str) -> None:
    room = talking()
    me, other = sides(room, asker)
    saved, before = len(room.saved), len(other.got)
    me.uri = "sip:moved@10.77.0.1:5099"
    number = me.send("UPDATE")
    assert me.statuses(number) == [200] and len(other.got) == before
    assert len(room.saved) == saved + 1
    other.send("BYE")
    assert me.got[-1].uri == "sip:moved@10.77.0.1:5099"


def test_an_update_with_something_else_in_it_is_no_offer() -> None:
    room = talking()
    number = room.a.send(
        "UPDATE", b"<x/>", ("content-type", "text/xml"), ("content-disposition", "x;handling=optional")
    )
    assert room.a.statuses(number) == [200] and room.call.exchange is None
    number = room.a.send("UPDATE", b"", ("content-type", "application/sdp"))
    assert room.a.statuses(number) == [200] and room.b.methods() == ["INVITE"]


def test_glare_491_for_whom_an_offer_is_on_its_way_to_500_for_a_second_one() -> None:
    room = talking()
    room.a.send("INVITE", sdp())
    crossing = room.b.send("INVITE", sdp("10.9.0.1", 6000))
    assert room.b.statuses(crossing) == [491]
    second = room.a.send("UPDATE", sdp())
    assert room.a.statuses(second) == [500] and room.a.last().get("retry-after")
    room.b.reply(491, to=-1)
    assert room.a.statuses(2) == [491]
    room.a.send("INVITE", sdp())
    assert room.b.got[-1].method == "INVITE"
    assert room.call.phase == "answered"


def test_glare_before_the_ack() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(200, sdp("10.9.0.1", 6000))
    number = room.b.send("INVITE", sdp("10.9.0.1", 6000, direction="sendonly"))
    assert room.b.statuses(number) == [491]
    room.a.ack()
    room.b.send("INVITE", sdp("10.9.0.1", 6000, direction="sendonly"))
    assert room.a.got[-1].method == "INVITE"


def test_an_offer_before_the_answer() -> None:
    room = Switchroom()
    room.a.invite()
    room.b.reply(180)
    assert room.a.statuses(room.a.send("UPDATE", sdp())) == [500]
    assert room.b.statuses(room.b.send("UPDATE", sdp())) == [491]
    assert room.a.statuses(room.a.send("UPDATE")) == [200]


@pytest.mark.parametrize(("refusal", "heard"), [(488, 488), (491, 491), (503, 500), (407, 488), (603, 603), (404, 404)])
def test_a_refused_offer_leaves_the_call_as_it_was(refusal: int, heard: int) -> None:
    room = talking()
    before = room.connected[-1].streams
    number = room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    room.b.reply(refusal, b"", ("retry-after", "3"))
    assert room.a.statuses(number) == [heard] and room.a.last().get("retry-after") == "3"
    assert room.call.phase == "answered" and room.connected[-1].streams == before
    room.a.send("BYE")
    room.settle()
    assert room.leased == set() and room.ended


@pytest.mark.parametrize("status", [481, 408])
def test_a_peer_that_is_gone_ends_the_call(status: int) -> None:
    room = talking()
    number = room.a.send("INVITE", sdp())
    room.b.reply(status) if status == 481 else room.b.silent()
    assert room.a.statuses(number) == [status]
    assert room.a.methods() == ["BYE"] and room.b.methods()[-1] == "BYE"
    room.settle()
    assert room.row()["cause"] == "Peer gone"


def test_the_cancel_of_an_offer_goes_to_the_peer_whose_word_is_final() -> None:
    room = talking()
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.a.cancel(number)
    assert len(room.b.cancels) == 1 and room.a.statuses(number) == []
    room.b.reply(487)
    assert room.a.statuses(number) == [487] and room.call.phase == "answered"
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.a.cancel(number)
    room.b.reply(200, sdp("10.9.0.1", 6000, direction="recvonly"))
    assert room.a.statuses(number) == [200]


def test_the_cancel_of_an_offer_that_waits_for_ports() -> None:
    room = talking()
    room.media = "later"
    number = room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    room.a.cancel(number)
    assert room.a.statuses(number) == [487] and room.b.methods() == ["INVITE"]
    assert room.a.statuses(room.a.send("INVITE", sdp())) == [491]  # not while those ports are on their way
    leased = set(room.leased)
    room.lease()
    assert room.leased == leased
    room.a.send("INVITE", sdp())
    assert room.b.methods() == ["INVITE", "INVITE"]


def test_an_offer_for_which_no_port_is_free() -> None:
    room = talking()
    room.media = "refused"
    number = room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    assert room.a.statuses(number) == [503] and room.call.phase == "answered"
    room.media = "at once"
    room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    assert room.b.methods() == ["INVITE", "INVITE"]


def test_bye_while_an_offer_waits_for_ports() -> None:
    room = talking()
    room.media = "later"
    number = room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    room.a.send("BYE")
    assert room.a.statuses(number) == [487]
    room.settle()
    assert not room.ended
    room.lease()
    assert room.ended and room.leased == set()


def test_a_line_is_added_and_one_is_rejected() -> None:
    room = talking()
    room.a.send("INVITE", sdp("10.0.0.1", 4000, 4002))
    assert len(room.asked[-1].families) == 2
    room.b.reply(200, sdp("10.9.0.1", 6000, 0))
    assert room.a.last().body.count(b"m=audio 0 ") == 1
    room.a.ack()
    assert [stream[3] for stream in room.connected[-1].streams] == [["10.9.0.1", 6000], None]
    room.a.send("BYE")
    room.settle()
    assert room.leased == set()


def test_a_broken_offer() -> None:
    room = talking()
    number = room.a.send("INVITE", b"v=0\r\nrubbish")
    assert room.a.statuses(number) == [400] and room.b.methods() == ["INVITE"]


# -- late offers -----------------------------------------------------------------------------------------------------


def test_late_offer_in_the_first_invite() -> None:
    room = Switchroom()
    room.a.invite(b"")
    assert room.b.got[0].body == b"" and room.b.got[0].get("content-type") is None
    room.b.reply(200, sdp("10.9.0.1", 6000))
    assert room.a.statuses() == [200] and b"198.51.100.7" in room.a.last().body and room.b.acks == []
    room.b.reply(200, sdp("10.9.0.1", 6000))
    assert room.b.acks == []  # its ACK waits for the answer
    room.a.ack(sdp("10.0.0.1", 4000, codec="8"))
    assert b"m=audio" in room.b.acks[0].body and b"10.0.0.1" not in room.b.acks[0].body
    assert room.connected[-1].streams[0][1::2] == [["10.0.0.1", 4000], ["10.9.0.1", 6000]]
    room.a.send("BYE")
    room.settle()
    assert room.row()["codec"] == "PCMA"


def test_late_offer_with_more_lines_than_ports() -> None:
    room = Switchroom(2)
    room.a.invite(b"")
    room.media = "later"
    room.b.reply(200, sdp("10.9.0.1", 6000, 6002))
    room.devices[1].reply(487)
    assert room.a.statuses() == [] and room.call.phase == "answering"
    room.lease()
    assert room.a.statuses() == [200] and room.a.last().body.count(b"m=audio") == 2


@pytest.mark.parametrize("end", ["cancel", "refused", "bye", "order", "second answer"])
def test_the_end_while_an_answer_waits_for_ports(end: str) -> None:
    room = Switchroom(2)
    room.a.invite(b"")
    room.media = "later"
    room.b.reply(180)
    room.b.reply(200, sdp("10.9.0.1", 6000, 6002))
    if end == "cancel":
        room.a.cancel()
    elif end == "refused":
        room.devices[1].reply(200, sdp("10.9.0.2", 6000))
        room.media = "refused"
        room.reserve(room.asked[-1])
    elif end == "bye":
        room.a.send("BYE")
    elif end == "order":
        room.order_release()
    else:
        room.devices[1].reply(200, sdp("10.9.0.2", 6000))
        room.lease()
        room.a.ack(sdp())
        room.a.send("BYE")
    if end not in ("refused", "second answer"):
        room.lease()
    assert [len(device.acks) for device in room.devices] in ([1, 0], [1, 1])
    room.settle()
    assert room.b.methods() == ["INVITE", "BYE"] and room.ended and room.leased == set()
    assert room.row()["sip_status"] == {"refused": 503, "order": 503, "second answer": 200}.get(end, 487)


def test_a_device_that_hangs_up_while_its_answer_waits_for_ports() -> None:
    room = Switchroom()
    room.a.invite(b"")
    room.media = "later"
    room.b.reply(200, sdp("10.9.0.1", 6000, 6002))
    number = room.b.send("BYE")
    assert room.b.statuses(number) == [200] and room.a.statuses() == [480]
    room.lease()
    assert room.ended and room.b.methods() == ["INVITE"] and room.leased == set()


def test_late_offer_without_answer_in_the_ack() -> None:
    room = Switchroom()
    room.a.invite(b"")
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.a.ack()
    assert len(room.b.acks) == 1 and room.b.methods() == ["INVITE", "BYE"] and room.a.methods() == ["BYE"]
    room.settle()
    assert room.row()["sip_status"] == 488


def test_late_offer_whose_ack_never_comes() -> None:
    room = Switchroom()
    room.a.invite(b"")
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.clock.run(33)
    assert len(room.b.acks) == 1 and room.b.methods() == ["INVITE", "BYE"] and room.a.methods() == ["BYE"]


@both
def test_late_offer_in_a_reinvite(asker: str) -> None:
    room = talking()
    me, other = sides(room, asker)
    number = me.send("INVITE")
    assert other.got[-1].body == b""
    acks = len(other.acks)
    other.reply(200, sdp("10.6.6.6", 6666))
    assert me.statuses(number) == [200] and len(other.acks) == acks
    crossing = other.send("INVITE", sdp())
    assert other.statuses(crossing) == [491]
    me.ack(sdp("10.5.5.5", 5555), number)
    assert other.acks[-1].body and other.acks[-1].cseq.number == other.got[-1].cseq.number
    ours, theirs = (1, 3) if asker == "a" else (3, 1)
    assert room.connected[-1].streams[0][ours] == ["10.5.5.5", 5555]
    assert room.connected[-1].streams[0][theirs] == ["10.6.6.6", 6666]
    assert room.call.exchange is None


def test_a_late_reinvite_that_gets_no_offer_or_no_ports() -> None:
    room = talking()
    number = room.a.send("INVITE")
    room.b.reply(200)
    assert room.a.statuses(number) == [488] and len(room.b.acks) == 2 and room.call.phase == "answered"
    room.media = "refused"
    number = room.a.send("INVITE")
    room.b.reply(200, sdp("10.9.0.1", 6000, 6002))
    assert room.a.statuses(number) == [503] and len(room.b.acks) == 3
    assert room.call.phase == "ending"  # an offer that nobody answered
    assert room.b.methods()[-1] == "BYE"


def test_bye_between_a_late_offer_and_its_ack() -> None:
    room = talking()
    room.a.send("INVITE")
    room.b.reply(200, sdp("10.9.0.1", 6000))
    room.b.send("BYE")
    assert len(room.b.acks) == 2
    assert room.a.methods() == []  # RFC 3261 §15: not before his ACK
    room.a.ack(sdp(), 2)
    assert room.a.methods() == ["BYE"]
    room.settle()
    assert room.ended


# -- what is inside --------------------------------------------------------------------------------------------------


def test_unknown_attributes_stay_and_addresses_go() -> None:
    room = talking()
    for body in (room.b.got[0].body, room.a.last().body):
        assert b"a=x-unknown:kept" in body
        for secret in (b"10.0.0.1", b"10.9.0.1", b"secret"):
            assert secret not in body


def test_ipv4_calls_ipv6() -> None:
    room = Switchroom(addresses=["2001:db8:9::1", "10.9.0.2"])
    room.a.invite()
    v6, v4 = room.devices
    assert sorted(room.asked[0].families) == [4, 4, 6]
    assert b"c=IN IP6 2001:db8::7" in v6.got[0].body and b"c=IN IP4 198.51.100.7" in v4.got[0].body
    v4.reply(183, sdp("10.9.0.2", 6000))
    v6.reply(200, sdp("2001:db8:9::1", 6000))
    assert b"c=IN IP4 198.51.100.7" in room.a.last().body
    assert room.connected[-1].streams[0][2][1] == "2001:db8::7"
    assert "[2001:db8::1]:5060" in str(v6.got[0].contacts[0])
    room.a.ack()
    room.a.send("BYE")
    room.settle()
    assert room.ended and room.leased == set()


def test_no_two_calls_say_the_same_session_is_theirs() -> None:
    room, other = talking(), Switchroom()
    other.ids.call()
    other = Switchroom()
    other.call.id = "s0.0000000000ff"
    other.talk()
    origins = [room.b.got[0].body.split(b"\r\n")[1], other.b.got[0].body.split(b"\r\n")[1]]
    origins += [room.a.last().body.split(b"\r\n")[1]]
    assert len(set(origins)) == 3
