"""Parameters of contacts, as bindings compare and keep them."""

from __future__ import annotations

import pytest

from rayswitch.calls.binding import Binding, bind, instance_of, parameter
from rayswitch.sip.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("10.0.0.1", 5062))


@pytest.mark.parametrize(
    ("params", "name", "value"),
    [(";q=0.5;ob", "q", "0.5"), (";Q=1", "q", "1"), (";ob", "ob", ""), ("", "q", None), (";qq=1", "q", None)],
)
def test_parameter(params: str, name: str, value: str | None) -> None:
    assert parameter(params, name) == value


def test_instance_needs_both_names() -> None:
    assert instance_of(';+sip.instance="<urn:x>";reg-id=2') == ('"<urn:x>"', "2")
    assert instance_of(';+sip.instance="<urn:x>"') is None
    assert instance_of(";reg-id=2") is None


@pytest.mark.parametrize(("params", "q"), [("", 1.0), (";q=0.3", 0.3), (";q=", 1.0), (";q=x", 1.0), (";q=0", 0.0)])
def test_q(params: str, q: float) -> None:
    assert bind("sip:a@b", params, "c", 1, 10.0, 1.0, [], FLOW).q == q


def test_snapshot() -> None:
    binding = bind("sip:100@10.9.9.9", ";q=0.3", "c", 1, 10.0, 1.0, ["<sip:e;lr>"], FLOW)
    assert Binding.restore(binding.snapshot()) == binding
