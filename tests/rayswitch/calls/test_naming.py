"""How numbers are written to lines and trunks, and who is named."""

import pytest

from rayswitch.calls.attempt import Attempt, Goal
from rayswitch.calls.features.naming import identity, uri_of, who_calls


def nothing(*about: object) -> None:
    """Nobody hears of it."""


def attempt(private: bool = False) -> Attempt:
    return Attempt("101", "Alice", None, (), 70, nothing, nothing, nothing, private=private)


def goal(wanted: str = "", asserted: str = "5550101", form: str = "sip", private: bool = False) -> Goal:
    made = Goal("0086755")
    made.identity, made.asserted, made.form, made.private = wanted, asserted, form, private
    return made


@pytest.mark.parametrize(
    ("number", "form", "uri"),
    [
        ("4711", "sip", "sip:4711@carrier.example"),
        ("4711", "user=phone", "sip:4711@carrier.example;user=phone"),
        ("+49301", "user=phone", "sip:+49301@carrier.example;user=phone"),
        ("+49301", "tel", "tel:+49301"),
        ("4711", "tel", "tel:4711;phone-context=carrier.example"),
        ("*98#", "tel", "tel:*98#;phone-context=carrier.example"),
        ("alice", "tel", "sip:alice@carrier.example"),
        ("+", "tel", "sip:+@carrier.example"),
        ("", "tel", "sip:@carrier.example"),
    ],
)
def test_numbers_as_the_other_side_wants_them(number: str, form: str, uri: str) -> None:
    assert uri_of(number, "carrier.example", form) == uri


def test_the_caller_in_from() -> None:
    assert who_calls(attempt(), goal(form="tel"), "c.example") == '"Alice" <tel:101;phone-context=c.example>'
    assert who_calls(attempt(True), goal(), "c.example") == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert who_calls(attempt(), goal(private=True), "c.example") == '"Anonymous" <sip:anonymous@anonymous.invalid>'


def test_the_caller_besides() -> None:
    assert identity(attempt(), goal(), "c") == ()
    assert identity(attempt(), goal("asserted", ""), "c") == ()
    assert identity(attempt(), goal("asserted"), "c") == (("p-asserted-identity", "<sip:5550101@c>"),)
    assert identity(attempt(), goal("preferred"), "c") == (("p-preferred-identity", "<sip:5550101@c>"),)
    hidden = (("p-asserted-identity", "<sip:5550101@c>"), ("privacy", "id"))
    assert identity(attempt(True), goal("asserted"), "c") == hidden
    assert identity(attempt(), goal("asserted", private=True), "c") == hidden
    assert identity(attempt(True), goal("preferred"), "c") == ()
