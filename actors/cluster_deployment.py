"""`rayswitch deploy` and `rayswitch undeploy`: a switch on a Ray cluster that others have started.

The actors are those of `rayswitch up`, created by the same code (``launching.py``); they are detached, so nobody has to
stay for them: Ray starts those again that die, the Switchboard those whose node did. What there is to know about a
running switch is asked of its Switchboard; the record in the run directory of the head is for the other commands.

Exit codes: 0 done, or it was done already; 1 it could not be started; 2 refused, nothing was touched.
"""

import sys
import time
from collections.abc import Callable
from secrets import token_hex

from actors import cluster_driver as cluster
from actors.cluster_plan import HEAD, Node, Place, plan
from actors.opening import open_store
from actors.placement import SWITCHBOARD
from actors.preflight import Refused
from actors.rundir import Record, digest, make_run_dir, run_dir
from actors.supervisor import StartFailed, progress, ready_line
from rayswitch.config import Config

__all__ = ["deploy", "undeploy"]


def deploy(config: Config, address: str) -> int:
    """Put the switch on the cluster whose head is at `address` (HOST:PORT); returns the exit code."""
    return _on_cluster(address, lambda: _deploy(config, address))


def undeploy(config: Config, address: str) -> int:
    """End the switch there in order, and wait until nothing of it is left; returns the exit code."""
    return _on_cluster(address, lambda: _undeploy(config, address))


def _on_cluster(address: str, work: Callable[[], None]) -> int:
    try:
        with cluster.connected(address):
            work()
            return 0
    except Refused as refused:
        return _complain(str(refused), 2)
    except (StartFailed, cluster.Away, OSError) as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("ended before it was done", 1)


def _deploy(config: Config, address: str) -> None:
    nodes = cluster.nodes()
    places = plan(config, nodes)
    _check_here(nodes)
    versions = cluster.versions(nodes)
    if _is_running(config, versions, address):
        record = Record.load(run_dir(config))
        progress(f"this switch is running on the cluster {address} already")
        _say_ready(record.listeners if record else (), places)
        return
    _check_versions(nodes, versions)
    open_store(config, progress)
    _start(config, address, places)


def _check_here(nodes: list[Node]) -> None:
    """Commands find the switch by a socket in the run directory of the head."""
    head = next(node for node in nodes if HEAD in node.resources)
    if cluster.here() != head.id:
        raise Refused(f"deploy and undeploy are given on the head of the cluster, {head.address}")


def _check_versions(nodes: list[Node], versions: dict[str, str]) -> None:
    ours = versions[cluster.here()]
    for node in nodes:
        if versions[node.id] != ours:
            raise Refused(
                f"node {node.address} has rayswitch {versions[node.id]}, the head has {ours}: install the same on both"
            )


def _is_running(config: Config, versions: dict[str, str], address: str) -> bool:
    """Is there this very switch? Raises Refused: there is another one. What a start that failed has left is none."""
    found = cluster.deployed()
    if found is None or found["failure"]:
        return False
    ours = versions[cluster.here()]
    if found["code"] != ours:
        raise Refused(
            f"the switch that runs on {address} is rayswitch {found['code']}, this is {ours}: undeploy it first"
        )
    if found["settings"] != digest(config):
        raise Refused(f"a switch with other settings runs on {address}: undeploy it first")
    return True


def _start(config: Config, address: str, places: list[Place]) -> None:
    cluster.end(cluster.names())
    folder = make_run_dir(config)
    record = Record(token_hex(16), 0, 0, "", time.time(), settings=digest(config), cluster=address)
    record.save(folder)
    progress(f"starting the actors {' '.join(place.host for place in places)} on {_count(places)}")
    try:
        answers = cluster.launched(places, config.to_dict())
        failures = [answer["failure"] for answer in answers if answer["failure"]]
        if failures:
            raise StartFailed(failures[0])
    except BaseException:
        cluster.end(cluster.names())
        (folder / "switch.json").unlink(missing_ok=True)
        raise
    record.ready = True
    record.listeners = tuple(dict.fromkeys(url for one in answers for url in one["listeners"]))
    record.save(folder)
    _say_ready(record.listeners, places)


def _undeploy(config: Config, address: str) -> None:
    _check_here(cluster.nodes())
    names = cluster.names()
    if not names:
        raise StartFailed(f"no switch runs on the cluster {address}")
    progress("ending the calls")
    cluster.order([SWITCHBOARD, *(name for name in names if name[0] in "sc" and name != SWITCHBOARD)], "drain")
    cluster.order(names, "close")
    progress("ending the actors")
    cluster.end(names)
    (run_dir(config) / "switch.json").unlink(missing_ok=True)


def _say_ready(listeners: tuple[str, ...], places: list[Place]) -> None:
    hosts = [place.host for place in places if place.host != SWITCHBOARD]
    print(f"{ready_line(listeners, hosts)} on {_count(places)}", flush=True)


def _count(places: list[Place]) -> str:
    count = len({place.node for place in places})
    return f"{count} node{'s' * (count > 1)}"


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code
