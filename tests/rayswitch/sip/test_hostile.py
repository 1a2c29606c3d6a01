"""Whatever gets past the parser, the transaction layer and dialogs must bear (RFC 4475 and beyond)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.dialog import Dialog
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Request, Response, parse, respond, validate
from tests.rayswitch.sip import messages
from tests.rayswitch.sip.station import TCP, UDP, Station, outgoing, parsed_request

FLOWS = st.sampled_from([UDP, TCP])


def readable(data: bytes) -> bool:
    try:
        validate(parse(data))
    except BadMessage:
        return False
    return True


GOOD = [data for data in messages.TORTURE if readable(data)]


def bear(data: bytes, flow: Flow) -> None:
    """Receive it twice, answer what is asked, cancel and acknowledge it, let time pass."""
    station = Station()
    for _ in range(2):
        station.receive(data, flow)
    for event in station.take_events():
        if isinstance(event, RequestReceived):
            station.perform(station.layer.trying(event.server, 0))
            station.respond(event.server, respond(event.request, 486, to_tag="ours"))
            converse(event.request)
    message = parse(data)
    if isinstance(message, Request):
        for method in ("CANCEL", "ACK"):
            twin = message.copy()
            twin.method = method
            twin.set("cseq", f"{message.cseq.number} {method}")
            station.receive(twin, flow)
    station.clock.run()
    assert station.idle


def converse(request: Request) -> None:
    """Dialogs made of it can speak, and what they say can be read; a Record-Route that cannot be read makes none."""
    try:
        dialog = Dialog.uas(request, "ours")
    except BadMessage:
        return
    for each in (dialog.request("INFO", None), dialog.ack(1)):
        each.prepend("via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs0.000000000001")
        parsed_request(each.encode())
    assert Dialog.restore(dialog.snapshot()).snapshot() == dialog.snapshot()
    # As the answer of a peer, with its Record-Route, Contact and To.
    answer = Response(200, "OK", request.names, request.rows)
    Dialog.uac(outgoing(), answer).request("BYE", None).encode()


@pytest.mark.parametrize("flow", [UDP, TCP])
@pytest.mark.parametrize("data", GOOD, ids=range(len(GOOD)))
def test_torture_messages_that_are_legal(data: bytes, flow: Flow) -> None:
    bear(data, flow)


@given(messages.torn().filter(readable), FLOWS)
def test_torn_messages_that_are_still_legal(data: bytes, flow: Flow) -> None:
    bear(data, flow)


@given(st.lists(messages.anything, max_size=6), FLOWS)
def test_a_stream_of_anything(datagrams: list[bytes], flow: Flow) -> None:
    station = Station()
    for data in datagrams:
        with contextlib.suppress(BadMessage):
            station.receive(data, flow)
