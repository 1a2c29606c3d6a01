"""Attended transfer: 200 talks with 100, asks 300 in a second call, and connects the two (RFC 5589 §7, 3891)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.scenarios.switchroom import DOMAIN, Phone, Switchroom, sdp

TONE = 0.05
"""Seconds that are plenty for what passes inside the switch."""


class Consultation:
    """`first`: 100 (Alice) talks with 200; `second`: 200 has called 300, who has answered or not."""

    def __init__(self, answered: bool = True, lines: int = 1, caller: str = "10.0.0.1") -> None:
        self.first = Switchroom(caller=caller)
        self.first.talk()
        self.stays, self.orders = self.first.a, self.first.b
        self.second = Switchroom(other=self.first, addresses=["10.9.0.3"], caller="10.9.0.1")
        self.second.number, self.second.dialled = "200", "300"
        self.again, self.target = self.second.a, self.second.b
        self.target.tag = "target-tag"
        self.again.invite(sdp("10.9.0.1", *range(5000, 5000 + 2 * lines, 2)))
        self.target.reply(180)
        if answered:
            self.target.reply(200, sdp("10.9.0.3", *range(7000, 7000 + 2 * lines, 2), codec="0"))
            self.again.ack()

    def order(self, replaces: str = "", user: str = "300") -> int:
        """200 sends the REFER in his first call."""
        to = f"<sip:{user}@{DOMAIN}?Replaces={quote(replaces or self.again.replaces(), safe='')}&Require=replaces>"
        number = self.orders.send("REFER", b"", ("refer-to", to))
        self.pass_on()
        return number

    def pass_on(self) -> None:
        """What the two calls have to say to each other."""
        self.first.clock.run(TONE)

    def told(self) -> list[str]:
        """The status lines that 200 got."""
        return [request.body.decode().split()[1] for request in self.orders.got if request.method == "NOTIFY"]

    def connect(self) -> None:
        """All that the three of them have to answer."""
        self.order()
        self.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
        self.pass_on()
        self.stays.reply(200, sdp("10.0.0.1", 4000))
        self.pass_on()
        for phone in (self.orders, self.again):
            for index in range(len(phone.got)):
                if phone.keys[index] in phone.room.call.pending:
                    phone.reply(200, to=index)

    def end(self) -> None:
        """Everything that is left is answered, and nothing stays."""
        for room in (self.first, self.second, self.first):
            room.settle()
            room.settle()
        assert self.first.ended and self.second.ended
        assert self.first.leased == self.second.leased == set()


def test_the_two_talk_and_who_transferred_is_out() -> None:
    talk = Consultation()
    number = talk.order()
    assert talk.orders.statuses(number) == [202] and talk.told() == ["100"]
    offer = talk.target.got[-1]
    assert offer.method == "INVITE" and offer.to.tag and talk.target.got[-2].method == "INVITE"
    assert talk.again.methods() == [] and "BYE" not in talk.orders.methods()
    talk.target.reply(200, sdp("10.9.0.3", 7002, codec="0"))
    talk.pass_on()
    assert talk.told() == ["100", "200"] and talk.orders.methods()[-1] == "BYE" and talk.again.methods() == ["BYE"]
    assert talk.stays.got[-1].method == "INVITE"
    talk.stays.reply(200, sdp("10.0.0.1", 4000))
    (stream,) = talk.second.connected[-1].streams
    assert sorted([stream[1], stream[3]]) == [["10.0.0.1", 4000], ["10.9.0.3", 7002]]
    assert len(talk.first.released) == 1, "the media go by the second call alone"
    bye = talk.stays.send("BYE")
    talk.pass_on()
    assert talk.stays.statuses(bye) == [200] and talk.target.methods()[-1] == "BYE"
    talk.end()
    first, second = talk.first.row(), talk.second.row()
    assert first["marks"] == ["transferred by 200 to 300"] and second["marks"] == ["100 in the place of 200"]
    assert {first["sip_status"], second["sip_status"]} == {200}


def test_each_hears_what_is_his() -> None:
    """The offer of who stays, without hold, and ports of the second call for both; o= goes on with its version."""
    talk = Consultation()
    talk.stays.send("INVITE", sdp(direction="sendonly"))
    talk.orders.reply(200, sdp("10.9.0.1", 6000, direction="recvonly"))
    talk.stays.ack()
    before = talk.stays.last().body
    talk.order()
    assert b"sendonly" not in talk.target.got[-1].body and b"10.0.0.1" not in talk.target.got[-1].body
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    after = talk.stays.got[-1].body
    assert b"10.9.0.3" not in after and b"198.51.100.7" in after
    assert origin(after)[:2] == origin(before)[:2] and origin(after)[2] > origin(before)[2]


def origin(body: bytes) -> tuple[str, str, int]:
    """Of its o= line: user, session, version."""
    line = next(line for line in body.decode().splitlines() if line[:2] == "o=")
    user, session, version = line[2:].split()[:3]
    return user, session, int(version)


def test_who_stays_wants_his_media_elsewhere_now() -> None:
    """The target's call has his ports, and nobody else could tell it."""
    talk = Consultation()
    talk.order()
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    talk.stays.reply(200, sdp("10.0.0.1", 4444))
    talk.pass_on()
    assert talk.target.methods()[-1] == "INVITE"
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    (stream,) = talk.second.connected[-1].streams
    assert sorted([stream[1], stream[3]]) == [["10.0.0.1", 4444], ["10.9.0.3", 7000]]
    assert talk.first.call.exchange is talk.second.call.exchange is None
    count = len(talk.target.got), len(talk.stays.got)
    talk.first.clock.run(5)
    assert (len(talk.target.got), len(talk.stays.got)) == count


