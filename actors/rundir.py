"""The run directory: where a running switch keeps its link sockets and the record of itself.

It is ``run`` in the data directory, or a directory under the system's temporary one when socket names there
would exceed what a Unix address holds (108 bytes). The record tells a later command, or a later switch with
this data directory, which processes belong to the switch, by the signs that these carry (see
``census.py``).
"""

import contextlib
import json
import os
import socket
import tempfile
from dataclasses import asdict, dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex

from actors.census import Signs
from rayswitch.config import Config

__all__ = ["Record", "digest", "identity", "make_run_dir", "run_dir"]

SOCKET_ADDRESS = 107
LONGEST_NAME = 24  # of a socket file: a host id or a client's, ".sock"
RECORD = "switch.json"
IDENTITY = "identity"


def run_dir(config: Config) -> Path:
    """The run directory of the switch with this configuration, whether it exists or not."""
    data = Path(config.data).absolute()
    inside = data / "run"
    if len(os.fsencode(inside)) + LONGEST_NAME < SOCKET_ADDRESS:
        return inside
    short = blake2b(os.fsencode(data), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"rayswitch-{os.getuid()}-{short}"


def make_run_dir(config: Config) -> Path:
    """Make it, for our user alone. Raises PermissionError when somebody else has made it."""
    path = run_dir(config)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)
    return path


def identity(config: Config) -> str:
    """Who this switch is, among those that could use its store: made once, kept in its data folder."""
    path = Path(config.data) / IDENTITY
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{IDENTITY}.{os.getpid()}")
        fresh.write_text(f"{socket.gethostname()}-{token_hex(8)}\n")
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whoever comes second has the name of the first
        fresh.unlink()
        return path.read_text().strip()


def digest(config: Config) -> str:
    """The same for switches that need not be told apart: same settings, same version of the code."""
    text = json.dumps([config.to_dict(), version("rayswitch")], sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Record:
    """What is known of the switch that uses a run directory."""

    mark: str  # value of MARK in the environment of its processes
    pid: int  # of the supervisor
    born: int  # start time of that process in clock ticks since boot: with the pid, an identity
    temp: str  # temporary directory of its Ray
    started: float  # unix time
    ready: bool = False
    listeners: tuple[str, ...] = ()
    settings: str = ""  # digest of its configuration and code version
    cluster: str = ""  # address of the Ray cluster that it was deployed to; pid, mark and temp mean nothing then

    @property
    def signs(self) -> Signs:
        """What its processes carry."""
        return Signs(self.mark, self.temp)

    def save(self, where: Path) -> None:
        """Replace the record in one step."""
        fresh = where / f"{RECORD}.new"
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(where / RECORD)

    @classmethod
    def load(cls, where: Path) -> "Record | None":
        """The record there, if there is one that can be read."""
        try:
            values = json.loads((where / RECORD).read_text())
            return cls(**values | {"listeners": tuple(values["listeners"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
