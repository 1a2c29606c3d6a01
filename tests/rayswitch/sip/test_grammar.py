"""Tokens, quoted strings, parameters, hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.grammar import (
    BadMessage,
    end_of_quoted,
    host_port,
    host_text,
    is_token,
    number,
    parameters,
    parameters_text,
    quote,
    split,
    unquote,
)


@given(st.text())
def test_quoting_and_unquoting_changes_nothing(text: str) -> None:
    assert unquote(quote(text)) == text
    assert end_of_quoted(quote(text), 0) == len(quote(text))


@given(st.lists(st.text('a,;"\\ ').map(quote) | st.just("<sip:a,b;c>") | st.text("abc", min_size=1), min_size=1))
def test_separators_count_outside_of_quotes_and_brackets_only(pieces: list[str]) -> None:
    assert split(",".join(pieces), ",") == pieces
    assert split(" ;\t".join(pieces), ";") == pieces


@pytest.mark.parametrize("text", ['"', '"a\\"', 'x "a, b', "<sip:a, b", 'a,"\\'])
def test_what_never_closes_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        split(text, ",") if "," in text else end_of_quoted(text, text.index('"'))


@given(st.text('a<>"\\ ;', max_size=12))
def test_one_piece_more_changes_nothing_before_it(text: str) -> None:
    """A Via that was valid is so with our `received` behind it."""
    try:
        pieces = split(text, ";")
    except BadMessage:
        with pytest.raises(BadMessage):
            split(f"{text};x", ";")
    else:
        assert split(f"{text};x", ";") == [*pieces, "x"]


def test_a_bracket_in_a_parameter_has_to_be_closed() -> None:
    assert parameters("a=<x;y>;b") == {"a": "<x;y>", "b": None}
    with pytest.raises(BadMessage):
        parameters("branch=z9<3;rport")


def test_text_that_is_not_quoted_stays() -> None:
    assert [unquote(text) for text in ("a", '"', 'a"', '""', '"a\\"b\\\\"', '"a\\')] == [
        "a", '"', 'a"', "", 'a"b\\', '"a\\',
    ]  # fmt: skip


def test_tokens() -> None:
    assert all(map(is_token, ("INVITE", "-.!%*_+`'~", "0")))
    assert not any(map(is_token, ("", "a b", "a@b", "é", "a\0", "(a)")))


def test_numbers() -> None:
    assert number("0" * 50 + "7", 9, "x") == 7
    assert number("9", 9, "x") == 9
    assert number("000", 9, "x") == 0
    for text in ("10", "", "-1", "+1", "1.0", " 1", "١", "²", "9" * 10000):
        with pytest.raises(BadMessage, match="x is"):
            number(text, 9, "x")


def test_parameters() -> None:
    assert parameters("a=1;B;c=;D=\"x;y\" ; e = 'z'") == {
        "a": "1", "b": None, "c": "", "d": '"x;y"', "e": "'z'",
    }  # fmt: skip
    assert parameters("tag=1;tag=2;TAG=3") == {"tag": "1"}
    for text in ("", ";", "a;", ";a", "=1", "a;;b", " ", '"'):
        with pytest.raises(BadMessage):
            parameters(text)


@given(st.dictionaries(st.text("abcxyz-", min_size=1), st.none() | st.text("AB12.%") | st.text().map(quote)))
def test_parameters_round_trip(params: dict[str, str | None]) -> None:
    text = parameters_text(params)
    assert (parameters(text[1:]) if text else {}) == params


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("a_b-c.example:5060", "a_b-c.example", 5060),
        ("192.0.2.1:0", "192.0.2.1", 0),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[::ffff:192.0.2.1]:65535", "::ffff:192.0.2.1", 65535),
    ],
)
def test_hosts(text: str, host: str, port: int | None) -> None:
    assert host_port(text, "x") == (host, port)
    assert host_text(host, port) == text


@pytest.mark.parametrize(
    "text",
    ["", ":5060", "a:", "a:65536", "a:b", "a b", "a@b", "é", "a/b"]
    + ["[::1", "::1", "[]", "[1]", "[::g]", "[::1]x", "[::1]:"],
)
def test_bad_hosts(text: str) -> None:
    with pytest.raises(BadMessage):
        host_port(text, "x")
