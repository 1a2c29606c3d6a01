"""The driver: starts a Ray, creates the detached actors in it, waits until all are ready, says so, and ends.

It is a process of its own because ``import ray`` costs 40 MB that the supervisor, which stays, need not
have; and it is one process for both because the import also costs most of a second. It reads ``{"temp",
"ports", "workers", "settings", "hosts"}`` as JSON from standard input and prints a list of ``ready()``
answers as its last line. Ray's daemons and the actors outlive it.
"""

import importlib
import json
import logging
import sys
from typing import Any

import ray
from ray._private import services
from ray._private.node import Node
from ray._private.parameter import RayParams

from actors.cluster_plan import Place
from actors.launching import launch
from actors.ray_cluster import ADDRESS, OBJECT_STORE
from actors.reference import NAMESPACE

__all__ = ["Head", "main"]

_raylet: Any = importlib.import_module("ray._raylet")  # compiled: it has no types
PORT_NAMES = (
    _raylet.METRICS_AGENT_PORT_NAME,
    _raylet.METRICS_EXPORT_PORT_NAME,
    _raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME,
    _raylet.RUNTIME_ENV_AGENT_PORT_NAME,
)
NO_PORT = 1
AGENTS = ("--dashboard_agent_command=", "--runtime_env_agent_command=")
STAND_IN = "sh -c 'exec sleep infinity'"  # what is appended to it has no effect


class Head(Node):
    """Ray's head node without API server and agents: 190 MB and 4 s of CPU for what nobody here asks anything.

    The raylet insists on two agents, waits for the files with their ports, and ends when one of them ends; it
    talks to them about metrics and runtime environments only, and we have neither. It gets two that sleep.
    """

    def start_api_server(self, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
        del include_dashboard, raise_on_failure

    def start_raylet(self, *positions: Any, **options: Any) -> None:
        node: Any = self
        for name in PORT_NAMES:
            _raylet.persist_port(node.get_session_dir_path(), node.node_id, name, NO_PORT)
        real = services.start_ray_process

        def start(command: list[str], *rest: Any, **more: Any) -> Any:
            return real([_idle(part) for part in command], *rest, **more)

        services.start_ray_process = start
        try:
            super().start_raylet(*positions, **options)
        finally:
            services.start_ray_process = real


def _idle(part: str) -> str:
    return next((agent + STAND_IN for agent in AGENTS if part.startswith(agent)), part)


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
    print(json.dumps(launch([Place(host) for host in order["hosts"]], order["settings"])), flush=True)


if __name__ == "__main__":
    main()
