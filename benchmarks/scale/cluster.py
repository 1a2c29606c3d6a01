"""A switch on several nodes: the machines of `tests/cluster`, made of namespaces of this one, launched by `ray up`.

The store is a PostgreSQL beside them, whose CPU is not in the figures; links between nodes are TLS.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.cluster.launch import Launch
from tests.interop.processes import await_true
from tests.interop.sipp import User
from tests.interop.switch import DOMAIN

if TYPE_CHECKING:
    from benchmarks.scale.layout import Layout

__all__ = ["OnCluster", "cluster"]

RAY_PORTS = (range(6379, 6386), range(10002, 11000))
"""As in deploy/ray.env: what is sent over these is Ray's."""
ROW = re.compile(r":(\d+)\s+\S+:(\d+)\s.*?\bdata_segs_out:(\d+)")


class OnCluster:
    """The switch on the machines of a launch, as the benchmark asks it."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    @property
    def addresses(self) -> list[str]:
        """Where phones send, one for each node with gateways."""
        return [f"{worker.address}:5060" for worker in self.launch.workers]

    @property
    def local(self) -> str:
        """The address of phones."""
        return self.launch.machines.gateway

    def import_users(self, users: Iterable[User]) -> None:
        """Make extensions of them."""
        rows = ["number,password,name", *(f"{user.number},{user.password},Phone {user.number}" for user in users)]
        self.launch.head.put("/root/rayswitch/users.csv", "\n".join(rows) + "\n")
        self.launch.rayswitch("extension", "import", "users.csv")

    def all_pids(self) -> list[int]:
        """Every process of every node, Ray's included."""
        return [pid for node in self.launch.nodes for pid in node.processes()]

    def status(self) -> dict[str, Any]:
        """`rayswitch status --json`."""
        answer: dict[str, Any] = json.loads(self.launch.rayswitch("status", "--json"))
        return answer

    def await_idle(self, timeout: float = 10.0) -> None:
        """Await that no call is left."""
        await_true(lambda: not json.loads(self.launch.rayswitch("calls", "--json")), "no call left", timeout, 0.5)

    def segments(self) -> int:
        """Segments with data that Ray's connections have sent so far."""
        rows = "\n".join(node.run("ss -tinHO") for node in self.launch.nodes)
        found = ((int(near), int(far), int(count)) for near, far, count in ROW.findall(rows))
        return sum(count for near, far, count in found if any(near in ports or far in ports for ports in RAY_PORTS))


@contextmanager
def cluster(layout: "Layout", settings: dict[str, Any]) -> Iterator[OnCluster]:
    """`rayswitch deploy` on fresh machines: a head, and the nodes of the layout."""
    here = {
        "domain": DOMAIN,
        "sip": {"gateways": layout.gateways, "listen": ["udp://0.0.0.0:5060"]},
        "media": {"ports": "20000-29999"},
        "links": {"ports": "11000-11099"},
    }
    with Launch(here | settings, layout.nodes, layout.gateways // layout.nodes) as launch:
        launch.up()
        done = launch.deploy()
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        yield OnCluster(launch)
