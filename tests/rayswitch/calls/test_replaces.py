"""The Replaces header, and the one that a Refer-To wants to see."""

import pytest

from rayswitch.calls.replaces import Replaces, in_uri
from rayswitch.sip.message import BadMessage, Request
from rayswitch.sip.uri import Uri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b;to-tag=1;from-tag=2", Replaces("a@b", "1", "2")),
        (" a@b ; From-Tag = 2;TO-TAG=1 ;early-only", Replaces("a@b", "1", "2", True)),
        ("a@b;x=y;to-tag=1;from-tag=2", Replaces("a@b", "1", "2")),
    ],
)
def test_what_it_names(text: str, expected: Replaces) -> None:
    assert Replaces.parse(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a;to-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2;to-tag=1"])
def test_what_names_no_dialog(text: str) -> None:
    with pytest.raises(BadMessage) as caught:
        Replaces.parse(text)
    assert caught.value.status == 400


def test_of_a_message() -> None:
    value = "a;to-tag=1;from-tag=2"
    assert Replaces.of(Request.new("INVITE", "sip:x@y", [])) is None
    assert Replaces.of(Request.new("INVITE", "sip:x@y", [("replaces", value)])) == Replaces("a", "1", "2")
    with pytest.raises(BadMessage):
        Replaces.of(Request.new("INVITE", "sip:x@y", [("replaces", value)] * 2))


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        ("sip:x@y", ""),
        ("sip:x@y?Subject=z", ""),
        ("sip:x@y?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces", "a@b;to-tag=1;from-tag=2"),
        ("sip:x@y?Subject=z&REPLACES=a", "a"),
    ],
)
def test_in_a_uri(uri: str, value: str) -> None:
    assert in_uri(Uri.parse(uri)) == value
