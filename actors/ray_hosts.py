"""What the Switchboard asks Ray about hosts, and tells it to do. Every call blocks, and belongs into a thread.

There are such calls when a host is silent, starts or ends: their number has nothing to do with that of calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from actors import cluster_driver as cluster
from actors.cluster_plan import RESOURCES, Node, demand
from actors.reference import NAMESPACE
from rayswitch.members import Seat

__all__ = ["Hosts", "Offer", "RayHosts"]


class Offer(NamedTuple):
    """So many hosts a node takes, by letter; `refusal` says why we do not want it."""

    node: str
    address: str
    units: dict[str, int]
    refusal: str = ""


class Hosts(Protocol):
    """Whoever starts processes."""

    def nodes(self) -> dict[str, str]:
        """Address of each living node, by id."""

    def gone(self, hosts: Iterable[str]) -> list[str]:
        """Those of these hosts that will not be started again."""

    def offers(self) -> list[Offer]:
        """What the nodes that live have room for."""

    def start(self, host: str, node: str, seat: Seat) -> None:
        """Start a host on that node."""

    def end(self, host: str) -> None:
        """End it for good."""


class RayHosts:
    """By Ray; `settings` are those of the switch, `code` is the version that runs."""

    def __init__(self, settings: dict[str, Any], code: str) -> None:
        self.settings = settings
        self.code = code
        self.codes: dict[str, str] = {}
        """Version of the code on each node that was asked."""

    def nodes(self) -> dict[str, str]:
        """As Ray's GCS has them."""
        return {node.id: node.address for node in cluster.nodes()}

    def offers(self) -> list[Offer]:
        """By their resources; one with other code than ours is refused. A node is asked for its code once."""
        nodes = [node for node in cluster.nodes() if node.has_gateways]
        new = [node for node in nodes if node.id not in self.codes]
        self.codes.update(cluster.versions(new) if new else {})
        return [offer(node, self.codes[node.id], self.code) for node in nodes]

    def gone(self, hosts: Iterable[str]) -> list[str]:
        """An actor that has died for good has lost its name."""
        return [host for host in hosts if self._actor(host) is None]

    def start(self, host: str, node: str, seat: Seat) -> None:
        """A detached actor on that very node."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from actors.processes import actor_class

        where = NodeAffinitySchedulingStrategy(node, soft=False)
        offered = next((one.resources for one in cluster.nodes() if one.id == node), {})
        needs = demand(host, offered)
        actor = actor_class(host, scheduling_strategy=where, resources=needs)
        actor.remote(host, self.settings, seat=seat.number)

    def end(self, host: str) -> None:
        """Ray neither keeps it nor starts it again."""
        import ray

        actor = self._actor(host)
        if actor is not None:
            ray.kill(actor, no_restart=True)

    def _actor(self, host: str) -> Any:
        import ray

        try:
            return ray.get_actor(host, namespace=NAMESPACE)
        except ValueError:
            return None


def offer(node: Node, code: str, ours: str) -> Offer:
    """What a node with that code offers a switch of ours."""
    units = {letter: node.units(letter) for letter in RESOURCES}
    refusal = "" if code == ours else f"node {node.address} has rayswitch {code}, the switch is {ours}"
    return Offer(node.id, node.address, units, refusal)
