"""A CANCEL that comes in (RFC 3261 §9.2): answered by the layer, told to the user when it still matters."""

from __future__ import annotations

import pytest

from rayswitch.sip.events import CancelReceived, CancelUnmatched
from rayswitch.sip.message import respond
from tests.rayswitch.sip.station import TCP, Station, incoming, opened


def test_a_cancel_is_answered_and_told_once() -> None:
    station, event = opened(incoming())
    for _ in range(3):
        station.receive(incoming("CANCEL"))
    assert station.take_events() == [CancelReceived(event.server)]
    assert [(message.status, message.cseq.method) for message in station.take_sent()] == [(200, "CANCEL")] * 3
    station.respond(event.server, respond(event.request, 487, to_tag="ours"))
    station.receive(incoming("ACK"))
    station.clock.run()
    assert station.idle


def test_the_answer_to_a_cancel_has_the_tag_of_the_invite_s_answer() -> None:
    """§9.2; before any answer a tag is made (§8.2.6.2)."""
    station, event = opened(incoming())
    station.respond(event.server, respond(event.request, 180, to_tag="ours"))
    station.take_sent()
    station.receive(incoming("CANCEL"))
    assert station.take_sent()[0].to.tag == "ours"
    station, _ = opened(incoming())
    station.receive(incoming("CANCEL"))
    assert station.take_sent()[0].to.tag


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_that_comes_too_late_is_answered_and_not_told(status: int) -> None:
    """§9.2: no effect after a final response."""
    station, event = opened(incoming())
    station.respond(event.server, respond(event.request, status, to_tag="ours"))
    station.take_sent()
    station.receive(incoming("CANCEL"))
    assert [(message.status, message.cseq.method) for message in station.take_sent()] == [(200, "CANCEL")]
    assert station.events == []


def test_a_cancel_for_nothing_is_the_shell_s_to_ask_about_then_481() -> None:
    """§9.2; several gateways share one port."""
    station = Station()
    station.receive(incoming("CANCEL"))
    (event,) = station.take_events()
    assert isinstance(event, CancelUnmatched)
    assert not station.layer.knows(event.request)
    station.receive(incoming("CANCEL"))  # again, while others are asked
    (second,) = station.take_events()
    for each in (event, second):
        station.perform(station.layer.refuse_cancel(each.request, each.flow, 0))
    station.receive(incoming("CANCEL"))
    refusals = station.take_sent()
    assert [message.status for message in refusals] == [481, 481, 481]
    assert len({message.encode() for message in refusals}) == 1
    assert refusals[0].to.tag
    assert station.events == []
    station.clock.run()
    assert station.idle


def test_a_cancel_of_an_invite_here_is_known() -> None:
    station, _ = opened(incoming())
    assert station.layer.knows(incoming("CANCEL"))
    assert not station.layer.knows(incoming("CANCEL", via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx"))


def test_a_cancel_over_tcp_leaves_nothing_behind() -> None:
    station, _ = opened(incoming(), TCP)
    station.receive(incoming("CANCEL"), TCP)
    assert len(station.layer.machines) == 1
