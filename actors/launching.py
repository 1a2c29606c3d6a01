"""Actors of a switch are created here, on one machine as on a cluster, and waited for until all are ready."""

from collections.abc import Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.cluster_plan import Place
from actors.placement import SWITCHBOARD
from actors.processes import actor_class

__all__ = ["launch"]

READY_SECONDS = 60.0


def launch(places: Sequence[Place], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """What every host says of itself (`HostProcess.ready`), in the order of `places`. Raises ray.exceptions.RayError.

    Args:
        settings: ``Config.to_dict`` of the switch.
    """
    seats = {place.host: place.seat for place in places if place.host != SWITCHBOARD}
    actors = [_created(place, settings, seats if place.host == SWITCHBOARD else None) for place in places]
    answers: list[dict[str, Any]] = ray.get([actor.ready.remote() for actor in actors], timeout=READY_SECONDS)
    return answers


def _created(place: Place, settings: dict[str, Any], seats: dict[str, int | None] | None) -> Any:
    options: dict[str, Any] = {}
    if place.node:
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(place.node, soft=False)
    if place.needs:
        options["resources"] = dict(place.needs)
    return actor_class(place.host, **options).remote(place.host, settings, seat=place.seat, hosts=seats)
