"""Dialogs, RFC 3261 §12."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.dialog import Dialog, strict_router, untagged
from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import BadMessage, Request, Response, parse, respond, validate
from tests.rayswitch.sip.station import incoming, outgoing

ROUTED = ("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>")


def as_server(**changes: str | None) -> Dialog:
    return Dialog.uas(incoming(**changes), "ours")


def as_client(*headers: tuple[str, str], status: int = 200) -> Dialog:
    more = [*headers, ("contact", "<sip:100@192.0.2.9:5099;transport=udp>")]
    return Dialog.uac(outgoing(), respond(outgoing(), status, to_tag="theirs", headers=more))


def routes_of(request: Request) -> list[str]:
    return request.values("route")


# -- how it begins (§12.1) ---------------------------------------------------------------------------------------------


def test_of_the_server() -> None:
    """§12.1.1"""
    dialog = as_server(record_route=", ".join(ROUTED))
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("call-1@192.0.2.9", "ours", "fromtag")
    assert (dialog.local, dialog.remote) == ("<sip:101@rayswitch.local>", '"Alice" <sip:100@rayswitch.local>')
    assert dialog.target == "sip:100@192.0.2.9:5062"
    assert dialog.routes == list(ROUTED)
    assert (dialog.local_seq, dialog.remote_seq) == (0, 1)


@pytest.mark.parametrize("status", [180, 200])
def test_of_the_client_early_or_not(status: int) -> None:
    """§12.1.2: routes in reverse."""
    dialog = as_client(("record-route", ROUTED[0]), ("record-route", ROUTED[1]), status=status)
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("ours-1", "ours", "theirs")
    assert (dialog.local, dialog.remote) == ("<sip:101@rayswitch.local>", "<sip:100@rayswitch.local>")
    assert dialog.target == "sip:100@192.0.2.9:5099;transport=udp"
    assert dialog.routes == [*reversed(ROUTED)]
    assert (dialog.local_seq, dialog.remote_seq) == (7, 0)


def test_peers_of_rfc_2543_have_no_tags() -> None:
    """§12.1.1: an absent tag counts as a null one, and none is made up for it."""
    dialog = as_server(from_="<sip:100@rayswitch.local>")
    assert dialog.remote_tag == ""
    assert dialog.request("BYE", None).to.tag is None
    assert dialog.matches(request_from_peer(dialog, from_="<sip:100@rayswitch.local>"))


def test_without_contact_the_address_it_came_from() -> None:
    assert as_server(contact=None).target == "sip:100@rayswitch.local"
    assert Dialog.uac(outgoing(), respond(outgoing(), 200, to_tag="t")).target == outgoing().uri


def test_a_forked_answer_is_a_dialog_of_its_own() -> None:
    """§13.2.2.4: other tag, target and routes; what is ours stays."""
    first = as_client(("record-route", ROUTED[0]))
    answer = respond(outgoing(), 200, to_tag="other", headers=[("contact", "<sip:x@192.0.2.77>")])
    second = Dialog.sibling(first, answer)
    assert (second.remote_tag, second.target, second.routes) == ("other", "sip:x@192.0.2.77", [])
    assert (second.call_id, second.local_tag, second.local_seq) == (first.call_id, first.local_tag, first.local_seq)
    assert first.remote_tag == "theirs"


# -- requests out (§12.2.1.1) ------------------------------------------------------------------------------------------


def test_a_request_of_ours() -> None:
    dialog = as_server()
    request = dialog.request("INFO", "<sip:me@192.0.2.1>", [("content-type", "text/plain")], b"hi")
    again = parse(request.encode())
    assert isinstance(again, Request)
    assert (again.method, again.uri, again.body) == ("INFO", "sip:100@192.0.2.9:5062", b"hi")
    assert again.get("from") == "<sip:101@rayswitch.local>;tag=ours"
    assert again.get("to") == '"Alice" <sip:100@rayswitch.local>;tag=fromtag'
    assert (again.call_id, again.get("cseq")) == (dialog.call_id, "1 INFO")
    assert again.max_forwards == 70
    assert again.get("contact") == "<sip:me@192.0.2.1>"
    assert routes_of(again) == []


def test_numbers_go_up_by_one_and_ack_takes_that_of_its_invite() -> None:
    """§12.2.1.1, §13.2.2.4"""
    dialog = as_client()
    assert [dialog.request("INFO", None).cseq.number for _ in range(3)] == [8, 9, 10]
    ack = dialog.ack(7, [("content-type", "application/sdp")], b"v=0")
    assert (ack.method, ack.get("cseq"), ack.body) == ("ACK", "7 ACK", b"v=0")
    assert dialog.request("BYE", None).cseq.number == 11


def test_loose_routers_are_routes_and_the_target_is_the_request_uri() -> None:
    dialog = as_client(("record-route", ", ".join(ROUTED)))
    for request in (dialog.request("BYE", None), dialog.ack(7)):
        assert request.uri == dialog.target
        assert routes_of(request) == [*reversed(ROUTED)]


def test_a_strict_router_takes_the_place_of_the_target() -> None:
    """§12.2.1.1: what no Request-URI may have is taken off (§19.1.1)."""
    strict = "<sip:p9.example.com:5070;transport=tcp;method=INVITE?Subject=x>"
    dialog = as_server(record_route=f"{strict}, {ROUTED[1]}")
    request = dialog.request("BYE", None)
    assert request.uri == "sip:p9.example.com:5070;transport=tcp"
    assert routes_of(request) == [ROUTED[1], "<sip:100@192.0.2.9:5062>"]
    validate_as_sent(request)


@pytest.mark.parametrize("route", ["", "nonsense", "<>", "<tel:123>", "<sip:a b>", "sip:", "<http://x/>", '"<sip:x>'])
def test_a_route_that_cannot_be_read_breaks_nothing(route: str) -> None:
    assert strict_router(route) is None
    dialog = as_server()
    dialog.routes = [route]
    assert dialog.request("BYE", None).uri == dialog.target


@pytest.mark.parametrize("route", ["<sip:p;lr>", "<sip:p;LR=on>", "<sips:p:5061;transport=tcp;lr>", "P <sip:p;lr>;x=y"])
def test_loose_routers(route: str) -> None:
    assert strict_router(route) is None


# -- requests in (§12.2.2) ---------------------------------------------------------------------------------------------


def request_from_peer(dialog: Dialog, method: str = "BYE", **changes: str | None) -> Request:
    to = f"<sip:101@rayswitch.local>;tag={dialog.local_tag}"
    return incoming(method, **({"to": to, "call_id": dialog.call_id, "cseq": f"2 {method}"} | changes))


@pytest.mark.parametrize(
    ("changes", "inside"),
    [
        ({}, True),
        ({"call_id": "another"}, False),
        ({"to": "<sip:101@rayswitch.local>;tag=another"}, False),
        ({"to": "<sip:101@rayswitch.local>"}, False),
        ({"from_": "<sip:100@rayswitch.local>;tag=another"}, False),
        ({"from_": "<sip:100@rayswitch.local>"}, False),
        ({"from_": "<sip:somebody@else>;tag=fromtag"}, True),
    ],
)
def test_inside_a_dialog_means_call_id_and_both_tags(changes: dict[str, Any], inside: bool) -> None:
    """§12: and nothing else, not even the URIs."""
    dialog = as_server()
    assert dialog.matches(request_from_peer(dialog, **changes)) is inside


def test_requests_must_come_in_order() -> None:
    dialog = as_server()
    assert dialog.accept(request_from_peer(dialog, "INFO", cseq="5 INFO")) is True
    assert dialog.accept(request_from_peer(dialog, "INFO", cseq="4 INFO")) == 500
    assert dialog.accept(request_from_peer(dialog, "INFO", cseq="400 INFO")) is True
    assert dialog.remote_seq == 400


def test_an_ack_has_the_number_of_its_invite_and_counts_for_nothing() -> None:
    dialog = as_server()
    dialog.accept(request_from_peer(dialog, "INFO", cseq="5 INFO"))
    assert dialog.accept(request_from_peer(dialog, "ACK", cseq="1 ACK")) is True
    assert dialog.remote_seq == 5


def test_the_first_request_to_a_client_may_have_any_number() -> None:
    """§12.1.2: its remote sequence number is empty."""
    dialog = as_client()
    assert dialog.accept(request_from_peer(dialog, "INFO", cseq="0 INFO")) is True


@pytest.mark.parametrize(
    ("method", "moves"),
    [("INVITE", True), ("UPDATE", True), ("REFER", True), ("BYE", False), ("INFO", False), ("MESSAGE", False)],
)
def test_a_target_refresh_moves_the_target_and_not_the_route(method: str, moves: bool) -> None:
    """§12.2.2"""
    dialog = as_server(record_route=ROUTED[0])
    request = request_from_peer(dialog, method, contact="<sip:new@192.0.2.99>", record_route="<sip:evil;lr>")
    dialog.accept(request)
    assert (dialog.target == "sip:new@192.0.2.99") is moves
    assert dialog.routes == [ROUTED[0]]


def test_a_refresh_without_contact_moves_nothing() -> None:
    dialog = as_server()
    dialog.accept(request_from_peer(dialog, "INVITE", contact=None))
    assert dialog.target == "sip:100@192.0.2.9:5062"


def test_a_refused_refresh_moves_nothing() -> None:
    dialog = as_server()
    assert dialog.accept(request_from_peer(dialog, "INVITE", cseq="0 INVITE", contact="<sip:new@x>")) == 500
    assert dialog.target == "sip:100@192.0.2.9:5062"


def test_the_2xx_to_our_refresh_moves_the_target() -> None:
    """§12.2.1.2"""
    dialog = as_client()
    dialog.refresh(Response.new(200, headers=[("contact", "<sip:new@192.0.2.99>")]))
    assert dialog.target == "sip:new@192.0.2.99"


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        ("<sip:a@b>;tag=1", "<sip:a@b>"),
        ("<sip:a@b>", "<sip:a@b>"),
        ("<sip:a@b;tag=uri>", "<sip:a@b;tag=uri>"),
        ("<sip:a@b;tag=uri>;tag=1", "<sip:a@b;tag=uri>"),
        ('"A;tag=x" <sip:a@b>;tag=1', '"A;tag=x" <sip:a@b>'),
        ('"A>B" <sip:a@b>;tag=1', '"A>B" <sip:a@b>'),
        ("<sip:a@b>;tag=1;x=y", "<sip:a@b>;x=y"),
        ("<sip:a@b>;x=y;tag=1", "<sip:a@b>;x=y"),
        ('<sip:a@b>;x="y>z;tag=0";tag=1', '<sip:a@b>;x="y>z;tag=0"'),
        ("<sip:a@b> ; TAG = 1", "<sip:a@b>"),
        ("<sip:a@b>;tag=1;tag=2", "<sip:a@b>"),
        ("Bob Jones <sip:a@b>;tag=1", "Bob Jones <sip:a@b>"),
        ("sip:a@b;tag=1", "sip:a@b"),
        ("sip:a@b", "sip:a@b"),
    ],
)
def test_a_value_without_its_tag(value: str, bare: str) -> None:
    assert untagged(value) == bare
    if "tag" in NameAddr.parse(value).params:
        assert NameAddr.parse(f"{untagged(value)};tag=new").tag == "new"


@given(st.text('<>";=:@, tagsip12\\', max_size=30))
def test_any_value_that_is_an_address_can_lose_its_tag(text: str) -> None:
    try:
        NameAddr.parse(text)
    except BadMessage:
        return
    assert NameAddr.parse(f"{untagged(text)};tag=new").tag == "new"


def test_what_we_send_survives_its_own_reading() -> None:
    dialog = as_server(record_route=", ".join(ROUTED))
    validate_as_sent(dialog.request("BYE", None))


def validate_as_sent(request: Request) -> None:
    sent = request.copy()
    sent.prepend("via", "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKs0.000000000001")
    validate(parse(sent.encode()))


# -- over a restart ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialog", [as_server(record_route=ROUTED[0]), as_client()])
def test_snapshot_and_restore(dialog: Dialog) -> None:
    plain = dialog.snapshot()
    assert all(isinstance(value, str | int | list) for value in plain)
    twin = Dialog.restore(plain)
    assert twin.snapshot() == plain
    assert twin.request("BYE", None).encode() == dialog.request("BYE", None).encode()
    dialog.routes.append("<sip:later>")
    assert "<sip:later>" not in twin.routes
