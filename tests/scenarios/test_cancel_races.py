"""CANCEL races (RFC 3261 §9): it meets its INVITE, the first answer and the last one anywhere on their way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.agents import assert_nothing_left, phones
from tests.scenarios.network import NETWORKS, Network, method, status

SEEDS = range(40)


@pytest.mark.parametrize("weather", NETWORKS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("after", [0.0, 0.5, 0.9, 1.0, 1.1, 1.5])
def test_cancel_at_any_moment_both_sides_agree(seed: int, after: float, weather: dict[str, Any]) -> None:
    """Bob answers after 1 s: CANCEL before the 1xx, while it rings, crossing the 200, after it (RFC 3261 §9.1, §15)."""
    network = Network(seed, **weather)
    caller, callee = phones(network)
    caller.call()
    network.clock.after(after, lambda: caller.station.cancel(("call-1", "INVITE")))
    network.clock.run(70)
    assert callee.invites["call-1"] == 1
    if caller.outcome == 487:
        assert callee.cancelled == {"call-1"}
        assert not callee.dialogs
    else:
        assert caller.outcome == 200
        assert callee.acknowledged == {"call-1"}
        caller.hang_up()
    network.clock.run()
    assert caller.finals == 1
    assert_nothing_left(caller.station, callee.station)


def test_cancel_before_any_provisional_response_waits_for_one() -> None:
    """§9.1: it must not overtake its INVITE."""
    network = Network()
    network.hold(method("INVITE"), 0.4)
    caller, callee = phones(network, delay=None)
    caller.call()
    caller.station.cancel(("call-1", "INVITE"))
    network.clock.run()
    order = [getattr(message, "method", getattr(message, "status", 0)) for _, _, _, message, _ in network.log]
    assert order == ["INVITE", 180, "CANCEL", 200, 487, "ACK"]
    assert (caller.outcome, callee.cancelled) == (487, {"call-1"})
    assert_nothing_left(caller.station, callee.station)


def test_cancel_crosses_the_200_on_the_wire() -> None:
    """The call stands; whoever wanted to cancel hangs up (§15)."""
    network = Network(delay=(0.1, 0.1))
    caller, callee = phones(network, delay=1.0)
    caller.call()
    network.clock.after(1.15, lambda: caller.station.cancel(("call-1", "INVITE")))  # the 200 left at 1.1
    network.clock.run(5)
    assert network.seen(method("CANCEL")) == network.seen(status(200, "CANCEL")) == 1
    assert (caller.outcome, callee.cancelled, callee.acknowledged) == (200, set(), {"call-1"})
    caller.hang_up()
    network.clock.run()
    assert caller.byes == {200: 1}
    assert_nothing_left(caller.station, callee.station)


def test_a_lost_487_after_the_cancel() -> None:
    network = Network()
    network.lose(status(487), 3)
    caller, _ = phones(network, delay=None)
    caller.call()
    network.clock.after(1, lambda: caller.station.cancel(("call-1", "INVITE")))
    network.clock.run()
    assert (caller.outcome, caller.finals, network.seen(status(487))) == (487, 1, 4)


def test_a_peer_that_answers_the_cancel_but_never_the_invite_is_given_up() -> None:
    """§9.1: 64 T1 after the CANCEL."""
    network = Network()
    network.lose(status(487), 1000)
    caller, callee = phones(network, delay=None)
    caller.call()
    network.clock.after(1, lambda: caller.station.cancel(("call-1", "INVITE")))
    network.clock.run()
    assert (caller.outcome, caller.finals) == (0, 1)
    assert_nothing_left(caller.station, callee.station)
