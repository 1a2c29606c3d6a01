"""Which host goes to which node, and what a cluster is refused for."""

import re
from pathlib import Path
from typing import Any

import pytest

from actors.cluster_plan import HEAD, Node, plan
from actors.node_report import code_version
from actors.preflight import Refused
from actors.ray_cluster import FAST, TRIMMED
from rayswitch.config import Config

POSTGRESQL = {"store": "postgresql://me@db/rayswitch"}
ROOT = Path(__file__).parent.parent.parent


def node(number: int, sip: int = 1, media: int = 1, **other: float) -> Node:
    return Node(f"id{number}", f"192.0.2.{number}", {"sip_gateway": sip, "media_gateway": media} | other)


HEAD_NODE = Node("head", "192.0.2.10", {HEAD: 1.0})


def places(config: dict[str, Any], *nodes: Node) -> dict[str, tuple[str, int | None]]:
    return {one.host: (one.node, one.seat) for one in plan(Config.from_dict(POSTGRESQL | config), nodes)}


def test_gateways_are_numbered_over_the_nodes_in_the_order_of_their_addresses() -> None:
    found = places({"media": {"gateways": 2}}, node(11, 2, 1), HEAD_NODE, node(9, 1, 2))
    assert found == {
        "s0": ("id9", 0), "s1": ("id11", 0), "s2": ("id11", 1),
        "m0": ("id9", 0), "m1": ("id9", 1), "m2": ("id11", 0),
        "sw": ("", None),
    }  # fmt: skip


def test_a_gateway_asks_for_its_resource_and_nobody_else_asks_for_any() -> None:
    config = Config.from_dict(POSTGRESQL | {"actors": {"call": {"placement": "pool"}}})
    asked = {one.host: dict(one.needs) for one in plan(config, [HEAD_NODE, node(11)])}
    assert asked == {"s0": {"sip_gateway": 1}, "m0": {"media_gateway": 1}, "c0": {}, "sw": {HEAD: 0.001}}


def test_pools_go_round_the_nodes_that_have_gateways() -> None:
    pools = {"actors": {kind: {"placement": "pool", "pool": 2} for kind in ("call", "registration")}}
    found = places(pools, HEAD_NODE, node(11), node(12, 0, 1), Node("idle", "192.0.2.13", {}))
    chosen = {host: where for host, (where, _) in found.items() if host[0] in "cr"}
    assert chosen == {"c0": "id11", "c1": "id12", "r0": "id11", "r1": "id12"}


@pytest.mark.parametrize(
    ("config", "nodes", "text"),
    [
        ({}, [HEAD_NODE], "sip.gateways: 1 needs 1 of sip_gateway, the cluster has 0"),
        (
            {"media": {"gateways": 2}},
            [HEAD_NODE, node(11)],
            "media.gateways: 2 needs 2 of media_gateway, the cluster has 1",
        ),
        (
            {},
            [HEAD_NODE, node(11, 1, 3)],
            "media.gateways: the ports of a node are shared out to 1, and node 192.0.2.11 offers 3 of media_gateway",
        ),
        (
            {"store": "sqlite:////srv/a.db"},
            [HEAD_NODE, node(11)],
            "store: sqlite:////srv/a.db is a file of one machine, and the cluster has 2 nodes: expected postgresql://…",
        ),
        ({}, [node(11)], "the cluster has no head node"),
    ],
)
def test_what_the_cluster_lacks_is_named(config: dict[str, Any], nodes: list[Node], text: str) -> None:
    with pytest.raises(Refused) as caught:
        plan(Config.from_dict(POSTGRESQL | config), nodes)
    assert str(caught.value) == text


def test_one_node_may_have_sqlite() -> None:
    assert places({"store": "sqlite:////srv/a.db"}, node(11, **{HEAD: 1.0}))["sw"] == ("", None)


def test_the_version_has_a_digest_of_the_code() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+ \([0-9a-f]{8}\)", code_version())


def test_ray_on_a_cluster_is_set_as_that_of_one_machine_is() -> None:
    rows = (ROOT / "deploy" / "ray.env").read_text().splitlines()
    stated = dict(row.split("=", 1) for row in rows if "=" in row and not row.startswith("#"))
    assert {name: stated.get(f"RAY_{name}") for name in TRIMMED | FAST} == TRIMMED | FAST
