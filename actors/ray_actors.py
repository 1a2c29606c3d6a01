"""Ray, as the Switchboard needs it for actors of single entities. All of it waits: for a thread, never on a loop."""

import time
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.own_actors import Own
from actors.processes import entity_class
from actors.reference import NAMESPACE

__all__ = ["RayActors"]

TAKEN_SECONDS = 5.0
"""So long the name of one that has just ended may still be taken."""


class RayActors:
    """Starts and ends detached actors of our namespace; `settings` is ``Config.to_dict``."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def start(self, own: Own, node: str) -> None:
        """Returns when Ray knows it, which is long before it runs."""
        options: dict[str, Any] = {"name": own.name}
        if node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=True)
        end = time.monotonic() + TAKEN_SECONDS
        while True:
            try:
                entity_class(own.kind, **options).remote(
                    own.host, self.settings, own.kind, own.key, own.home, own.again
                )
                return
            except ValueError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def end(self, name: str) -> None:
        """For good."""
        try:
            actor: Any = ray.get_actor(name, namespace=NAMESPACE)
        except ValueError:
            return
        ray.kill(actor, no_restart=True)

    def names(self) -> list[str]:
        """Of all in our namespace."""
        found: list[Any] = ray.util.list_named_actors(all_namespaces=True)
        return [row["name"] for row in found if row["namespace"] == NAMESPACE]
