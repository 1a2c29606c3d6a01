"""The simulation is held against what queueing theory knows, and against sums."""

import random

import pytest

from benchmarks.simulation.costs import Costs
from benchmarks.simulation.engine import Clock, Server
from benchmarks.simulation.model import KINDS, Cluster, Load
from benchmarks.simulation.upkeep import Upkeep


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_server_waits_as_long_as_theory_says(load: float) -> None:
    """M/D/1: the mean wait is load / 2 (1 - load) services."""
    clock, chance = Clock(), random.Random(1)
    server, waited = Server(clock), list[float]()

    def come() -> None:
        server.serve(1.0, lambda began: waited.append(clock.now - began - 1.0), clock.now)
        clock.at(clock.now + chance.expovariate(load), come)

    clock.at(0.0, come)
    clock.run(200_000)
    assert sum(waited) / len(waited) == pytest.approx(load / (2 * (1 - load)), rel=0.05)
    assert server.busy(200_000) == pytest.approx(load, rel=0.02)


def test_two_cores_share_one_queue() -> None:
    clock, ended = Clock(), list[float]()
    server = Server(clock, cores=2)
    for _ in range(4):
        server.serve(1.0, lambda: ended.append(clock.now))
    clock.run(10)
    assert ended == [1, 1, 2, 2]


def test_what_a_core_does_besides_makes_the_rest_slower() -> None:
    clock, ended = Clock(), list[float]()
    Server(clock, upkeep=0.5).serve(1.0, lambda: ended.append(clock.now))
    clock.run(10)
    assert ended == [2]


def test_a_gateway_is_as_busy_as_its_calls_cost() -> None:
    costs = Costs(link=0.0, frame=0.0, ask=0.0)
    outcome = Cluster(Load(10, 1000, 0.001), costs).run(5)
    assert outcome.busy[KINDS[0]] == pytest.approx(100 * (costs.call - costs.call_media), rel=0.05)
    assert outcome.busy[KINDS[1]] == pytest.approx(100 * costs.call_media, rel=0.05)
    assert outcome.ends_at(KINDS[1]) == pytest.approx(10 / costs.call_media, rel=0.05)
    assert len(outcome.to_180) == pytest.approx(4000, rel=0.05)


def test_links_of_a_full_mesh() -> None:
    """Two nodes: s0-s1, four between SIP and media gateways, four to the Switchboard."""
    assert Upkeep(2, Costs()).links == 9
