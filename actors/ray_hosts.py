"""What the Switchboard asks Ray about hosts, and tells it to do. Every call blocks, and belongs into a thread.

There are such calls when a host is silent, starts or ends: their number has nothing to do with that of calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from actors.cluster_plan import demand
from actors.reference import NAMESPACE
from rayswitch.members import Seat

__all__ = ["Hosts", "RayHosts"]


class Hosts(Protocol):
    """Whoever starts processes."""

    def nodes(self) -> dict[str, str]:
        """Address of each living node, by id."""

    def gone(self, hosts: Iterable[str]) -> list[str]:
        """Those of these hosts that will not be started again."""

    def start(self, host: str, node: str, seat: Seat) -> None:
        """Start a host on that node."""

    def end(self, host: str) -> None:
        """End it for good."""


class RayHosts:
    """By Ray; `settings` are those of the switch."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def nodes(self) -> dict[str, str]:
        """As Ray's GCS has them."""
        import ray

        rows: Any = ray.nodes()  # type: ignore[no-untyped-call]
        return {row["NodeID"]: row["NodeManagerAddress"] for row in rows if row["Alive"]}

    def gone(self, hosts: Iterable[str]) -> list[str]:
        """An actor that has died for good has lost its name."""
        return [host for host in hosts if self._actor(host) is None]

    def start(self, host: str, node: str, seat: Seat) -> None:
        """A detached actor on that very node."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from actors.processes import actor_class

        where = NodeAffinitySchedulingStrategy(node, soft=False)
        needs = demand(host, self._offered(node))
        actor = actor_class(host, scheduling_strategy=where, resources=needs)
        actor.remote(host, self.settings, seat=seat.number)

    def _offered(self, node: str) -> dict[str, float]:
        import ray

        rows: Any = ray.nodes()  # type: ignore[no-untyped-call]
        return next((row["Resources"] for row in rows if row["NodeID"] == node), {})

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