def test_requests_pass_between_the_new_two() -> None:
    talk = Consultation()
    talk.connect()
    number = talk.target.send("INVITE", sdp("10.9.0.3", 7004, direction="sendonly"))
    talk.pass_on()
    assert b"sendonly" in talk.stays.got[-1].body
    talk.stays.reply(200, sdp("10.0.0.1", 4000, direction="recvonly"))
    talk.pass_on()
    assert talk.target.statuses(number) == [200] and b"recvonly" in talk.target.last().body
    talk.target.ack(number=number)
    number = talk.stays.send("INFO", b"5", ("content-type", "application/dtmf"))
    talk.pass_on()
    talk.target.reply(200)
    talk.pass_on()
    assert talk.stays.statuses(number) == [200]
    talk.target.send("BYE")
    talk.pass_on()
    assert talk.stays.methods()[-1] == "BYE"
    talk.end()


@pytest.mark.parametrize("status", [488, 480, 603])
def test_a_target_that_refuses_the_offer_leaves_both_calls_as_they_were(status: int) -> None:
    talk = Consultation()
    talk.order()
    talk.target.reply(status)
    talk.pass_on()
    if status == 603:  # as if there were no second call: the target is rung
        assert talk.first.inquiries[-1].called == "300"
        return
    assert talk.told() == ["100", str(status)]
    assert talk.first.call.phase == talk.second.call.phase == "answered"
    assert talk.orders.send("BYE") and talk.again.send("BYE")
    talk.pass_on()
    talk.end()


def test_a_second_call_that_nobody_has_answered_is_given_up_and_its_target_rung() -> None:
    talk = Consultation(answered=False)
    talk.first.homes = {f"300@{DOMAIN}": [[talk.first.b.uri, list(talk.first.b.flow), []]]}
    talk.order()
    assert talk.again.statuses() == [180, 487] and len(talk.target.cancels) == 1
    assert talk.first.inquiries[-1].called == "300"
    invite = talk.first.b.got[-1]
    assert invite.method == "INVITE" and not invite.to.tag and not invite.has("replaces")
    assert str(invite.from_.uri) == f"sip:100@{DOMAIN}"


@pytest.mark.parametrize("answered", [True, False])
def test_who_transfers_may_know_the_target_by_our_contact_alone(answered: bool) -> None:
    """RFC 5589 §7.3: Refer-To is the remote target of the second call, which is the id of that call."""
    talk = Consultation(answered)
    talk.order(user=talk.second.id)
    if answered:
        talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
        talk.pass_on()
        talk.stays.send("BYE")
        talk.pass_on()
        talk.end()
        assert talk.first.row()["marks"] == ["transferred by 200 to 300"]
    else:
        assert talk.first.inquiries[-1].called == "300"


def test_a_second_call_that_is_over_too() -> None:
    talk = Consultation()
    talk.again.send("BYE")
    talk.order()
    assert talk.first.inquiries[-1].called == "300"


def test_who_transfers_hangs_up_the_second_call_at_once() -> None:
    talk = Consultation()
    talk.order()
    number = talk.again.send("BYE")
    talk.pass_on()
    assert talk.again.statuses(number) == [200] and "BYE" not in talk.target.methods()
    talk.target.reply(200, sdp("10.9.0.3", 7000, codec="0"))
    talk.pass_on()
    assert talk.stays.got[-1].method == "INVITE" and "BYE" not in talk.again.methods()


