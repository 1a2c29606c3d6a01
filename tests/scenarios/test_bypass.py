"""Media past the switch: descriptions as they came, no ports; and when it cannot be, the relay all the same."""

from __future__ import annotations

from rayswitch.calls.events import Relocated
from rayswitch.calls.routing.route import Place, Route
from tests.scenarios.switchroom import DOMAIN, Switchroom, sdp

ANSWER = sdp("10.9.0.1", 6000, codec="0")


def room_past(**more: object) -> Switchroom:
    """200 wants it so, and so does the caller."""
    room = Switchroom(**more)  # type: ignore[arg-type]
    room.routes["200"] = Route("extension", f"200@{DOMAIN}", "100", "200", bypass=True)
    return room


def said(body: bytes) -> list[str]:
    """Every line but o=, which is the switch's own in each dialog."""
    return [line for line in body.decode().splitlines() if line[:2] != "o="]


def test_each_hears_where_the_other_one_is() -> None:
    room = room_past()
    room.a.invite()
    assert said(room.b.got[0].body) == said(sdp())
    room.b.reply(180)
    room.b.reply(200, ANSWER)
    room.a.ack()
    assert said(room.a.last().body) == said(ANSWER)
    assert room.asked == room.connected == []
    assert b"secret" not in room.b.got[0].body + room.a.last().body, "o= names nobody else's session"
    room.a.send("BYE")
    room.settle()
    assert room.ended and room.released == [] and room.row()["codec"] == "PCMU" and room.row()["packets_rx"] == 0


def test_offers_of_both_sides_pass_with_a_version_that_rises() -> None:
    room = room_past()
    room.talk()
    before = room.b.got[0].body
    number = room.a.send("INVITE", sdp("10.0.0.1", 4010, direction="sendonly"))
    after = room.b.got[-1].body
    assert said(after) == said(sdp("10.0.0.1", 4010, direction="sendonly"))
    assert origin(after)[1] == origin(before)[1] and int(origin(after)[2]) == int(origin(before)[2]) + 1
    room.b.reply(200, sdp("10.9.0.1", 6000, direction="recvonly"))
    assert room.a.statuses(number) == [200] and b"recvonly" in room.a.last().body
    room.a.ack(number=number)
    number = room.b.send("INVITE", sdp("10.9.0.1", 6002))
    room.a.reply(200, sdp("10.0.0.1", 4010))
    assert room.b.statuses(number) == [200] and room.asked == []


def origin(body: bytes) -> list[str]:
    return next(line for line in body.decode().splitlines() if line[:2] == "o=").split()


def test_late_offer() -> None:
    room = room_past()
    room.a.invite(b"")
    room.b.reply(200, sdp("10.9.0.1", 6000))
    assert said(room.a.last().body) == said(sdp("10.9.0.1", 6000))
    room.a.ack(sdp("10.0.0.1", 4000, codec="0"))
    assert said(room.b.acks[-1].body) == said(sdp("10.0.0.1", 4000, codec="0")) and room.asked == []


def test_phones_of_two_families_need_the_relay() -> None:
    room = room_past(addresses=["2001:db8::9"])
    room.a.invite()
    assert b"2001:db8::7" in room.b.got[0].body and len(room.asked) == 1


def test_one_device_of_two_families_too() -> None:
    room = room_past(addresses=["10.9.0.1", "2001:db8::9"])
    room.a.invite()
    assert b"198.51.100.7" in room.devices[0].got[0].body and b"2001:db8::7" in room.devices[1].got[0].body


def test_by_a_line_that_wants_it_so() -> None:
    room = Switchroom()
    room.routes["200"] = Route("group", "out", "100", "200", members=["line/one"], bypass=True)
    place = room.places["line/one"] = room.place(0)
    assert isinstance(place, Place)
    room.a.invite()
    assert b"198.51.100.7" in room.b.got[0].body, "the line does not"
    room = Switchroom()
    room.routes["200"] = Route("group", "out", "100", "200", members=["line/one"], bypass=True)
    room.places["line/one"] = place = room.place(0)
    place.bypass = True
    room.a.invite()
    assert said(room.b.got[0].body) == said(sdp()) and room.asked == []


def test_it_goes_on_after_a_restart() -> None:
    room = room_past()
    room.talk()
    room.restart()
    room.a.ack()
    number = room.b.send("INVITE", sdp("10.9.0.1", 6002))
    assert said(room.a.got[-1].body) == said(sdp("10.9.0.1", 6002))
    room.a.reply(200, sdp("10.0.0.1", 4010))
    assert room.b.statuses(number) == [200]
    room.b.ack(number=number)
    room.b.send("BYE")
    room.settle()
    assert room.ended and room.asked == []


def test_a_lost_media_gateway_is_nothing_to_it() -> None:
    room = room_past()
    room.talk()
    count = len(room.a.got)
    room.clock.run(400)
    assert room.call.phase == "answered" and len(room.a.got) == count


def test_a_transfer_to_a_phone_that_does_not_want_it() -> None:
    """The relay is between the new two, and who stays hears of it."""
    room = room_past(devices=2)
    room.homes = {
        f"{number}@{DOMAIN}": [[phone.uri, list(phone.flow), []]]
        for number, phone in (("200", room.b), ("300", room.devices[1]))
    }
    room.talk()
    room.b.send("REFER", b"", ("refer-to", f"<sip:300@{DOMAIN}>"))
    target = room.devices[1]
    assert b"198.51.100.7" in target.got[0].body
    target.reply(200, sdp("10.9.0.2", 7000, codec="0"))
    assert b"198.51.100.7" in room.a.got[-1].body
    room.a.reply(200, sdp("10.0.0.1", 4000))
    (stream,) = room.connected[-1].streams
    assert sorted([stream[1][1], stream[3][1]]) == [4000, 7000]


def test_such_a_transfer_fails() -> None:
    """The two send to each other as before, whatever they are told afterwards; the ports go back."""
    room = room_past(devices=2)
    target = room.devices[1]
    room.homes = {
        f"{number}@{DOMAIN}": [[phone.uri, list(phone.flow), []]]
        for number, phone in (("200", room.b), ("300", target))
    }
    room.talk()
    room.b.send("REFER", b"", ("refer-to", f"<sip:300@{DOMAIN}>"))
    target.reply(486)
    room.feed(Relocated(""))
    assert said(room.a.got[-1].body) == said(ANSWER)
    room.a.reply(200, sdp())
    assert said(room.b.got[-1].body) == said(sdp()) and room.connected == [] and room.leased == set()
