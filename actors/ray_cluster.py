"""A Ray of our own: its ports, its environment, how it is started.

Each switch has one, with a temporary directory and a block of ports of its own, so that switches do not
meet. The block keeps clear of the media ports, the SIP listeners and the kernel's ephemeral ports. A random
token keeps others out of it.

It is trimmed to what is needed (about 180 MB instead of 730 MB): no dashboard, no API server, no log
monitor, no autoscaler monitor, no metrics (see also ``driver.py``).
"""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from actors.census import MARK
from actors.placement import hosts_of
from rayswitch.config import Config

__all__ = ["ADDRESS", "Ports", "environment", "free_ports"]

ADDRESS = "127.0.0.2"  # the loopback network; Ray would replace 127.0.0.1 by an address of the network card
OBJECT_STORE = 80_000_000  # bytes; Ray's floor is about 75 MB, and it is never touched
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"  # compiling Ray anew makes every start of a process 1 s longer
EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"
SERVICES = ("gcs", "node_manager", "object_manager", "agent", "agent_grpc", "environment_agent", "metrics")
FAST = {
    "health_check_initial_delay_ms": "1000",
    "health_check_period_ms": "500",
    "health_check_timeout_ms": "500",
    "health_check_failure_threshold": "6",
    "gcs_create_actor_retry_interval_ms": "50",
    "gcs_lease_worker_retry_interval_ms": "50",
}
TRIMMED = {
    "worker_niceness": "0",  # Ray's default is 15
    "memory_monitor_refresh_ms": "0",
    "task_events_report_interval_ms": "0",
    "enable_metrics_collection": "false",
    "event_stats": "false",
    "worker_maximum_startup_concurrency": "4",
    "kill_child_processes_on_worker_exit": "true",
}


class Ports:
    """A block of ports: one for each service of Ray, the rest for workers."""

    def __init__(self, first: int, size: int) -> None:
        self.services = {name: first + offset for offset, name in enumerate(SERVICES)}
        self.workers = (first + len(SERVICES), first + size - 1)


def free_ports(config: Config, seed: int) -> Ports:
    """The first block that nobody uses, looking from a place that `seed` chooses. Raises OSError: none."""
    single = sum(kind.ceiling for kind in config.actors.kinds.values())
    size = 40 + 8 * len(hosts_of(config)) + 2 * single
    allowed, taken = config.ray.ports, list(_others(config))
    firsts = range(allowed.first, allowed.last - size + 2, size)
    blocks = [first for first in firsts if not _overlaps(first, first + size - 1, taken)]
    for block in blocks[seed % len(blocks) :] + blocks[: seed % len(blocks)] if blocks else ():
        ports = Ports(block, size)
        if all(_free(port) for port in _probed(ports)):
            return ports
    raise OSError(f"ray.ports: Ray needs {size} ports in a row that nobody else uses, and {allowed} has none")


def _others(config: Config) -> Iterator[tuple[int, int]]:
    """Ranges, both ends included, of which somebody else may take a port at any time."""
    yield _ephemeral()
    yield from ((some.first, some.last) for some in (config.media.ports, config.links.ports))
    yield from ((listener.port, listener.port) for listener in config.sip.listen)


def _ephemeral() -> tuple[int, int]:
    try:
        low, high = Path(EPHEMERAL).read_text().split()
    except (OSError, ValueError):
        return 32768, 60999
    return int(low), int(high)


def _overlaps(first: int, last: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= high and low <= last for low, high in ranges)


def _probed(ports: Ports) -> Iterator[int]:
    yield from ports.services.values()
    yield from range(*ports.workers)


def _free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def environment(mark: str, temp: Path) -> dict[str, str]:
    """The environment of every process of a switch. Writes the token of its Ray into `temp`."""
    token = temp / "token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name != NO_BYTECODE
    }
    flags = {f"RAY_{name}": value for name, value in (TRIMMED | FAST).items()}
    return (
        inherited
        | flags
        | {
            MARK: mark,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_gcs_storage": "rocksdb",  # a GCS that is begun again finds its tables there
            "RAY_gcs_storage_path": str(temp / "gcs"),
            "PYTHONPATH": _search_path(),
            "PYTHONUNBUFFERED": "1",
        }
    )


def _search_path() -> str:
    """Workers import the very packages that this process does, installed or from a checkout."""
    ours = str(Path(__file__).resolve().parent.parent)
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return os.pathsep.join([ours, *(part for part in inherited if part != ours)])
