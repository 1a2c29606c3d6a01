"""Server transactions, RFC 3261 §17.2 and RFC 6026 §7.1, behaviour by behaviour."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.sip.events import AckReceived, RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Message, Request, respond
from tests.rayswitch.sip.station import TCP, UDP, Station, incoming

FAILURES = [300, 404, 486, 503, 603]


def opened(method: str = "INVITE", flow: Flow = UDP) -> tuple[Station, RequestReceived]:
    station = Station()
    station.receive(incoming(method), flow)
    (event,) = station.take_events()
    assert isinstance(event, RequestReceived)
    return station, event


def reply(station: Station, event: RequestReceived, status: int, tag: str | None = "ours") -> Any:
    return station.respond(event.server, respond(event.request, status, to_tag=tag))


def ack() -> Request:
    """Of a failure: the INVITE's own branch."""
    return incoming("ACK", to="<sip:101@rayswitch.local>;tag=ours")


def sent_statuses(station: Station) -> list[int]:
    return [message.status for message in station.take_sent()]


# -- INVITE ------------------------------------------------------------------------------------------------------------


def test_an_invite_is_told_once_and_repetitions_get_the_last_response() -> None:
    """§17.2.1"""
    station, event = opened()
    assert station.receive(incoming()) == []
    reply(station, event, 180)
    station.receive(incoming())
    reply(station, event, 183)
    station.receive(incoming())
    assert sent_statuses(station) == [180, 180, 183, 183]
    assert station.events == []


def test_100_is_sent_when_the_user_has_said_nothing() -> None:
    """§17.2.1; the tag that a 100 need not have is left out."""
    station, event = opened()
    station.perform(station.layer.trying(event.server, 0))
    (trying,) = station.take_sent()
    assert (trying.status, trying.to.tag) == (100, None)
    station.receive(incoming())
    assert sent_statuses(station) == [100]


@pytest.mark.parametrize("status", [100, 180, 200, 486])
def test_no_100_after_anything_else(status: int) -> None:
    station, event = opened()
    reply(station, event, status)
    assert station.layer.trying(event.server, 0) == []


def test_no_100_to_what_is_not_an_invite() -> None:
    station, event = opened("OPTIONS")
    assert station.layer.trying(event.server, 0) == []
    assert station.layer.trying(event.server + 1, 0) == []


@pytest.mark.parametrize("status", FAILURES)
def test_a_failure_is_repeated_until_timer_h(status: int) -> None:
    """§17.2.1: timer G from T1 doubling to T2; without ACK it ends after 64 T1."""
    station, event = opened()
    reply(station, event, status)
    station.clock.run()
    assert station.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert station.events == []
    assert station.idle


def test_a_repeated_invite_gets_the_failure_again() -> None:
    """§17.2.1"""
    station, event = opened()
    reply(station, event, 486)
    station.receive(incoming())
    assert sent_statuses(station) == [486, 486]


def test_the_ack_ends_the_repetitions_and_timer_i_swallows_the_rest() -> None:
    """§17.2.1: it is not for the user."""
    station, event = opened()
    reply(station, event, 486)
    station.receive(ack())
    station.clock.run(4.9)
    assert not station.idle
    assert station.receive(ack()) == []
    assert station.receive(incoming()) == []
    station.clock.run()
    assert station.idle
    assert station.times() == [0]
    assert station.events == []


def test_over_tcp_a_failure_is_sent_once_and_the_ack_ends_it() -> None:
    """§17.2.1: no timer G, timer I zero; timer H all the same."""
    station, event = opened(flow=TCP)
    reply(station, event, 486)
    station.clock.run(20)
    assert station.times() == [0]
    station.receive(ack(), TCP)
    assert station.idle
    station, event = opened(flow=TCP)
    reply(station, event, 486)
    station.clock.run()
    assert station.idle


def test_an_ack_before_any_final_response_is_ignored() -> None:
    station, event = opened()
    assert station.receive(ack()) == []
    reply(station, event, 180)
    assert station.receive(ack()) == []


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_accepted_swallows_the_invite_for_64_t1(flow: Flow) -> None:
    """RFC 6026 §7.1: repetitions of the INVITE neither reach the user nor bring the 2xx again."""
    station, event = opened(flow=flow)
    reply(station, event, 200)
    station.clock.run(31.9)
    assert station.receive(incoming(), flow) == []
    station.clock.run()
    assert station.idle
    assert station.times() == [0]


