"""Peers of RFC 2543, whose Via has no branch to go by (RFC 3261 §17.2.3)."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import parse, respond
from tests.rayswitch.sip.station import Station
from tests.scenarios.agents import Caller, assert_nothing_left
from tests.scenarios.network import ALICE, BOB, NETWORKS, UDP, Network


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.1:5060", "SIP/2.0/UDP 192.0.2.1:5060;branch=old"])
@pytest.mark.parametrize("weather", NETWORKS)
@pytest.mark.parametrize("seed", range(15))
def test_a_peer_of_rfc_2543_calls_and_is_refused(seed: int, weather: dict[str, Any], via: str) -> None:
    """§17.2.3: no branch to go by.  It repeats its INVITE until it hears something, and ACKs each failure."""
    network = Network(seed, **weather)
    bob = network.station("s1", BOB)
    told: list[RequestReceived] = []

    def refuse(event: Any) -> None:
        told.append(event)
        bob.respond(event.server, respond(event.request, 486, to_tag="bob"))

    bob.user = refuse
    heard: list[int] = []
    invite = Caller(Station(), UDP).message()
    invite.prepend("via", via)

    def old_peer(data: bytes, flow: Flow) -> None:
        response = parse(data)
        heard.append(response.status)
        ack = invite.copy()
        ack.method = "ACK"
        ack.set("to", response.get("to") or "")
        ack.set("cseq", "1 ACK")
        network.send(flow, ack.encode())

    network.attach(ALICE, old_peer)
    for second in range(16):
        network.clock.after(second / 2, lambda: None if heard else network.send(UDP, invite.encode()))
    network.clock.run()
    assert len(told) == 1
    assert set(heard) == {486}
    assert_nothing_left(bob)
