"""A carrier that challenges requests inside the call (RFC 3261 §22.2, 22.3): each goes again, with the proof."""

from __future__ import annotations

import re

import pytest

from rayswitch.calls.routing.route import Place, Route
from rayswitch.sip.digest import ha1, response
from rayswitch.sip.message import Request
from tests.scenarios.switchroom import Switchroom, sdp

ANSWER = sdp("10.9.0.1", 6000, codec="0")
REALM = "carrier.example"


def challenge(nonce: str, more: str = "") -> tuple[str, str]:
    return ("proxy-authenticate", f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"{more}')


def talk(challenged: bool = True) -> Switchroom:
    """A call over a line with an account; its INVITE was challenged, or not."""
    room = Switchroom()
    room.routes["200"] = Route("group", "out", "100", "200", members=["line/one"])
    place = room.places["line/one"] = room.place(0)
    assert isinstance(place, Place)
    place.user, place.secret = "4100", "wonder"
    room.a.invite()
    if challenged:
        room.b.reply(407, b"", challenge("n1"))
    room.b.reply(200, ANSWER)
    room.a.ack()
    return room


def proof(request: Request) -> tuple[str, str]:
    """The nonce that it answers and the count of its use; the answer is right."""
    row = request.get("proxy-authorization") or ""
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', row))
    nonce, count, cnonce, uri = (fields[name] for name in ("nonce", "nc", "cnonce", "uri"))
    expected = response(ha1("4100", REALM, "wonder"), nonce, count, cnonce, "auth", request.method, uri)
    assert fields["response"] == expected and fields["uri"] == request.uri
    return fields["nonce"], fields["nc"]


def test_what_it_has_asked_once_it_gets_at_once() -> None:
    room = talk()
    assert proof(room.b.got[1]) == ("n1", "00000001")
    assert room.b.acks[0].get("proxy-authorization") == room.b.got[1].get("proxy-authorization")
    room.a.send("INFO", b"5", ("content-type", "application/dtmf"))
    assert proof(room.b.got[-1]) == ("n1", "00000002")
    room.a.send("BYE")
    assert proof(room.b.got[-1]) == ("n1", "00000003")


@pytest.mark.parametrize("more", ["", ", stale=true"])
def test_a_bye_that_is_challenged_goes_again(more: str) -> None:
    room = talk(challenged=not more)
    room.a.send("BYE")
    first = room.b.got[-1]
    room.b.reply(407, b"", challenge("n2", more))
    again = room.b.got[-1]
    assert again.method == "BYE" and again.cseq.number == first.cseq.number + 1
    assert proof(again) == ("n2", "00000001")
    room.b.reply(200)
    room.settle()
    assert room.ended and room.row()["sip_status"] == 200


def test_a_new_offer_that_is_challenged() -> None:
    room = talk(challenged=False)
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.b.reply(407, b"", challenge("n1"))
    assert room.a.statuses(number) == [], "he hears nothing of it"
    again = room.b.got[-1]
    assert again.method == "INVITE" and b"sendonly" in again.body
    proof(again)
    room.b.reply(200, ANSWER)
    assert room.a.statuses(number) == [200]
    assert room.b.acks[-1].cseq.number == again.cseq.number
    assert room.b.acks[-1].get("proxy-authorization") == again.get("proxy-authorization")


def test_a_new_offer_that_is_challenged_can_be_cancelled() -> None:
    room = talk(challenged=False)
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.b.reply(407, b"", challenge("n1"))
    room.a.cancel(number)
    assert room.b.cancels == [None]
    room.b.reply(487)
    assert room.a.statuses(number) == [487] and room.call.phase == "answered"


def test_a_proof_that_is_refused_is_not_given_again() -> None:
    room = talk(challenged=False)
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.b.reply(407, b"", challenge("n1"))
    room.b.reply(407, b"", challenge("n2"))
    assert room.a.statuses(number) == [488] and room.call.phase == "answered"
    assert [request.method for request in room.b.got] == ["INVITE"] * 3


def test_a_nonce_that_is_always_too_old_is_an_end_too() -> None:
    room = talk(challenged=False)
    room.a.send("INFO", b"5", ("content-type", "application/dtmf"))
    for count in range(10):
        room.b.reply(407, b"", challenge(f"n{count}", ", stale=true"))
    assert len(room.b.got) < 8 and room.a.last().status >= 400


def test_a_prack_that_is_challenged_goes_again() -> None:
    """RFC 3262 §4: a PRACK like any other request of a dialog."""
    room = Switchroom()
    room.routes["200"] = Route("group", "out", "100", "200", members=["line/one"])
    place = room.places["line/one"] = room.place(0)
    assert isinstance(place, Place)
    place.user, place.secret = "4100", "wonder"
    room.a.invite()
    room.b.reply(183, ANSWER, ("require", "100rel"), ("rseq", "7"))
    first = room.b.got[-1]
    assert first.method == "PRACK"
    room.b.reply(407, b"", challenge("n1"))
    again = room.b.got[-1]
    assert again.method == "PRACK" and again.cseq.number == first.cseq.number + 1
    assert again.get("rack") == first.get("rack") == "7 1 INVITE" and proof(again) == ("n1", "00000001")
    room.b.reply(200)
    room.b.reply(200, b"", to=0)
    assert room.a.statuses()[-1] == 200


def test_an_early_dialog_that_another_fork_has_taken_the_place_of_is_let_be() -> None:
    room = Switchroom()
    room.routes["200"] = Route("group", "out", "100", "200", members=["line/one"])
    place = room.places["line/one"] = room.place(0)
    assert isinstance(place, Place)
    place.user, place.secret = "4100", "wonder"
    room.a.invite()
    room.b.reply(183, ANSWER, ("require", "100rel"), ("rseq", "7"), tag="one")
    room.b.reply(183, ANSWER, ("require", "100rel"), ("rseq", "9"), to=0, tag="two")
    assert room.b.methods() == ["INVITE", "PRACK", "PRACK"]
    room.b.reply(407, b"", challenge("n1"), to=1)
    assert len(room.b.got) == 3
    room.b.reply(407, b"", challenge("n1"), to=2)
    assert proof(room.b.got[-1]) == ("n1", "00000001") and room.b.got[-1].to.tag == "two"


def test_nobody_proves_anything_to_a_phone() -> None:
    room = Switchroom()
    room.talk()
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.b.reply(407, b"", challenge("n1"))
    assert room.a.statuses(number) == [488] and len(room.b.got) == 2


def test_after_a_restart_the_secret_is_asked_for() -> None:
    """It is in no journal."""
    room = talk()
    assert "wonder" not in repr([effect.snapshot for effect in room.saved])
    room.restart()
    room.a.send("BYE")
    assert not room.b.got[-1].has("proxy-authorization"), "of the challenges nothing is known"
    room.b.reply(407, b"", challenge("n2"))
    assert room.b.got[-1].method == "BYE" and proof(room.b.got[-1]) == ("n2", "00000001")
    room.settle()
    assert room.ended


def test_after_a_restart_an_account_that_is_no_more_proves_nothing() -> None:
    room = talk()
    del room.places["line/one"]
    room.restart()
    room.a.send("BYE")
    room.b.reply(407, b"", challenge("n2"))
    room.settle()
    assert room.ended and room.b.methods().count("BYE") == 1


@pytest.mark.parametrize(("method", "body"), [("INVITE", sdp(direction="sendonly")), ("INFO", b"5")])
def test_what_is_challenged_after_the_end_does_not_go_again(method: str, body: bytes) -> None:
    room = talk(challenged=False)
    room.a.send(method, body, ("content-type", "application/sdp" if method == "INVITE" else "application/dtmf"))
    room.a.send("BYE")
    room.b.reply(407, b"", challenge("n1"), to=-2)
    assert room.b.methods() == ["INVITE", method, "BYE"]
    room.b.reply(407, b"", challenge("n1"))
    assert room.b.methods()[-1] == "BYE" and len(room.b.got) == 4
    room.settle()
    assert room.ended


def test_a_challenge_that_crosses_the_cancel_is_the_end_of_it() -> None:
    room = talk(challenged=False)
    number = room.a.send("INVITE", sdp(direction="sendonly"))
    room.a.cancel(number)
    room.b.reply(407, b"", challenge("n1"))
    assert room.b.methods() == ["INVITE", "INVITE"] and room.a.statuses(number) == [487]
    assert room.call.phase == "answered" and room.call.exchange is None
