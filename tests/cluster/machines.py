"""Machines for tests, made of namespaces of this one: each has its network, processes, home, /tmp, and an sshd.

They hang on one bridge, on which this machine has the address .1; the last octet of theirs is 10 plus their number.
Nothing of a machine outlives the process that made it: the kernel ends its processes when its first one dies, and its
network goes with them. `host.sh` says what is in one.

Needs root, and Debian's iproute2, openssh-server, openssh-client and rsync; what is missing is named.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.processes import await_true

__all__ = ["Machine", "Machines"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOOLS = {
    "ip": "iproute2",
    "ssh": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
    "rsync": "rsync",
    "unshare": "util-linux",
}
PR_SET_PDEATHSIG = 1
FOLDER = "rs-machines-"
"""A folder of machines is named so, and after the process that made them."""
SSHD = """\
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
MaxStartups 100
SetEnv PATH={path} PIP_NO_INDEX=1
"""


def require() -> None:
    """Raises AssertionError: what is missing here."""
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    assert not missing, f"machines of namespaces need programs: apt-get install {' '.join(missing)}"
    assert os.geteuid() == 0, "machines of namespaces can be made by root alone"


def path() -> str:
    """Where programs are on a machine; `python3` is the one that the tests run with, without their environment."""
    return f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


class Machine:
    """One of them, at `address`; `key` opens its sshd to root."""

    def __init__(self, folder: Path, name: str, address: str, bridge: str, gateway: str) -> None:
        self.folder, self.name, self.address = folder, name, address
        self.bridge, self.gateway = bridge, gateway
        self.cable = f"{bridge}.{address.rpartition('.')[2]}"
        folder.mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; `await_up` says when it can be used."""
        text = SSHD.format(address=self.address, folder=self.folder, path=path())
        (self.folder / "sshd_config").write_text(text)
        keys = self.folder.parent
        shutil.copy(keys / "key.pub", self.folder / "authorized_keys")
        shutil.copy(keys / "host_key", self.folder / "host_key")
        flags = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", *flags, "sh", "-c", 'read go; exec sh "$@"', "host", str(HERE / "host.sh")]
                + [str(self.folder), self.name, str(ROOT), sys.prefix, sys.base_prefix],
                env={"PATH": path(), "PYTHON": f"{sys.base_prefix}/bin/python3", "SITE_PACKAGES": packages()},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        self._connect()
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def _connect(self) -> None:
        """A cable to the bridge, an address, and a way out, which leads nowhere: Ray asks for its address."""
        await_true(lambda: self._first() > 0, f"the namespaces of {self.name}", pause=0.01)
        pid = str(self._first())
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", pid)
        run("ip", "link", "set", self.cable, "master", self.bridge, "up")
        inside = (
            "link set lo up",
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {self.gateway}",
        )
        for order in inside:
            run("nsenter", "-t", pid, "-n", "ip", *order.split())

    def _first(self) -> int:
        """Process 1 of the machine as this one numbers it; 0: it is not there."""
        assert self.process is not None
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except FileNotFoundError:
            return 0
        return int(text.split()[0]) if text.split() else 0

    def await_up(self) -> Self:
        """Until its sshd answers."""
        await_true(self._answers, f"sshd of {self.name}: {self.log()}", timeout=20)
        return self

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        try:
            with socket.create_connection((self.address, 22), timeout=1) as connection:
                return connection.recv(3) == b"SSH"
        except OSError:
            return False

    def log(self) -> str:
        """What its start said."""
        return (self.folder / "log").read_text(errors="replace")

    def command(self, line: str) -> list[str]:
        """To run a shell line in it."""
        enter = ["nsenter", "-t", str(self._first()), "-a", "-w/root", "env", "-i", "HOME=/root", f"PATH={path()}"]
        return [*enter, "TERM=dumb", "PIP_NO_INDEX=1", "bash", "-c", line]

    def put(self, path: str, text: str) -> None:
        """Write a file, named by where it is in the machine: under /root or /tmp."""
        target = self.folder / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def try_run(self, line: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a shell line in it, as its root does at its console."""
        return subprocess.run(
            self.command(line), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
        )

    def run(self, line: str, timeout: float = 60) -> str:
        """The same; what it prints. Fails when it fails."""
        done = self.try_run(line, timeout)
        assert done.returncode == 0, (
            f"{self.name}: {line}: {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
        )
        return done.stdout

    def processes(self) -> dict[int, str]:
        """Command lines of all its processes by their ids on this machine, but for its first and sshd."""
        found = {}
        space = os.readlink(f"/proc/{self._first()}/ns/pid")
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") == space:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[pid] = line.strip()
            except OSError:
                continue
        return {pid: line for pid, line in found.items() if line and "sshd" not in line.split()[0]}

    def unplug(self) -> None:
        """Cut it off."""
        run("ip", "link", "set", self.cable, "down")

    def plug(self) -> None:
        """And back."""
        run("ip", "link", "set", self.cable, "up")

    def crash(self) -> None:
        """Lose power: nothing of it says goodbye."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None
            subprocess.run(["ip", "link", "del", self.cable], check=False, capture_output=True)


class Machines:
    """Machines that hang on a bridge of their own; the first octets of their addresses are `network`."""

    def __init__(self) -> None:
        require()
        sweep()
        number = next(number for number in range(1, 255) if not Path(f"/sys/class/net/rsb{number}").exists())
        self.bridge, self.network = f"rsb{number}", f"10.214.{number}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        self.machines: list[Machine] = []

    @property
    def gateway(self) -> str:
        """This machine's address on the bridge."""
        return f"{self.network}.1"

    def __enter__(self) -> Self:
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "link", "set", self.bridge, "alias", str(os.getpid()))
        run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        for name in ("key", "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        return self

    def add(self, name: str) -> Machine:
        """One more, that has begun to start."""
        address = f"{self.network}.{10 + len(self.machines)}"
        machine = Machine(self.folder / name, name, address, self.bridge, self.gateway)
        self.machines.append(machine)
        machine.start()
        return machine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for machine in self.machines:
            machine.crash()
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep() -> None:
    """Bridges and folders of tests that were killed; all else went with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*"):
        owner = folder.name.removeprefix(FOLDER).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    for device in Path("/sys/class/net").glob("rsb*"):
        owner = (device / "ifalias").read_text().strip()
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            subprocess.run(["ip", "link", "del", device.name], check=False, capture_output=True)


def packages() -> str:
    """Where what the tests run with is installed."""
    return sysconfig.get_path("purelib")


def _die_with_parent() -> Any:
    return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