def test_the_user_repeats_its_2xx_itself() -> None:
    """RFC 6026 §7.1, RFC 3261 §13.3.1.4"""
    station, event = opened()
    for _ in range(3):
        reply(station, event, 200)
    assert sent_statuses(station) == [200, 200, 200]


def test_after_a_2xx_there_is_no_other_response() -> None:
    station, event = opened()
    reply(station, event, 200)
    station.take_sent()
    for status in (180, 486):
        assert reply(station, event, status) == []


def test_after_a_failure_there_is_no_other_response() -> None:
    station, event = opened()
    reply(station, event, 486)
    station.take_sent()
    for status in (180, 200, 404):
        assert reply(station, event, status) == []


def test_the_ack_of_a_2xx_goes_to_the_user() -> None:
    """§13.3.1.4; RFC 6026 §7.1 for one that still has the INVITE's branch."""
    station, event = opened()
    reply(station, event, 200)
    station.receive(ack())
    station.receive(incoming("ACK", via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKother", to="<sip:1@x>;tag=ours"))
    events = station.take_events()
    assert [type(event) for event in events] == [AckReceived, AckReceived]
    assert [event.flow for event in events] == [UDP, UDP]


def test_a_transport_error_changes_nothing() -> None:
    """RFC 6026 §8.8"""
    station, event = opened()
    assert station.fail() == []
    reply(station, event, 486)
    assert station.fail() == []
    assert not station.idle


# -- other requests ----------------------------------------------------------------------------------------------------


def test_another_request_is_told_once() -> None:
    """§17.2.2: in trying repetitions are dropped, then they get the last response."""
    station, event = opened("OPTIONS")
    assert station.receive(incoming("OPTIONS")) == []
    reply(station, event, 100)
    station.receive(incoming("OPTIONS"))
    reply(station, event, 200)
    station.receive(incoming("OPTIONS"))
    assert sent_statuses(station) == [100, 100, 200, 200]
    assert station.events == []


@pytest.mark.parametrize("status", [200, *FAILURES])
def test_timer_j_lasts_64_t1(status: int) -> None:
    """§17.2.2; the response is not repeated without being asked for."""
    station, event = opened("OPTIONS")
    reply(station, event, status)
    station.clock.run(31.9)
    station.receive(incoming("OPTIONS"))
    assert sent_statuses(station) == [status, status]
    station.clock.run()
    assert station.idle
    station.receive(incoming("OPTIONS"))
    assert isinstance(station.events[0], RequestReceived)


def test_over_tcp_timer_j_is_zero() -> None:
    """§17.2.2"""
    station, event = opened("OPTIONS", TCP)
    reply(station, event, 200)
    assert station.idle


@pytest.mark.parametrize("status", [100, 200, 404])
def test_after_the_final_response_there_is_no_other(status: int) -> None:
    station, event = opened("OPTIONS")
    reply(station, event, 200)
    assert reply(station, event, status) == []


# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("INVITE", 180), ("INVITE", 200), ("INVITE", 486), ("OPTIONS", 200)])
def test_an_answered_transaction_keeps_octets_at_most(method: str, status: int) -> None:
    station, event = opened(method)
    reply(station, event, status)
    (machine,) = station.layer.machines.values()
    kept = [getattr(machine, slot) for kind in type(machine).__mro__ for slot in getattr(kind, "__slots__", ())]
    assert not [value for value in kept if isinstance(value, Message | list | dict)]
    assert bool(machine.data) is not (method == "INVITE" and status == 200)


def test_a_response_is_encoded_once() -> None:
    """Repetitions are the very same octets, whatever the user does to its object."""
    station, event = opened()
    response = respond(event.request, 486, to_tag="ours")
    first = station.respond(event.server, response)[0].data
    response.set("reason", "changed")
    assert station.receive(incoming())[0].data is first
