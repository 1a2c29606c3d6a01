"""Which host of a switch runs on which node of a cluster, decided from the configuration and what the nodes offer.

One unit of a node's custom resource `sip_gateway` is one SipGateway there, one of `media_gateway` one MediaGateway. The
gateways are numbered over the nodes, in the order of the nodes' addresses; `seat` is the number among those of its kind
on the node. Hosts of the pools go round the nodes that have gateways. The Switchboard is on the head: there the command
line finds its socket.

Everything is refused here that the cluster cannot give, before anything is started.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from actors.placement import SWITCHBOARD, hosts_of
from actors.preflight import Refused
from rayswitch.config import Config
from rayswitch.config.database import SQLITE

__all__ = ["HEAD", "RESOURCES", "Node", "Place", "demand", "plan"]

HEAD = "node:__internal_head__"
"""The resource by which Ray marks the head of a cluster."""
ON_THE_HEAD = {HEAD: 0.001}
"""What the Switchboard asks: a head that is started anew has another node id, and this all the same."""
RESOURCES = {"s": "sip_gateway", "m": "media_gateway"}
"""What a host of that kind asks of its node, by letter."""


class Node(NamedTuple):
    """A node as Ray knows it: id, address, what it offers."""

    id: str
    address: str
    resources: Mapping[str, float]

    def units(self, letter: str) -> int:
        """How many hosts of that kind it takes."""
        return int(self.resources.get(RESOURCES[letter], 0))

    @property
    def has_gateways(self) -> bool:
        """Does it take traffic?"""
        return any(self.units(letter) for letter in RESOURCES)


class Place(NamedTuple):
    """Where a host goes; node "": wherever Ray puts it. `needs`: what it asks of the node."""

    host: str
    node: str = ""
    seat: int | None = None
    needs: Mapping[str, float] = {}


def demand(host: str, offered: Mapping[str, float]) -> dict[str, float]:
    """What `host` asks of a node with these resources: one unit of its kind, where there are any."""
    name = RESOURCES.get(host[0], "")
    return {name: 1.0} if offered.get(name) else {}


def plan(config: Config, nodes: Sequence[Node]) -> list[Place]:
    """Places of all hosts, the Switchboard last. Raises Refused: the cluster lacks something, which is named."""
    ordered = sorted(nodes, key=lambda node: ip_address(node.address))
    head = next((node for node in ordered if HEAD in node.resources), None)
    if head is None:
        raise Refused("the cluster has no head node")
    _check_store(config, len(ordered))
    _check_units(config, ordered)
    return [*_gateways(ordered), *_pools(config, ordered), Place(SWITCHBOARD, needs=ON_THE_HEAD)]


def _check_store(config: Config, nodes: int) -> None:
    if nodes > 1 and config.store.startswith(SQLITE):
        raise Refused(
            f"store: {config.store} is a file of one machine, and the cluster has {nodes} nodes: expected postgresql://…"
        )


def _check_units(config: Config, nodes: Sequence[Node]) -> None:
    wanted = {"s": ("sip.gateways", config.sip.gateways), "m": ("media.gateways", config.media.gateways)}
    for letter, (key, count) in wanted.items():
        offered = sum(node.units(letter) for node in nodes)
        if offered < count:
            raise Refused(f"{key}: {count} needs {count} of {RESOURCES[letter]}, the cluster has {offered}")
    for node in nodes:
        if node.units("m") > config.media.gateways:
            raise Refused(
                f"media.gateways: the ports of a node are shared out to {config.media.gateways}, and node"
                f" {node.address} offers {node.units('m')} of {RESOURCES['m']}"
            )


def _gateways(nodes: Sequence[Node]) -> Iterator[Place]:
    for letter in RESOURCES:
        number = 0
        for node in nodes:
            for seat in range(node.units(letter)):
                host = f"{letter}{number}"
                yield Place(host, node.id, seat, demand(host, node.resources))
                number += 1


def _pools(config: Config, nodes: Sequence[Node]) -> Iterator[Place]:
    """A seat is a number among the hosts of a kind on a node; nothing of a pool depends on it."""
    takers = [node for node in nodes if node.has_gateways]
    hosts = [host for host in hosts_of(config) if host[0] not in RESOURCES]
    for place, host in enumerate(hosts):
        yield Place(host, takers[place % len(takers)].id)
