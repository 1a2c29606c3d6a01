"""A call to an outgoing group: which failure leads to the next line or trunk, and what the caller hears."""

from __future__ import annotations

from dataclasses import replace

from rayswitch.calls.effects import Shun
from rayswitch.calls.routing.route import Place, Route
from tests.scenarios.switchroom import Switchroom, sdp

ANSWER = sdp("10.9.0.1", 6000, codec="0")
MEMBERS = ["line/one", "trunk/two", "line/three"]


def outside(count: int = 2, no_answer: float = 0.0) -> Switchroom:
    """The dialled number leads to a group of so many members; each of them takes calls at a device of the room."""
    room = Switchroom(devices=count)
    room.routes["200"] = Route("group", "carriers", "5550100", "0086755", MEMBERS[:count])
    for member, phone in zip(MEMBERS, room.devices, strict=False):
        room.places[member] = Place(f"sip:0086755@{phone.host}", phone.flow, [], "carrier.example", no_answer)
    return room


def test_the_first_member_gets_the_call_as_its_carrier_wants_it() -> None:
    room = outside()
    room.a.invite()
    assert [(seize.member, seize.caller, seize.number) for seize in room.seized] == [("line/one", "5550100", "0086755")]
    (invite,) = room.devices[0].got
    assert room.devices[1].got == []
    assert invite.uri == "sip:0086755@10.9.0.1"
    assert str(invite.from_.uri) == "sip:5550100@carrier.example"
    assert str(invite.to.uri) == "sip:0086755@carrier.example"
    assert room.counted == [["line/one", True]]
    room.devices[0].reply(200, ANSWER)
    room.a.ack()
    room.a.send("BYE")
    assert room.counted == []


def test_down_or_full_is_skipped_and_without_any_the_caller_hears_503() -> None:
    room = outside()
    room.places["line/one"] = "line/one is down"
    room.a.invite()
    assert room.devices[0].got == [] and room.devices[1].methods() == ["INVITE"]
    room = outside()
    room.places = {"line/one": "line/one is down", "trunk/two": "trunk/two is full"}
    room.a.invite()
    assert room.a.statuses() == [503] and room.ended
    assert room.a.last().get("reason") == 'Q.850;cause=34;text="No line or trunk is free"'


def test_5xx_and_408_lead_to_the_next_member_and_the_best_failure_is_the_callers() -> None:
    room = outside(3)
    room.a.invite()
    room.devices[0].reply(503)
    room.devices[1].reply(408)
    assert room.a.statuses() == [] and room.counted == [["line/three", True]]
    room.devices[2].reply(500)
    assert room.a.statuses() == [408] and room.counted == []  # as among devices: RFC 3261 §16.7 step 6
    assert [seize.member for seize in room.seized] == MEMBERS


def servers(members: int = 1, count: int = 2, user: str = "") -> Switchroom:
    """The first member has so many servers, each further member one: the devices of the room, in this order."""
    room = outside(members + count - 1)
    room.routes["200"] = Route("group", "carriers", "5550100", "0086755", MEMBERS[:members])
    first, *others = (phone.flow for phone in room.devices[:count])
    named = "sip:0086755@carrier.example"
    room.places["line/one"] = Place(named, first, domain="carrier.example", user=user, secret="s", others=others)
    for member, phone in zip(MEMBERS[1:members], room.devices[count:], strict=True):
        room.places[member] = Place(f"sip:0086755@{phone.host}", phone.flow, [], "carrier.example")
    return room


def test_503_of_one_server_leads_to_the_next_of_its_name() -> None:
    room = servers(members=2)
    room.a.invite()
    room.devices[0].reply(503)
    (first,), (second,) = room.devices[0].got, room.devices[1].got
    assert first.uri == second.uri == "sip:0086755@carrier.example"
    assert first.get("call-id") != second.get("call-id") and room.devices[2].got == []
    assert room.shunned == [Shun("line/one", room.devices[0].flow)]
    room.devices[1].reply(200, ANSWER)
    assert room.a.statuses() == [200] and room.counted == [["line/one", True]]


