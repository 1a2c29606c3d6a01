"""URIs: RFC 3261 §19.1, RFC 3966."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.grammar import BadMessage
from rayswitch.sip.uri import OtherUri, TelUri, Uri, decode

users = st.text("abcXYZ019-_.!~*'()&=+$,;?/%", min_size=1)
hosts = st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1", "a-b.c"])
params = st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), st.none() | st.text("ab%2[]/:&+$"), max_size=3)


@given(
    st.sampled_from(["sip", "sips"]),
    st.none() | users,
    hosts,
    st.none() | st.integers(0, 65535),
    params,
    st.sampled_from(["", "a=b", "Route=%3Csip:a%3E&x=y"]),
)
def test_a_uri_round_trips(
    scheme: str, user: str | None, host: str, port: int | None, params: dict[str, str | None], headers: str
) -> None:
    uri = Uri(scheme, user, host, port, params, headers)
    again = Uri.parse(str(uri))
    assert str(again) == str(uri)
    assert again == uri
    assert hash(again) == hash(uri)
    assert (again.user, again.host, again.port, again.params) == (user, host, port, params)


@given(st.text())
def test_any_text_is_a_uri_or_a_bad_message(text: str) -> None:
    for prefix in ("", "sip:", "sip:a@", "tel:", "tel:+1"):
        try:
            uri = Uri.parse(prefix + text)
        except BadMessage:
            continue
        _ = (uri.aor(), uri.user_decoded, uri.transport, hash(uri), str(uri), repr(uri))
        assert uri == uri


def test_parts() -> None:
    uri = Uri.parse("SIPS:al%69ce:pw@Example.COM:5061;Transport=tcp;lr?subject=x")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == ("sips", "al%69ce", "pw", "Example.COM", 5061)
    assert (uri.params, uri.headers) == ({"transport": "tcp", "lr": None}, "subject=x")
    assert (uri.user_decoded, uri.transport, uri.aor()) == ("alice", "TCP", "alice@example.com")
    assert Uri.parse("sip:example.com").aor() == "@example.com"
    assert Uri.parse("sip:example.com").transport is None


@pytest.mark.parametrize(
    "text",
    ["", "sip", "sip:", "sip:@a", "sip:a@", "sip:a@b@c", "sip:a b@c", "<sip:a>", "sip:a;", "sip:a;;b", "sip:::1",
     "sip:a:b c@d", ":a", "1x:a",
     "tel:", "tel:+", "tel:a b", "tel:xyz", "http:", 'sip:"a"@b'],
)  # fmt: skip
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(BadMessage):
        Uri.parse(text)


# §19.1.4, its own examples


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_equivalent(one: str, two: str) -> None:
    assert Uri.parse(one) == Uri.parse(two)
    assert hash(Uri.parse(one)) == hash(Uri.parse(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
        ("sip:a:x@b", "sip:a@b"),
        ("sip:+1@b", "tel:+1"),
        ("tel:+1", "sip:+1@b"),
    ],
)
def test_not_equivalent(one: str, two: str) -> None:
    assert Uri.parse(one) != Uri.parse(two)


def test_a_uri_is_no_other_thing() -> None:
    assert Uri.parse("sip:a") != "sip:a"
    assert Uri.parse("tel:+1") != "tel:+1"


# RFC 3966


def test_a_telephone_number() -> None:
    uri = Uri.parse("TEL:+1-(201)-555.0123;ext=12;isub=a")
    assert isinstance(uri, TelUri)
    assert (uri.user, uri.number, uri.host) == ("+1-(201)-555.0123", "+12015550123", "")
    assert str(uri) == "tel:+1-(201)-555.0123;ext=12;isub=a"
    assert uri.aor() == "+12015550123"
    assert uri == Uri.parse("tel:+12015550123;isub=A;ext=1-2")
    assert hash(uri) == hash(Uri.parse("tel:+12015550123;isub=A;ext=1-2"))
    assert uri != Uri.parse("tel:+12015550123")


def test_a_local_number_and_its_context() -> None:
    uri = Uri.parse("tel:7042;phone-context=example.com")
    assert isinstance(uri, TelUri)
    assert uri.context == "example.com"
    assert Uri.parse("tel:863-1234;phone-context=+1-914-555") == Uri.parse("tel:8631234;phone-context=+1914555")
    assert Uri.parse("tel:*70#") != Uri.parse("tel:*71#")


def test_other_schemes_are_kept_as_they_are() -> None:
    uri = Uri.parse("HTTP://example.com/a?b")
    assert isinstance(uri, OtherUri)
    assert (str(uri), uri.host, uri.user, uri.params) == ("http://example.com/a?b", "", None, {})
    assert uri == Uri.parse("http://example.com/a?b") != Uri.parse("http://example.com/a")


def test_escapes() -> None:
    assert decode("%41%c3%a9%") == "Aé%"
    assert decode("%4") == "%4"
    assert decode("%zz%+1") == "%zz%+1"
    assert decode("%ff") == "\udcff"
