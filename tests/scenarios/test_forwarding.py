"""A device redirects: who is rung then, what he hears of it, and where it ends."""

from __future__ import annotations

from rayswitch.calls.routing.route import Route
from tests.scenarios.switchroom import DOMAIN, Switchroom, sdp

ANSWER = sdp("10.9.0.2", 6000, codec="0")


def room_of(count: int = 2) -> Switchroom:
    """Every number is an extension with one device: 200 the first, 201 the second, …"""
    room = Switchroom(devices=count)
    room.homes = {f"{200 + n}@{DOMAIN}": [[phone.uri, list(phone.flow), []]] for n, phone in enumerate(room.devices)}
    return room


def redirect(room: Switchroom, device: int, *targets: str, status: int = 302) -> None:
    room.devices[device].reply(status, b"", *(("contact", target) for target in targets))


def test_the_call_goes_where_the_device_says() -> None:
    room = room_of()
    room.a.invite()
    redirect(room, 0, f"<sip:201@{DOMAIN}>")
    assert room.a.statuses() == [181]
    (invite,) = room.devices[1].got
    assert str(invite.to.uri) == f"sip:201@{DOMAIN}"
    assert invite.get("diversion") == f"<sip:200@{DOMAIN}>;reason=deflection;counter=1"
    assert invite.get("history-info") == (
        f"<sip:200@{DOMAIN}?Reason=SIP%3Bcause%3D302>;index=1, <sip:201@{DOMAIN};cause=302>;index=1.1;mp=1"
    )
    room.devices[1].reply(180)
    room.devices[1].reply(200, ANSWER)
    room.a.ack()
    assert room.a.statuses() == [181, 180, 200]
    room.a.send("BYE")
    room.settle()
    assert room.row()["sip_status"] == 200 and room.row("b1")["sip_status"] == 302


def test_it_goes_with_the_rights_of_who_forwards() -> None:
    room = room_of()
    room.a.invite()
    redirect(room, 0, f"<sip:900@{DOMAIN}>")
    assert [(asked.called, asked.rights) for asked in room.inquiries] == [("200", "100"), ("900", "200")]


def test_a_target_that_the_dial_plan_refuses_is_the_callers_answer() -> None:
    room = room_of()
    room.routes["900"] = Route("reject", status=403, reason="Call level 3 needed", q850=21)
    room.a.invite()
    redirect(room, 0, f"<sip:900@{DOMAIN}>")
    assert room.a.statuses() == [181, 403] and room.ended


def test_the_targets_with_the_highest_q_ring_together() -> None:
    room = room_of(4)
    room.a.invite()
    contacts = [f"<sip:{number}@{DOMAIN}>;q={q}" for number, q in ((201, 0.2), (202, 0.9), (203, 0.9))]
    redirect(room, 0, *contacts, status=300)
    assert [len(phone.got) for phone in room.devices] == [1, 0, 1, 1]


def test_an_address_elsewhere_is_asked_for_as_it_is_and_a_tel_uri_as_a_number() -> None:
    room = room_of()
    room.a.invite()
    redirect(room, 0, "<sip:bob@elsewhere.example>", "<tel:+49-30-1>", f"<sip:77@{room.b.flow.local[0]}>")
    assert [asked.called for asked in room.inquiries][1:] == ["bob@elsewhere.example", "+49301", "77"]


def test_nobody_is_rung_twice() -> None:
    room = room_of()
    room.a.invite()
    redirect(room, 0, f"<sip:201@{DOMAIN}>")
    redirect(room, 1, f"<sip:200@{DOMAIN}>")
    assert room.a.statuses() == [181, 480] and room.ended
    assert [len(phone.got) for phone in room.devices] == [1, 1]


def test_after_five_forwardings_it_is_enough() -> None:
    room = room_of(8)
    room.a.invite()
    for n in range(6):
        redirect(room, n, f"<sip:{201 + n}@{DOMAIN}>")
    assert [len(phone.got) for phone in room.devices] == [1] * 6 + [0, 0]
    assert room.a.statuses() == [181] * 5 + [480]
    diversions = room.devices[5].got[0].get_all("diversion")
    assert [value[5:8] for value in diversions] == ["204", "203", "202", "201", "200"]


def test_a_redirection_to_nowhere_is_a_failure() -> None:
    for contacts in ((), ("<sip:@>",), ("<mailto:bob@example.com>",)):
        room = room_of()
        room.a.invite()
        redirect(room, 0, *contacts)
        assert room.a.statuses() == [480] and room.ended


def test_a_carrier_that_redirects_is_not_followed() -> None:
    room = room_of()
    room.routes["200"] = Route("group", "carriers", "100", "200", ["line/one"])
    room.places["line/one"] = room.place(0)
    room.a.invite()
    redirect(room, 0, f"<sip:201@{DOMAIN}>")
    assert room.a.statuses() == [480] and room.devices[1].got == []