def test_he_does_so_and_the_target_refuses() -> None:
    talk = Consultation()
    talk.order()
    talk.again.send("BYE")
    talk.target.reply(488)
    talk.pass_on()
    assert talk.target.methods()[-1] == "BYE" and talk.told() == ["100", "488"]
    assert talk.first.call.phase == "answered"
    talk.orders.send("BYE")
    talk.end()


def test_the_second_call_has_just_been_put_on_hold() -> None:
    """The answer to that is awaited; the one who stays hears nothing of it."""
    talk = Consultation()
    hold = talk.again.send("INVITE", sdp("10.9.0.1", 5000, direction="sendonly"))
    talk.order()
    count = len(talk.target.got)
    talk.target.reply(200, sdp("10.9.0.3", 7000, direction="recvonly"))
    assert talk.again.statuses(hold) == [200]
    talk.again.ack(number=hold)
    talk.first.clock.run(0.3)
    assert len(talk.target.got) == count + 1 and b"sendonly" not in talk.target.got[-1].body


def test_a_target_with_more_lines_than_who_stays() -> None:
    """A new offer has as many lines as there were, an answer as many as the offer (RFC 3264 §6, 8)."""
    talk = Consultation(lines=2)
    talk.order()
    assert talk.target.got[-1].body.count(b"m=") == 2 and b"m=audio 0 " in talk.target.got[-1].body
    talk.target.reply(200, sdp("10.9.0.3", 7000, 0))
    talk.pass_on()
    assert talk.stays.got[-1].body.count(b"m=") == 1


def test_another_family() -> None:
    talk = Consultation(caller="2001:db8::9")
    talk.connect()
    (stream,) = talk.second.connected[-1].streams
    assert [stream[0][1], stream[2][1]] == ["2001:db8::7", "198.51.100.7"]
    talk.stays.send("BYE")
    talk.pass_on()
    talk.end()


def test_another_family_and_fewer_lines() -> None:
    """The second line is switched off, but it has to have ports of that family, too."""
    talk = Consultation(lines=2, caller="2001:db8::9")
    talk.order()
    talk.target.reply(200, sdp("10.9.0.3", 7000, 0))
    talk.pass_on()
    assert talk.told() == ["100", "200"]
    first, second = talk.second.connected[-1].streams
    assert first[0][1] == second[0][1] == "2001:db8::7" and second[1] is second[3] is None
    talk.stays.send("BYE")
    talk.pass_on()
    talk.end()


def test_both_calls_after_a_restart() -> None:
    talk = Consultation()
    talk.connect()
    talk.first.restart()
    talk.second.restart()
    talk.pass_on()
    talk.target.send("BYE")
    talk.pass_on()
    assert talk.stays.methods()[-1] == "BYE"
    talk.end()


def test_the_other_call_is_lost_with_its_process() -> None:
    talk = Consultation()
    talk.connect()
    del talk.first.rooms[talk.second.id]
    number = talk.stays.send("INFO", b"5", ("content-type", "application/dtmf"))
    talk.pass_on()
    assert talk.stays.statuses(number)[0] >= 400
    talk.first.clock.run(1801)  # nobody refreshes the session
    assert talk.first.call.phase == "ending" and talk.stays.methods()[-1] == "BYE"


def test_a_phone_that_does_not_answer_a_question_of_the_other() -> None:
    """Nobody is told so (RFC 4320 §4.2), inside neither: who asked gives up by himself, and that is the end."""
    talk = Consultation()
    talk.connect()
    number = talk.stays.send("INFO", b"5", ("content-type", "application/dtmf"))
    talk.pass_on()
    talk.target.silent()
    talk.pass_on()
    assert talk.stays.statuses(number) == [] and talk.stays.methods()[-1] == "BYE"
    talk.first.clock.run(50)
    talk.end()


def test_a_dialog_elsewhere_is_named_to_the_target() -> None:
    talk = Consultation()
    talk.first.homes = {f"300@{DOMAIN}": [[talk.first.b.uri, list(talk.first.b.flow), []]]}
    foreign = "x@elsewhere;to-tag=1;from-tag=2"
    talk.order(foreign)
    invite = talk.first.b.got[-1]
    assert invite.get("replaces") == foreign and invite.get("require") == "replaces"


@pytest.mark.parametrize("replaces", ["x", "x;to-tag=1", "x;to-tag=1;from-tag=2;to-tag=3", ""])
def test_an_order_that_makes_no_sense(replaces: str) -> None:
    talk = Consultation()
    to = f"<sip:300@{DOMAIN}?Replaces={quote(replaces, safe='')}>"
    number = talk.orders.send("REFER", b"", ("refer-to", to))
    assert talk.orders.statuses(number) == ([400] if replaces else [202])