def test_one_that_is_silent_or_cannot_be_reached_as_well() -> None:
    for event in ("silence", "unreachable"):
        room = servers()
        room.a.invite()
        if event == "silence":
            room.clock.run(4.1)
            assert len(room.devices[0].cancels) == 1
        else:
            room.devices[0].gone()
        assert room.devices[1].methods() == ["INVITE"] and room.counted == [["line/one", True]]
        assert room.shunned == [Shun("line/one", room.devices[0].flow)]


def test_when_all_its_servers_have_failed_the_next_member_is_called() -> None:
    room = servers(members=2)
    room.a.invite()
    room.devices[0].reply(503)
    room.devices[1].reply(503)
    assert room.devices[2].methods() == ["INVITE"] and room.counted == [["trunk/two", True]]
    room = servers()
    room.a.invite()
    room.devices[0].reply(503)
    room.devices[1].reply(503)
    assert room.a.statuses() == [480] and room.counted == [] and room.ended  # 503 is never passed on (§16.7)


def test_any_other_failure_is_that_of_the_member() -> None:
    for status in (480, 500, 504):
        room = servers(members=2)
        room.a.invite()
        room.devices[0].reply(status)
        assert room.devices[1].got == [] and room.shunned == []
        assert bool(room.devices[2].got) == (status >= 500)
    room = servers(members=2)
    room.a.invite()
    room.devices[0].reply(180)
    room.devices[0].reply(408)  # it rang there: the same phone at another server would be no better
    assert room.devices[1].got == [] and room.devices[2].methods() == ["INVITE"]


def test_each_server_may_ask_for_the_proof() -> None:
    room = servers(user="u")
    room.a.invite()
    for device in room.devices:
        device.reply(407, b"", CHALLENGE)
        assert device.methods() == ["INVITE", "INVITE"] and device.got[-1].get("proxy-authorization")
        device.reply(503 if device is room.devices[0] else 200, b"" if device is room.devices[0] else ANSWER)
    assert room.a.statuses() == [200]


def test_any_other_failure_is_an_answer() -> None:
    for status in (404, 486, 603):
        room = outside()
        room.a.invite()
        room.devices[0].reply(status)
        assert room.a.statuses() == [status] and room.devices[1].got == [] and room.counted == []


def test_a_member_that_says_nothing_for_four_seconds_is_left() -> None:
    room = outside()
    room.a.invite()
    room.clock.run(3.9)
    assert room.devices[1].got == []
    room.clock.run(0.2)
    assert room.devices[1].methods() == ["INVITE"] and len(room.devices[0].cancels) == 1
    room.devices[0].reply(200, ANSWER)  # it wakes up: too late
    assert room.devices[0].methods() == ["INVITE", "BYE"]
    room.devices[1].reply(200, ANSWER)
    assert room.a.statuses() == [200] and room.counted == [["trunk/two", True]]


def test_a_provisional_response_is_enough_to_stay() -> None:
    room = outside()
    room.a.invite()
    room.devices[0].reply(100)
    room.clock.run(10)
    assert room.devices[1].got == []


def test_a_line_may_have_a_no_answer_time_of_its_own() -> None:
    room = outside(1, no_answer=15.0)
    room.a.invite()
    room.devices[0].reply(180)
    room.clock.run(14.9)
    assert room.a.statuses() == [180]
    room.clock.run(0.2)
    assert room.a.statuses() == [180, 408] and len(room.devices[0].cancels) == 1


def test_that_may_be_longer_than_the_systems() -> None:
    room = outside(1, no_answer=90.0)
    room.a.invite()
    room.devices[0].reply(180)
    room.clock.run(89.9)
    assert room.a.statuses() == [180]
    room.clock.run(0.2)
    assert room.a.statuses() == [180, 408] and len(room.devices[0].cancels) == 1


