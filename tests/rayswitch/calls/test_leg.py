"""A half call: what it says, and what is left of it after a restart."""

from __future__ import annotations

from rayswitch.calls.leg import UNSEEN, Leg, contact
from rayswitch.sdp.anchor import Endpoint
from rayswitch.sdp.session import parse
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request
from tests.scenarios.switchroom import sdp

UDP = Flow("UDP", ("192.0.2.1", 5060), ("10.0.0.1", 5062))


def test_contact_is_our_end_of_the_flow() -> None:
    assert contact("x", UDP) == "<sip:x@192.0.2.1:5060>"
    assert contact("x", Flow("TCP", ("::1", 5060), ("::1", 9))) == "<sip:x@[::1]:5060;transport=tcp>"


def test_the_version_rises_only_with_a_change() -> None:
    leg = Leg(1, UDP)
    session, here = parse(sdp()), [Endpoint("198.51.100.7", 20000)]
    first = leg.describe(session, here, 5)
    assert leg.describe(session, here, 5) == first and b"o=- 6 1 " in first
    assert b"o=- 6 2 " in leg.describe(parse(sdp(direction="sendonly")), here, 5)
    assert b"o=- 6 3 " in leg.describe(session, here, 5)


def test_what_the_peer_allows() -> None:
    leg = Leg(0, UDP)
    leg.hear(Request.new("INVITE", "sip:a@b", [("allow", "invite, update")]))
    assert "UPDATE" in leg.peer_allows
    leg.hear(Request.new("INFO", "sip:a@b"))
    assert "UPDATE" in leg.peer_allows


def test_snapshot_leaves_numbers_out() -> None:
    leg = Leg(2, UDP)
    leg.dialog = Dialog("c", "<sip:l@x>", "lt", "<sip:r@x>", "rt", "sip:r@y", ["<sip:p;lr>"], 3, 8)
    leg.version, leg.sdp_body, leg.peer_allows = 4, b"v=0", "BYE"
    again = Leg.restore(leg.snapshot())
    assert again.dialog is not None and again.dialog.local_seq == 3 + UNSEEN and again.dialog.remote_seq == 8
    assert (again.index, again.flow, again.version, again.sdp_body, again.side) == (2, UDP, 4, b"v=0", "b")
    assert again.call_id == "c" and Leg(1, UDP).call_id == ""
