"""A caller who does not want to be known (RFC 3323)."""

from __future__ import annotations

import pytest

from tests.scenarios.switchroom import Switchroom

NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@pytest.mark.parametrize("wish", ["id", "user", "header;session", "User; critical"])
def test_nothing_of_him_reaches_the_other_side(wish: str) -> None:
    room = Switchroom()
    room.a.invite(None, ("privacy", wish), ("p-asserted-identity", "<sip:100@pbx.example.com>"))
    (invite,) = room.b.got
    assert (invite.get("from") or "").startswith(NOBODY)
    assert b"Alice" not in invite.encode() and b"100@" not in invite.encode()
    assert room.call.record is not None and room.call.record.caller == "100"


def test_a_from_of_nobody_is_a_wish_too() -> None:
    room = Switchroom()
    room.a.near = "<sip:Anonymous@anonymous.invalid>"
    room.a.invite()
    assert (room.b.got[0].get("from") or "").startswith(NOBODY)


@pytest.mark.parametrize("wish", ["none", "session", "none;id"])
def test_who_does_not_ask_for_it_is_named(wish: str) -> None:
    room = Switchroom()
    room.a.invite(None, ("privacy", wish))
    assert '"Alice" <sip:100@' in (room.b.got[0].get("from") or "")


def test_what_a_phone_asserts_of_itself_is_not_believed() -> None:
    room = Switchroom()
    room.a.invite(None, ("p-asserted-identity", "<sip:director@pbx.example.com>"))
    assert not room.b.got[0].has("p-asserted-identity")