def test_the_member_after_it_has_the_systems() -> None:
    room = outside(2, no_answer=90.0)
    room.places["trunk/two"] = replace(room.places["trunk/two"], no_answer=0.0)  # type: ignore[type-var]
    room.a.invite()
    room.devices[0].reply(180)
    room.clock.run(80)
    room.devices[0].reply(503)
    room.devices[1].reply(180)
    room.clock.run(59.9)
    assert room.a.statuses() == [180, 180]
    room.clock.run(0.2)
    assert room.a.statuses() == [180, 180, 408] and len(room.devices[1].cancels) == 1


def proving(count: int = 1) -> Switchroom:
    """Its members want to know who calls."""
    room = outside(count)
    for place in room.places.values():
        assert isinstance(place, Place)
        place.user, place.secret = "4100", "wonder"
    return room


CHALLENGE = ("proxy-authenticate", 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"')


def test_a_challenge_is_answered_with_the_account_of_the_line() -> None:
    room = proving()
    room.a.invite()
    room.b.reply(407, b"", CHALLENGE)
    again = room.b.got[1]
    assert again.method == "INVITE" and again.call_id == room.b.got[0].call_id and str(again.cseq) == "2 INVITE"
    assert 'username="4100"' in (again.get("proxy-authorization") or "")
    room.b.reply(200, ANSWER)
    assert room.a.statuses() == [200] and str(room.b.acks[-1].cseq) == "2 ACK"


def test_a_proof_that_is_refused_is_not_given_again() -> None:
    room = proving(2)
    room.a.invite()
    room.devices[0].reply(407, b"", CHALLENGE)
    room.devices[0].reply(407, b"", CHALLENGE)
    assert len(room.devices[0].got) == 2
    assert room.a.statuses() == [403]  # an answer as any other: the caller hears it


def test_without_an_account_a_challenge_is_a_failure() -> None:
    room = outside(1)
    room.a.invite()
    room.b.reply(407, b"", CHALLENGE)
    assert len(room.b.got) == 1 and room.a.statuses() == [403]


def test_a_line_that_names_its_account_or_nobody() -> None:
    room = outside(1)
    place = room.places["line/one"]
    assert isinstance(place, Place)
    place.caller = "4100"
    room.a.invite()
    assert str(room.b.got[0].from_.uri) == "sip:4100@carrier.example"
    room = outside(1)
    place = room.places["line/one"]
    assert isinstance(place, Place)
    place.caller = "anonymous"
    room.a.invite()
    assert (room.b.got[0].get("from") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')


def test_a_trunk_that_wants_the_caller_named_gets_him_though_the_called_one_does_not() -> None:
    room = outside(1)
    place = room.places["line/one"]
    assert isinstance(place, Place)
    room.places["line/one"] = replace(place, caller="anonymous", identity="asserted", form="tel")
    room.a.invite()
    (invite,) = room.b.got
    assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert invite.get("p-asserted-identity") == "<tel:5550100;phone-context=carrier.example>"
    assert invite.get("privacy") == "id"
    assert str(invite.to.uri) == "tel:0086755;phone-context=carrier.example"


def test_the_record_says_by_which_line_the_call_went_at_last() -> None:
    room = outside(2)
    room.a.invite()
    room.devices[0].reply(503)
    room.devices[1].reply(200, ANSWER)
    room.a.ack()
    room.a.send("BYE")
    room.settle()
    assert [room.row(leg)["went_by"] for leg in ("call", "b1", "b2")] == ["trunk/two", "line/one", "trunk/two"]
    assert room.row()["came_by"] == ""


def test_too_many_calls_in_by_a_line_are_503() -> None:
    room = Switchroom()
    room.routes["200"] = Route(
        "extension", "200@pbx.example.com", "100", "200", limits=[["line/one/in", True, None, 1]]
    )
    room.limits["line/one/in"] = False
    room.a.invite()
    assert room.a.statuses() == [503] and room.b.got == []
