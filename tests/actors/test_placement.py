"""Homes: the same everywhere, spread evenly, and moving as little as possible."""

from collections import Counter

import pytest

from actors.placement import Placement, hosts_of, rendezvous
from rayswitch.config import Config

KEYS = [f"{number}@example.com" for number in range(3000)]


def config(**actors: dict[str, object]) -> Config:
    return Config.from_dict({"sip": {"gateways": 2}, "media": {"gateways": 1}, "actors": actors})


def test_a_home_does_not_depend_on_the_order_of_hosts() -> None:
    assert all(rendezvous(key, ["a", "b", "c"]) == rendezvous(key, ["c", "a", "b"]) for key in KEYS)


def test_keys_spread_evenly() -> None:
    homes = Counter(rendezvous(key, ["s0", "s1", "s2", "s3"]) for key in KEYS)
    assert min(homes.values()) > 650


def test_a_new_host_takes_only_its_share() -> None:
    before, after = ["s0", "s1", "s2"], ["s0", "s1", "s2", "s3"]
    moved = [key for key in KEYS if rendezvous(key, before) != rendezvous(key, after)]
    assert {rendezvous(key, after) for key in moved} == {"s3"}
    assert len(moved) < len(KEYS) * 0.3


def test_undecodable_keys_have_a_home() -> None:
    assert rendezvous("caf\udce9@example.com", ["a", "b"]) in ("a", "b")


@pytest.mark.parametrize(
    ("actors", "calls", "registrations", "hosts"),
    [
        ({}, ["s0", "s1"], ["s0", "s1"], ["m0", "s0", "s1"]),
        (
            {"call": {"placement": "pool", "pool": 2}},
            ["c0", "c1"],
            ["s0", "s1"],
            ["m0", "c0", "c1", "s0", "s1"],
        ),
        ({"registration": {"placement": "pool"}}, ["s0", "s1"], ["r0"], ["m0", "r0", "s0", "s1"]),
    ],
)
def test_hosts_follow_from_the_configuration(
    actors: dict[str, dict[str, object]], calls: list[str], registrations: list[str], hosts: list[str]
) -> None:
    settings = config(**actors)
    assert Placement.of("call", settings).hosts == calls
    assert Placement.of("registration", settings).hosts == registrations
    assert hosts_of(settings) == hosts
    assert Placement.of("call", settings).home("x") in calls
