"""What a deployment asks of a Ray cluster, and tells it to do. Every call blocks; Ray is imported here alone."""

import contextlib
import importlib
import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from actors.cluster_plan import Node, Place
from actors.placement import SWITCHBOARD
from actors.preflight import Refused
from actors.reference import NAMESPACE
from actors.supervisor import StartFailed

__all__ = ["Away", "connected", "deployed", "end", "here", "launched", "names", "nodes", "order", "versions"]

TOKEN = Path("~/.ray/auth_token")
"""Where Ray keeps the token of this machine's clusters."""
DIAL_SECONDS = 3.0
ASK_SECONDS = 30.0
ORDER_SECONDS = {"drain": 3.0, "close": 1.5}
GONE_SECONDS = 10.0


class Away(Exception):
    """There is no such cluster, or it does not let us in."""


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Be a driver of the cluster at HOST:PORT. Raises Away, and Refused for what is no address.

    Whether anybody listens there is tried before: Ray itself gives up after minutes only.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise Refused(f"--address: expected HOST:PORT of the head's GCS, such as 192.0.2.10:6379, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=DIAL_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Away(f"no Ray cluster answers at {address}: {error}") from error
    _environment()
    import ray

    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR,
                 configure_logging=False)  # fmt: skip
    except Exception as error:  # ConnectionError, RuntimeError, AuthenticationError, …
        raise Away(f"the Ray cluster at {address} cannot be used: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _environment() -> None:
    """What a shell has that `deploy/ray.env` was read in; Ray looks when it is imported."""
    if TOKEN.expanduser().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def here() -> str:
    """Id of the node that we are on."""
    import ray

    context: Any = ray.get_runtime_context()
    return str(context.get_node_id())


def nodes() -> list[Node]:
    """Those that live."""
    import ray

    rows: Any = ray.nodes()  # type: ignore[no-untyped-call]
    return [Node(row["NodeID"], row["NodeManagerAddress"], row["Resources"]) for row in rows if row["Alive"]]


def versions(nodes: Sequence[Node]) -> dict[str, str]:
    """Version of our code on each node, by its id."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    report = importlib.import_module("actors.node_report")
    ray.cloudpickle.register_pickle_by_value(report)  # type: ignore[no-untyped-call]
    ask: Any = ray.remote(num_cpus=0, max_retries=0)(report.code_version)
    on = {node.id: NodeAffinitySchedulingStrategy(node.id, soft=False) for node in nodes}
    asked = [ask.options(scheduling_strategy=where).remote() for where in on.values()]
    try:
        return dict(zip(on, ray.get(asked, timeout=ASK_SECONDS), strict=True))
    except ray.exceptions.RayError as error:
        raise StartFailed(f"the nodes do not say which rayswitch they have: {_brief(error)}") from error


def names() -> list[str]:
    """Of all our actors that live or are to live."""
    import ray

    found: list[Any] = ray.util.list_named_actors(all_namespaces=True)
    return [row["name"] for row in found if row["namespace"] == NAMESPACE]


def deployed() -> dict[str, str] | None:
    """What the Switchboard says of itself (`HostProcess.deployed`); None: there is none."""
    import ray

    try:
        actor: Any = ray.get_actor(SWITCHBOARD, namespace=NAMESPACE)
        answer: dict[str, str] = ray.get(actor.deployed.remote(), timeout=ASK_SECONDS)
    except ValueError:
        return None
    except ray.exceptions.RayError as error:
        raise StartFailed(f"a Switchboard is there, but does not answer: {_brief(error)}; undeploy it") from error
    return answer


def launched(places: Sequence[Place], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """``launching.launch``. Raises StartFailed."""
    import ray

    from actors.launching import launch

    try:
        return launch(places, settings)
    except ray.exceptions.RayError as error:
        raise StartFailed(f"the actors do not start: {_brief(error)}") from error


def order(hosts: Iterable[str], what: str) -> None:
    """Have them "drain" or "close", for as long as that may take; who does not follow is ended anyway."""
    import ray

    asked = []
    for host in hosts:
        with contextlib.suppress(ValueError):
            actor: Any = ray.get_actor(host, namespace=NAMESPACE)
            asked.append(actor.obey.remote(what))
    if asked:
        ray.wait(asked, num_returns=len(asked), timeout=ORDER_SECONDS[what])


def end(hosts: Iterable[str]) -> None:
    """For good, the Switchboard first: it would start the others again. Returns when they are gone."""
    import ray

    for host in sorted(hosts, key=lambda name: name != SWITCHBOARD):
        with contextlib.suppress(ValueError):
            ray.kill(ray.get_actor(host, namespace=NAMESPACE), no_restart=True)
    limit = time.monotonic() + GONE_SECONDS
    while (left := names()) and time.monotonic() < limit:
        time.sleep(0.05)
    if left:
        raise StartFailed(f"actors that could not be ended: {' '.join(left)}")


def _brief(error: BaseException) -> str:
    """The last line of an error of Ray, which has the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
