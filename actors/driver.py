"""The driver: starts a Ray, creates the detached actors in it, waits until all are ready, says so, and ends.

It is a process of its own because ``import ray`` costs 40 MB that the supervisor, which stays, need not
have; and it is one process for both because the import also costs most of a second. It reads ``{"temp",
"ports", "workers", "settings", "hosts"}`` as JSON from standard input and prints a list of ``ready()``
answers as its last line. Ray's daemons and the actors outlive it.
"""

import json
import logging
import sys
from typing import Any

import ray
from ray._private.node import Node
from ray._private.parameter import RayParams

from actors.processes import actor_class
from actors.ray_cluster import ADDRESS, OBJECT_STORE
from actors.reference import NAMESPACE

__all__ = ["Head", "main"]

READY_SECONDS = 60.0


class Head(Node):
    """Ray's head node without its API server: 70 MB and 2 s for what nobody here asks anything."""

    def start_api_server(self, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
        del include_dashboard, raise_on_failure


def parameters(temp: str, ports: dict[str, int], workers: tuple[int, int]) -> RayParams:
    """What ``ray start --head --num-cpus=0 --include-dashboard=false --no-monitor …`` would use."""
    return RayParams(
        node_ip_address=ADDRESS,
        node_name="head",
        gcs_server_port=ports["gcs"],
        node_manager_port=ports["node_manager"],
        object_manager_port=ports["object_manager"],
        dashboard_agent_listen_port=ports["agent"],
        metrics_agent_port=ports["agent_grpc"],
        runtime_env_agent_port=ports["environment_agent"],
        metrics_export_port=ports["metrics"],
        min_worker_port=workers[0],
        max_worker_port=workers[1],
        object_store_memory=OBJECT_STORE,
        num_cpus=0,
        num_gpus=0,
        temp_dir=temp,
        include_dashboard=False,
        include_log_monitor="",  # annotated as text, and only its truth is looked at
        no_monitor=True,
    )


def main() -> None:
    order = json.load(sys.stdin)
    node = Head(
        parameters(order["temp"], order["ports"], order["workers"]),
        head=True,
        shutdown_at_exit=False,
        spawn_reaper=False,
    )
    ray.init(
        address=node.address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    actors = [actor_class(host).remote(host, order["settings"]) for host in order["hosts"]]
    answers: list[dict[str, Any]] = ray.get([actor.ready.remote() for actor in actors], timeout=READY_SECONDS)
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
