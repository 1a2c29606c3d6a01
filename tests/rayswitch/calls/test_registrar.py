"""REGISTER as a message: what is read out of it, and its answer (RFC 3261 §10.2, 10.3, RFC 3327, RFC 5626)."""

from __future__ import annotations

import pytest

from rayswitch.calls import registrar
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Request, parse, validate

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("10.0.0.1", 5062))
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'


def register(*headers: tuple[str, str]) -> Request:
    rows = [
        ("via", "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx"),
        ("from", "<sip:100@example.com>;tag=a"),
        ("to", "<sip:100@example.com>"),
        ("call-id", "c1"),
        ("cseq", "3 REGISTER"),
        *headers,
    ]
    message = parse(Request.new("REGISTER", "sip:example.com", rows).encode())
    validate(message)
    assert isinstance(message, Request)
    return message


def test_what_is_read() -> None:
    request = register(
        ("contact", "<sip:100@10.0.0.1>;expires=60;q=0.5, <sip:x@y>"), ("expires", "90"), ("path", "<sip:e;lr>")
    )
    event = registrar.read(request, FLOW, 5, 10.0)
    assert event.wanted == [["sip:100@10.0.0.1", ";q=0.5", 60], ["sip:x@y", "", None]]
    assert (event.token, event.call_id, event.cseq, event.expires) == (5, "c1", 3, 90)
    assert (event.path, event.flow, event.wall) == (["<sip:e;lr>"], FLOW, 10.0)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ((), None),
        ((("contact", "*"), ("expires", "0")), "*"),
        ((("contact", "<sip:a@b>;expires=soon"),), [["sip:a@b", "", 3600]]),
        ((("contact", "<sip:a@b>;expires=99999999999"),), [["sip:a@b", "", 2**32 - 1]]),
        ((("contact", '"Al, \\"x\\"" <sip:a@b;transport=tcp>'),), [["sip:a@b;transport=tcp", "", None]]),
    ],
)
def test_wanted(headers: tuple[tuple[str, str], ...], wanted: object) -> None:
    assert registrar.wanted(register(*headers)) == wanted


@pytest.mark.parametrize(
    "headers",
    [
        (("contact", "*"),),
        (("contact", "*"), ("expires", "60")),
        (("contact", "*, <sip:a@b>"), ("expires", "0")),
        (("contact", "<sip:a@b"),),
        tuple(("contact", f"<sip:a{number}@b>") for number in range(11)),
    ],
)
def test_contradictions_are_400(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadMessage) as error:
        registrar.wanted(register(*headers))
    assert error.value.status == 400


def test_the_200_lists_all_bindings() -> None:
    request = register(("path", "<sip:e;lr>"))
    result = [200, "OK", [], [["sip:a@b", ";q=0.5", 30, []], ["sip:c@d", "", 60, []]]]
    response = parse(registrar.answer(request, result, 784111777.0, "t").encode())
    assert response.get_all("contact") == ["<sip:a@b>;q=0.5;expires=30", "<sip:c@d>;expires=60"]
    assert response.get("path") == "<sip:e;lr>" and response.to.tag == "t"
    assert response.get("date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert [contact.expires for contact in response.contacts] == [30, 60]


def test_a_refusal_has_its_headers_and_no_contacts() -> None:
    response = registrar.answer(register(), [423, "Interval Too Brief", [["min-expires", "60"]], []], 0.0, "t")
    assert (response.status, response.get("min-expires"), response.has("contact")) == (423, "60", False)


def test_parameters_come_back_as_they_came() -> None:
    request = register(("contact", f"<sip:a@b>;{INSTANCE};reg-id=1;ob;expires=60"), ("supported", "path, outbound"))
    (row,) = registrar.wanted(request) or []
    response = registrar.answer(request, [200, "OK", [], [["sip:a@b", row[1], 60, []]]], 0.0, "t")
    assert INSTANCE in (response.get("contact") or "") and ";reg-id=1" in (response.get("contact") or "")
    assert response.get("require") == "outbound"


@pytest.mark.parametrize("headers", [(("supported", "path"),), (("supported", "outbound"), ("path", "<sip:e;lr>"))])
def test_no_outbound_without_the_phone_or_its_proxy_knowing_it(headers: tuple[tuple[str, str], ...]) -> None:
    request = register(("contact", f"<sip:a@b>;{INSTANCE};reg-id=1"), *headers)
    (row,) = registrar.wanted(request) or []
    response = registrar.answer(request, [200, "OK", [], [["sip:a@b", row[1], 60, []]]], 0.0, "t")
    assert not response.has("require")
