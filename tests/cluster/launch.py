"""`ray up` of the cluster.yaml of this repository, on machines of a test, and the switch on it.

The file is used as it stands but for the addresses of the machines and the key that opens them. `ray up` runs on a
machine of its own, as that of whoever owns the others.
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.cluster.machines import ROOT, Machine, Machines
from tests.interop.postgres import FAST, PASSWORD, Postgres
from tests.interop.processes import await_true
from tests.interop.redis import Redis

__all__ = ["Launch"]

UP_SECONDS, NODES_SECONDS, COMMAND_SECONDS = 90.0, 60.0, 90.0
PROJECT = "/root/project"
"""The folder of cluster.yaml on the owner's machine."""
OWNER = f"cd {PROJECT}; export PATH=/root/rayswitch/venv/bin:$PATH RAY_UP_enable_autoscaler_v2=0; "
CONNECT = "import ray; ray.init('auto', logging_level=40); "
HEAD = "cd ~/rayswitch; export PATH=~/rayswitch/venv/bin:$PATH; "


def wheel(folder: Path, scratch: Path) -> None:
    """The wheel of what is in this checkout; a copy of it, because setuptools keeps what it built before."""
    for name in ("rayswitch", "gateways", "actors"):
        shutil.copytree(ROOT / name, scratch / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, scratch)
    order = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(scratch)]
    done = subprocess.run(order, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


class Launch:
    """A head, so many workers, their owner's machine, a database and a Redis; `settings` stand in switch.yaml."""

    def __init__(self, settings: dict[str, Any], workers: int = 2, gateways: int = 1) -> None:
        """`gateways`: SIP gateways that each worker offers room for."""
        self.settings = settings
        self.gateways = gateways
        self.machines = Machines()
        self.count = workers

    def __enter__(self) -> Self:
        self.machines.__enter__()
        self.postgres = Postgres(self.machines.gateway, **FAST)
        self.redis = Redis(self.machines.gateway)
        try:
            self.postgres.__enter__()
            self.redis.__enter__()
            for name in ("head", *(f"worker{number + 1}" for number in range(self.count)), "owner"):
                self.machines.add(name)
            wheel(self.owner.folder / PROJECT.removeprefix("/") / "dist", self.machines.folder / "wheel")
            self._write()
            for machine in self.machines.machines:
                machine.await_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.machines.__exit__(kind, error, trace)
        finally:
            self.redis.__exit__(kind, error, trace)
            self.postgres.__exit__(kind, error, trace)

    @property
    def head(self) -> Machine:
        return self.machines.machines[0]

    @property
    def workers(self) -> list[Machine]:
        return self.machines.machines[1 : 1 + self.count]

    @property
    def nodes(self) -> list[Machine]:
        """Head and workers."""
        return self.machines.machines[: 1 + self.count]

    @property
    def owner(self) -> Machine:
        return self.machines.machines[-1]

    def _write(self) -> None:
        """What `ray up` delivers, in the owner's folder."""
        cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
        cluster["provider"] |= {"head_ip": self.head.address, "worker_ips": [one.address for one in self.workers]}
        offered = [
            order.replace('"sip_gateway": 1', f'"sip_gateway": {self.gateways}')
            for order in cluster["worker_start_ray_commands"]
        ]
        cluster["worker_start_ray_commands"] = offered
        cluster["auth"]["ssh_private_key"] = f"{PROJECT}/key"
        for name in ("requirements.lock", "deploy/down.sh"):
            self.owner.put(f"{PROJECT}/{name}", (ROOT / name).read_text())
        environment = (ROOT / "deploy/ray.env").read_text()
        self.owner.put(f"{PROJECT}/deploy/ray.env", f"{environment}\nRAY_REDIS_ADDRESS={self.redis.url}\n")
        self.owner.put(f"{PROJECT}/key", (self.machines.folder / "key").read_text())
        (self.owner.folder / f"{PROJECT}/key".removeprefix("/")).chmod(0o600)
        self.owner.put(f"{PROJECT}/store.password", f"{PASSWORD}\n")
        self.owner.put(f"{PROJECT}/switch.yaml", self.switch())
        self.owner.put(f"{PROJECT}/cluster.yaml", yaml.safe_dump(cluster))

    def switch(self, **other: Any) -> str:
        """A switch.yaml, with `other` sections in the place of those of all."""
        store = self.postgres.new_database().partition("?")[0] + "?password_file=store.password"
        return yaml.safe_dump({"store": store} | self.settings | other)

    # Ray.

    def up(self) -> str:
        """From nothing to a Ray on all machines; what `ray up` printed."""
        self.owner.run(OWNER + "ray get-auth-token --generate")
        output = self.owner.run(OWNER + "ray up --yes cluster.yaml", UP_SECONDS)
        await_true(lambda: self.living() == 1 + self.count, f"{self.count} workers\n{output}", NODES_SECONDS, 0.2)
        return output

    def living(self) -> int:
        """Nodes that Ray's head knows; asked only when every machine has a raylet, because that takes a second."""
        running = sum(any("raylet/raylet" in line for line in one.processes().values()) for one in self.nodes)
        if running <= self.count:
            return 0
        return int(self.python("print(sum(row['Alive'] for row in ray.nodes()))"))

    def python(self, script: str) -> str:
        """What a driver of the cluster prints."""
        return self.head.run(HEAD + f"set -a; . ./ray.env; python -c {shlex.quote(CONNECT + script)}")

    def down(self) -> str:
        """All of Ray ends, on all machines."""
        return self.owner.run(OWNER + "sh deploy/down.sh cluster.yaml", UP_SECONDS)

    def start_ray(self, machine: Machine) -> None:
        """As `ray up` does, on a machine whose Ray has ended: what its service manager would do."""
        kind = "head" if machine is self.head else "worker"
        orders = yaml.safe_load((ROOT / "cluster.yaml").read_text())[f"{kind}_start_ray_commands"]
        for order in orders:
            machine.run(f"export RAY_HEAD_IP={self.head.address}; {HEAD}{order}", UP_SECONDS)

    # The switch.

    @property
    def ready(self) -> str:
        """What a deployment ends with."""
        count = f"{self.count * self.gateways} SIP gateways, {self.count} media gateways"
        return f"ready: udp://0.0.0.0:5060 tcp://0.0.0.0:5060 ({count}) on {1 + self.count} nodes\n"

    def actors(self) -> list[str]:
        """Command lines of the processes of actors."""
        return [line for one in self.nodes for line in one.processes().values() if "Actor" in line]

    @property
    def address(self) -> str:
        """Where Ray's head is."""
        return f"{self.head.address}:6379"

    def attempt(self, *arguments: str, on: Machine | None = None) -> "subprocess.CompletedProcess[str]":
        """A command of ours on the head."""
        return (on or self.head).try_run(HEAD + shlex.join(["rayswitch", *arguments]), COMMAND_SECONDS)

    def rayswitch(self, *arguments: str) -> str:
        """The same; what it prints. Fails when it fails."""
        return self.head.run(HEAD + shlex.join(["rayswitch", *arguments]), COMMAND_SECONDS)

    def deploy(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`rayswitch deploy`."""
        return self.attempt("deploy", "--address", self.address, *arguments)
