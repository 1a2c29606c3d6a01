"""RFC 3261 §18.2.2 and RFC 3581 §4: where responses go."""

import pytest

from rayswitch.sip.flow import Flow
from rayswitch.sip.message import respond
from rayswitch.sip.response_address import response_flow
from tests.rayswitch.sip.station import HERE, TCP, UDP, Station, incoming

CASES = [
    pytest.param("UDP 192.0.2.9:5062;branch=z9hG4bK1;rport", 5062, id="rport-asked-for"),
    pytest.param("UDP 192.0.2.9:7777;branch=z9hG4bK1;rport", 5062, id="rport-wins-over-sent-by"),
    pytest.param("UDP 192.0.2.9:7777;branch=z9hG4bK1", 7777, id="no-rport-port-of-sent-by"),
    pytest.param("UDP 192.0.2.9;branch=z9hG4bK1", 5060, id="no-rport-no-port-5060"),
    pytest.param("UDP 10.0.0.5:7777;branch=z9hG4bK1", 5062, id="behind-a-translator-source-port"),
    pytest.param("UDP phone.example.com:7777;branch=z9hG4bK1", 5062, id="name-in-sent-by-source-port"),
]


@pytest.mark.parametrize(("via", "port"), CASES)
def test_over_udp(via: str, port: int) -> None:
    assert response_flow(incoming(via=f"SIP/2.0/{via}"), UDP) == Flow("UDP", HERE, ("192.0.2.9", port))


def test_over_a_connection_always_back_over_it() -> None:
    assert response_flow(incoming(via="SIP/2.0/TCP 192.0.2.9:7777;branch=z9hG4bK1"), TCP) is TCP


@pytest.mark.parametrize(("via", "port"), CASES)
def test_the_layer_sends_there_and_tells_its_user_the_source(via: str, port: int) -> None:
    station = Station()
    station.receive(incoming(via=f"SIP/2.0/{via}"))
    event = station.events[0]
    assert event.flow == UDP
    station.respond(event.server, respond(event.request, 486, to_tag="x"))
    assert station.sent[0][1].remote == ("192.0.2.9", port)


def test_received_and_rport_are_stamped_where_the_rfcs_want_them() -> None:
    """§18.2.1: received when sent-by is not the source; RFC 3581 §4: both when rport was asked for."""
    station = Station()
    station.receive(incoming(via="SIP/2.0/UDP 10.0.0.5:7777;branch=z9hG4bK1;rport"))
    station.receive(incoming(via="SIP/2.0/UDP 10.0.0.5:7777;branch=z9hG4bK2", call_id="2"))
    station.receive(incoming(via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK3", call_id="3"))
    stamped = [(event.request.via.received, event.request.via.rport) for event in station.events]
    assert stamped == [("192.0.2.9", 5062), ("192.0.2.9", None), (None, None)]


@pytest.mark.parametrize("known", [True, False])
def test_the_answer_to_a_cancel_is_stamped_and_sent_likewise(known: bool) -> None:
    station = Station()
    via = "SIP/2.0/UDP 10.0.0.5:7777;branch=z9hG4bK1;rport"
    if known:
        station.receive(incoming(via=via))
    station.receive(incoming("CANCEL", via=via))
    if not known:
        (event,) = station.events
        station.perform(station.layer.refuse_cancel(event.request, event.flow, 0))
    (_, flow, response), *_ = station.sent
    assert flow == UDP
    assert (response.via.received, response.via.rport) == ("192.0.2.9", 5062)
