"""What passes from one side to the other."""

from __future__ import annotations

import pytest

from rayswitch.calls.carried import passed_on, quoted, readable_session, session_of, user_part
from rayswitch.sdp.session import BadSession
from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import Request
from rayswitch.sip.uri import Uri
from tests.scenarios.switchroom import sdp


def test_sessions() -> None:
    good = Request.new("INVITE", "sip:a@b", [("content-type", "Application/SDP; x=y")], sdp())
    assert readable_session(good) is not None
    other = Request.new("INVITE", "sip:a@b", [("content-type", "text/plain")], sdp())
    assert session_of(other) is None and session_of(Request.new("INVITE", "sip:a@b")) is None
    bad = Request.new("INVITE", "sip:a@b", [("content-type", "application/sdp")], b"x")
    assert readable_session(bad) is None
    with pytest.raises(BadSession):
        session_of(bad)


def test_only_the_table_passes() -> None:
    request = Request.new("INVITE", "sip:a@b", [("subject", "x"), ("server", "secret"), ("subject", "y")])
    assert passed_on(request) == [("subject", "x"), ("subject", "y")]
    assert passed_on(Request.new("INVITE", "sip:a@b", [("user-agent", "z")])) == []


@pytest.mark.parametrize("name", ["Alice", 'A "b" \\c', "Ünï", ""])
def test_quoted(name: str) -> None:
    assert NameAddr.parse(f'"{quoted(name)}" <sip:a@b>').display == name


@pytest.mark.parametrize("number", ["200", "*93*5", "#31#", "a b", "<x>", "100%", "ü", "+49", "a@b", "a:b", 'q"'])
def test_user_part(number: str) -> None:
    assert Uri.parse(f"sip:{user_part(number)}@example.com").user_decoded == number
