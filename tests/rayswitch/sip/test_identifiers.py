"""Identifiers of our own, and what strangers' identifiers are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.grammar import is_token
from rayswitch.sip.identifiers import MAGIC, RANDOM, Identifiers, owner_of, tag_parts

owners = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=2, max_size=8)


def identifiers(owner: str, octets: bytes) -> Identifiers:
    return Identifiers(owner, lambda size: octets[:size].ljust(size, b"\0"))


@given(owners, st.binary(max_size=16), st.integers(0, 999_999))
def test_the_owner_can_be_read_from_branch_call_and_tag(owner: str, octets: bytes, leg: int) -> None:
    made = identifiers(owner, octets)
    call = made.call()
    tag = made.tag(call, leg)
    assert owner_of(made.branch()) == owner_of(call) == owner_of(tag) == owner
    assert tag_parts(tag) == (call, leg)
    assert all(is_token(text) for text in (made.branch(), call, tag))


def test_a_branch_begins_with_the_cookie_and_holds_enough_chance() -> None:
    """RFC 3261 §8.1.1.7; §19.3 asks for 32 bits."""
    branch = identifiers("s0", bytes(range(1, 17))).branch()
    assert branch == f"{MAGIC}s0.010203040506"
    assert RANDOM * 8 >= 32


def test_call_id_and_loose_tag_name_nobody() -> None:
    """What crosses from one half call to the other must not tell whose it was."""
    made = identifiers("s0", bytes(range(1, 17)))
    assert made.call_id() == "0102030405060708090a0b0c0d0e0f10"
    assert owner_of(made.call_id()) is None
    assert owner_of(made.loose_tag()) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        MAGIC,
        "z9hG4bK776asdhds8f2",
        "as5f2c3b1d",
        "1928301774",
        "a.b.c",
        "s0.",
        "s0.0102030405",
        "s0.01020304050g",
        "s.010203040506",
        "longer-than.010203040506",
        "s 0.010203040506",
        "ſ0.010203040506",
        "s0.0102030405 6",
        "s0.+10203040506",
        "S0@host.example.com",
    ],
)
def test_identifiers_of_others_have_no_owner(text: str) -> None:
    assert owner_of(text) is None
    assert tag_parts(f"{text}.1") is None


@pytest.mark.parametrize("leg", ["", "x", "-1", "٣", "1234567"])
def test_a_tag_of_ours_ends_in_a_leg_number(leg: str) -> None:
    assert tag_parts(f"s0.010203040506.{leg}") is None


@given(st.text(max_size=40))
def test_any_text_can_be_asked(text: str) -> None:
    owner_of(text)
    tag_parts(text)
