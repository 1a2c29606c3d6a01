"""Transactions over a bad network: whatever is lost, doubled or overtaken, both sides end with one view of the call."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rayswitch.sip.events import ResponseReceived
from tests.rayswitch.sip.station import Station
from tests.scenarios.agents import Callee, Caller, assert_nothing_left, phones
from tests.scenarios.network import ALICE, BOB, NETWORKS, TCP, UDP, Network, method, status

SEEDS = range(40)


# -- chance ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weather", NETWORKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_call_is_answered_acknowledged_and_ended(seed: int, weather: dict[str, Any]) -> None:
    network = Network(seed, **weather)
    caller, callee = phones(network)
    caller.call()
    network.clock.run(40)
    caller.hang_up()
    network.clock.run()
    assert callee.invites["call-1"] == 1
    assert (caller.outcome, caller.finals) == (200, 1)
    assert callee.acknowledged == {"call-1"}
    assert not callee.unacknowledged
    assert callee.ended == {"call-1"}
    assert caller.byes == {200: 1}
    assert_nothing_left(caller.station, callee.station)


@pytest.mark.parametrize("weather", NETWORKS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rings", [True, False])
def test_a_refusal_arrives_once_and_the_refuser_is_left_in_peace(
    seed: int, rings: bool, weather: dict[str, Any]
) -> None:
    network = Network(seed, **weather)
    caller, callee = phones(network, status=486, rings=rings)
    caller.call()
    network.clock.run()
    assert callee.invites["call-1"] == 1
    assert (caller.outcome, caller.finals) == (486, 1)
    assert callee.acknowledged == set()  # the ACK of a failure ends in the transaction
    assert_nothing_left(caller.station, callee.station)


@pytest.mark.parametrize("weather", NETWORKS)
def test_a_hundred_calls_at_once_do_not_touch_each_other(weather: dict[str, Any]) -> None:
    network = Network(7, **weather)
    alice, bob = network.station("s0", ALICE), network.station("s1", BOB)
    callee = Callee(bob)
    bob.user = callee.told
    callers = {f"call-{number}": Caller(alice, UDP, f"call-{number}") for number in range(100)}
    alice.user = lambda event: callers[event.response.call_id if event.key is None else event.key[0]].told(event)
    for caller in callers.values():
        caller.call()
    network.clock.run(40)
    for caller in callers.values():
        caller.hang_up()
    network.clock.run()
    assert set(callee.invites.values()) == {1}
    assert Counter(caller.outcome for caller in callers.values()) == {200: 100}
    assert all(caller.byes == {200: 1} for caller in callers.values())
    assert callee.ended == set(callers)
    assert_nothing_left(alice, bob)


@pytest.mark.parametrize("weather", NETWORKS)
@pytest.mark.parametrize("seed", range(10))
def test_the_same_seed_is_the_same_history(seed: int, weather: dict[str, Any]) -> None:
    """Else no failure found here could be looked at twice."""

    def history() -> list[Any]:
        network = Network(seed, **weather)
        caller, _ = phones(network)
        caller.call()
        network.clock.run()
        return [(time, message.encode(), lost) for time, _, _, message, lost in network.log]

    assert history() == history()


# -- single losses -----------------------------------------------------------------------------------------------------


def test_a_perfect_network_carries_each_message_once() -> None:
    network = Network()
    caller, _ = phones(network, delay=0.3)
    caller.call()
    network.clock.run(1)
    caller.hang_up()
    network.clock.run()
    sequence = [getattr(message, "method", getattr(message, "status", 0)) for _, _, _, message, _ in network.log]
    assert sequence == ["INVITE", 180, 200, "ACK", "BYE", 200]


@pytest.mark.parametrize("answer", [200, 486])
def test_over_tcp_no_transaction_repeats_anything(answer: int) -> None:
    network = Network(delay=(0.1, 3.0))
    caller, _ = phones(network, TCP, status=answer)
    caller.call()
    network.clock.run(20)
    assert caller.outcome == answer
    assert network.seen(method("INVITE")) == network.seen(status(180)) == 1
    assert answer == 200 or network.seen(status(486)) == network.seen(method("ACK")) == 1


def test_a_lost_invite_is_sent_again() -> None:
    network = Network()
    network.lose(method("INVITE"), 3)
    caller, callee = phones(network)
    caller.call()
    network.clock.run(20)
    assert (caller.outcome, callee.invites["call-1"]) == (200, 1)
    assert network.seen(method("INVITE")) == 4


def test_a_lost_180_comes_again_with_the_repeated_invite() -> None:
    network = Network()
    network.lose(status(180))
    caller, callee = phones(network, delay=10)
    caller.call()
    network.clock.run(20)
    assert caller.provisional == [180]
    assert network.seen(status(180)) == 2
    assert callee.invites["call-1"] == 1


def test_a_lost_failure_is_sent_again_until_its_ack() -> None:
    network = Network()
    network.lose(status(486), 2)
    caller, callee = phones(network, status=486)
    caller.call()
    network.clock.run()
    assert (caller.outcome, caller.finals) == (486, 1)
    assert (network.seen(status(486)), network.seen(method("ACK"))) == (3, 1)
    assert_nothing_left(caller.station, callee.station)


def test_a_lost_ack_of_a_failure_is_sent_again_for_the_repeated_failure() -> None:
    network = Network()
    network.lose(method("ACK"), 2)
    caller, callee = phones(network, status=486)
    caller.call()
    network.clock.run()
    assert (network.seen(status(486)), network.seen(method("ACK"))) == (3, 3)
    assert caller.finals == 1
    assert_nothing_left(caller.station, callee.station)


def test_a_lost_ack_of_a_2xx_is_sent_again_for_the_repeated_2xx() -> None:
    """RFC 6026: the repetitions reach the caller while its transaction is accepted …"""
    network = Network()
    network.lose(method("ACK"), 4)
    caller, callee = phones(network)
    caller.call()
    network.clock.run()
    assert callee.acknowledged == {"call-1"}
    assert network.seen(status(200)) == network.seen(method("ACK")) == 5
    assert_nothing_left(caller.station, callee.station)


def test_a_2xx_after_the_caller_was_restarted_is_acknowledged_all_the_same() -> None:
    """… and when nothing is left of it they are strays for its user."""
    network = Network()
    network.lose(status(200), 2)
    caller, callee = phones(network)
    caller.call()
    network.clock.run(1.2)
    caller.station.layer = Station("s0").layer
    network.clock.run()
    assert callee.acknowledged == {"call-1"}
    assert not callee.unacknowledged


def test_a_repeated_invite_after_the_2xx_neither_rings_again_nor_brings_a_2xx() -> None:
    """RFC 6026 §7.1: the accepted state swallows it; before RFC 6026 it would have been a new call."""
    network = Network()
    network.hold(method("INVITE"), 6.0)
    caller, callee = phones(network, delay=0.1, rings=False)
    caller.call()
    network.clock.run()
    assert network.seen(method("INVITE")) == 2
    assert callee.invites["call-1"] == 1
    assert (caller.outcome, caller.finals, network.seen(status(200))) == (200, 1, 1)


def test_a_lost_bye_and_a_lost_answer_to_it() -> None:
    network = Network()
    network.lose(method("BYE"), 2)
    network.lose(status(200, "BYE"), 2)
    caller, callee = phones(network)
    caller.call()
    network.clock.run(5)
    caller.hang_up()
    network.clock.run()
    assert caller.byes == {200: 1}
    assert callee.ended == {"call-1"}
    assert network.seen(method("BYE")) == 5


def test_a_dead_network_is_noticed_by_both() -> None:
    """Timers B and H."""
    network = Network(loss=1.0)
    caller, callee = phones(network)
    caller.call()
    network.clock.run()
    assert (caller.outcome, caller.finals) == (0, 1)
    network = Network()
    caller, callee = phones(network, status=486)
    caller.call()
    network.clock.run(0.5)
    network.loss = 1.0
    network.clock.run(100)
    assert network.seen(status(486)) == 11
    assert_nothing_left(callee.station)


# -- the transport fails -----------------------------------------------------------------------------------------------


def test_a_connection_that_breaks_ends_what_waits_on_it_and_nothing_else() -> None:
    """§17.1.4"""
    network = Network()
    alice = network.station("s0", ALICE)
    alice.request("udp", Caller(alice, UDP, "one").message(), UDP)
    alice.request("tcp", Caller(alice, TCP, "two").message(), TCP)
    alice.fail(TCP)
    assert [event.key for event in alice.events if not isinstance(event, ResponseReceived)] == ["tcp"]
    network.clock.run()
    assert [event.key for event in alice.events] == ["tcp", "udp"]
    assert_nothing_left(alice)
