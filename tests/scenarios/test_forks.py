"""Three parties: one INVITE that a proxy sends to two phones, or to one by two ways (RFC 3261 §13.2.2.4, 8.2.2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import Request, parse
from tests.scenarios.agents import Callee, Caller, assert_nothing_left
from tests.scenarios.network import ALICE, BOB, CAROL, NETWORKS, PROXY, Network, status


class Fork:
    """A stateless proxy that sends each request on to all of `targets` (§16.11), responses back by Via."""

    def __init__(self, network: Network, *targets: Address) -> None:
        self.network = network
        self.targets = targets
        network.attach(PROXY, self.receive)

    def receive(self, data: bytes, flow: Flow) -> None:
        message = parse(data)
        if isinstance(message, Request):
            for index, target in enumerate(self.targets):
                copy = message.copy()
                branch = f"{message.via.branch}-{index}"  # §16.11: the same for a repetition
                copy.prepend("via", f"SIP/2.0/UDP {PROXY[0]}:{PROXY[1]};branch={branch};rport")
                self.network.send(Flow("UDP", PROXY, target), copy.encode())
        else:
            message.replace_top("via", None)
            via = message.via
            self.network.send(Flow("UDP", PROXY, (via.host, via.port or 5060)), message.encode())


@pytest.mark.parametrize("weather", [pytest.param({}, id="perfect"), *NETWORKS])
@pytest.mark.parametrize("seed", range(15))
def test_two_phones_behind_a_proxy_answer_one_invite(seed: int, weather: dict[str, Any]) -> None:
    """§13.2.2.4: both 2xx reach the caller, both get their ACK, each is a dialog of its own and is ended by itself."""
    network = Network(seed, **weather)
    Fork(network, BOB, CAROL)
    alice, bob, carol = network.station("s0", ALICE), network.station("s1", BOB), network.station("s2", CAROL)
    caller = Caller(alice, Flow("UDP", ALICE, PROXY))
    called = [Callee(bob, delay=1.0), Callee(carol, delay=1.2)]
    alice.user, bob.user, carol.user = caller.told, called[0].told, called[1].told
    caller.call()
    network.clock.run(45)
    # A stateless proxy repeats nothing: once one phone is heard ringing, a lost INVITE to the other stays lost.
    reached = [callee for callee in called if callee.invites["call-1"]]
    assert weather or reached == called
    assert set(caller.dialogs) == {callee.tag for callee in reached}
    assert all(callee.acknowledged == {"call-1"} for callee in reached)
    caller.hang_up()
    network.clock.run()
    assert caller.byes == {200: len(reached)}
    assert all(callee.ended == {"call-1"} for callee in reached)
    assert_nothing_left(alice, bob, carol)


@pytest.mark.parametrize("weather", [pytest.param({}, id="perfect"), *NETWORKS])
@pytest.mark.parametrize("seed", range(15))
def test_one_phone_reached_by_two_ways_rings_once(seed: int, weather: dict[str, Any]) -> None:
    """§8.2.2.2: the second INVITE is merged, 482, and the call goes on."""
    network = Network(seed, **weather)
    fork = Fork(network, BOB, BOB)
    alice, bob = network.station("s0", ALICE), network.station("s1", BOB)
    caller, callee = Caller(alice, Flow("UDP", ALICE, PROXY)), Callee(bob)
    refused: list[int] = []

    def best_response(data: bytes, flow: Flow) -> None:
        """A forking proxy keeps the failure of one branch to itself while another may still answer (§16.7)."""
        message = parse(data)
        if status(482)(message):
            refused.append(1)
            ack = merged_ack(message)
            network.send(flow, ack.encode())
        elif not (isinstance(message, Request) and message.method == "ACK"):
            fork.receive(data, flow)

    network.attach(PROXY, best_response)
    alice.user, bob.user = caller.told, callee.told
    caller.call()
    network.clock.run()
    assert callee.invites["call-1"] == 1
    assert caller.outcome == 200
    assert weather or refused  # the second copy of the INVITE may be lost too
    assert_nothing_left(alice, bob)


def merged_ack(refusal: Any) -> Request:
    """The proxy's own ACK of the 482."""
    return Request.new(
        "ACK",
        "sip:bob@example.com",
        [
            ("via", str(refusal.via)),
            ("max-forwards", "70"),
            *((name, refusal.get(name)) for name in ("from", "to", "call-id")),
            ("cseq", "1 ACK"),
        ],
    )