def test_the_call_itself_is_no_second_call() -> None:
    talk = Consultation()
    assert talk.orders.statuses(talk.order(talk.stays.replaces())) == [400]


# -- a phone that takes a place by itself ------------------------------------------------------------------------------


def room_of_three() -> tuple[Switchroom, Phone, str]:
    """100 talks with 200; the phone of 400, and how it names the half call of 200."""
    room = Switchroom(devices=2)
    room.found = room.found[:1] if room.found else None
    room.talk()
    newcomer = room.devices[1]
    return room, newcomer, room.b.replaces()


def test_a_phone_takes_the_place_of_another() -> None:
    room, dora, place = room_of_three()
    dora.enter(place)
    assert dora.statuses() == []
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert dora.statuses() == [200] and room.b.methods()[-1] == "BYE"
    dora.ack(number=1)
    number = dora.send("BYE")
    assert dora.statuses(number) == [200] and room.a.methods()[-1] == "BYE"
    room.settle()
    assert room.ended and room.leased == set()
    assert room.row("b2")["sip_status"] == 200 and room.row()["marks"] == ["400 in the place of 200"]


def test_it_asks_for_the_offer() -> None:
    room, dora, place = room_of_three()
    dora.enter(place, b"")
    room.a.reply(200, sdp("10.0.0.1", 4000))
    assert dora.statuses() == [200] and dora.last().body
    dora.ack(sdp("10.9.0.7", 8000), number=1)
    (stream,) = room.connected[-1].streams
    assert sorted([stream[1][1], stream[3][1]]) == [4000, 8000]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda place: place + ";early-only", 486),
        (lambda place: place.replace("bob1-tag", "another"), 481),
        (lambda place: "x" + place, 481),
        (lambda place: "x", 400),
    ],
)
def test_a_place_that_there_is_not(change: object, status: int) -> None:
    room, dora, place = room_of_three()
    assert callable(change)
    dora.enter(change(place))
    assert dora.statuses() == [status] and room.call.phase == "answered" and room.b.methods() == ["INVITE"]


def test_a_call_that_is_over_declines() -> None:
    room, dora, place = room_of_three()
    room.a.send("BYE")
    dora.enter(place)
    assert dora.statuses() == [603]


def test_nobody_takes_a_place_before_the_answer() -> None:
    room = Switchroom(devices=2)
    room.found = room.found[:1] if room.found else None
    room.a.invite()
    room.b.reply(180)
    dora = room.devices[1]
    dora.enter(room.a.replaces())
    assert dora.statuses() == [481] and room.call.phase == "ringing" and room.b.cancels == []


def test_it_gives_up_before_the_one_who_stays_has_answered() -> None:
    room, dora, place = room_of_three()
    dora.enter(place)
    dora.cancel()
    assert room.a.cancels == [None]
    room.a.reply(487)
    assert dora.statuses() == [487] and room.call.phase == "answered" and "BYE" not in room.b.methods()


@pytest.mark.parametrize("who", ["stays", "goes"])
def test_nobody_transfers_while_a_place_is_being_taken(who: str) -> None:
    room, dora, place = room_of_three()
    dora.enter(place)
    phone = room.a if who == "stays" else room.b
    assert phone.statuses(phone.send("REFER", b"", ("refer-to", f"<sip:300@{DOMAIN}>"))) == [491]


def test_the_one_who_stays_hangs_up_meanwhile() -> None:
    room, dora, place = room_of_three()
    dora.enter(place)
    room.a.send("BYE")
    assert dora.statuses() == [487] and room.b.methods()[-1] == "BYE"
    room.settle()
    assert room.ended and room.leased == set()


def test_its_session_interval_is_too_short() -> None:
    """RFC 4028 §9: an answer cannot make it longer."""
    room, dora, place = room_of_three()
    dora.enter(place, None, ("supported", "timer"), ("session-expires", "30"))
    assert dora.statuses() == [422] and dora.last().get("min-se") == "90" and room.a.methods() == []


def test_there_are_no_ports_for_what_it_is_offered() -> None:
    """It is refused, and its half call never was one; who stays has made an offer that gets no answer."""
    room, dora, place = room_of_three()
    dora.enter(place, b"")
    room.media = "refused"
    room.a.reply(200, sdp("10.0.0.1", 4000, 4002))
    assert dora.statuses() == [503] and dora.methods() == []
    assert room.a.methods()[-1] == room.b.methods()[-1] == "BYE"
    room.settle()
    assert room.row("b2")["sip_status"] == 503 and room.row()["marks"] == []
