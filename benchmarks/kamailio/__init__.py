"""Kamailio as a peer: a registrar and record-routing proxy that authenticates every call.

The credentials go into Kamailio's own text database as HA1 hashes, so that both switches do the same
arithmetic per request. Kamailio keeps bindings in memory only; rayswitch writes them to disk before it
answers.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent


class Kamailio:
    """One Kamailio on `listen` (such as `udp:127.0.0.1:5080`) for `users` (number, password) of `realm`."""

    def __init__(self, listen: Iterable[str], realm: str, users: Iterable[tuple[str, str]]) -> None:
        self.listen = list(listen)
        self._folder = tempfile.TemporaryDirectory(prefix="kamailio-")
        self._process: subprocess.Popen[bytes] | None = None
        self._write_credentials(realm, users)

    def _write_credentials(self, realm: str, users: Iterable[tuple[str, str]]) -> None:
        folder = Path(self._folder.name)
        (folder / "version").write_text("table_name(string) table_version(int)\nha1:2\n")
        rows = ["key_name(string) key_type(int) value_type(int) key_value(string) expires(int)"]
        for number, password in users:
            ha1 = hashlib.md5(f"{number}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()
            rows.append(f"{number}:0:0:{ha1}:0")
        (folder / "ha1").write_text("\n".join(rows) + "\n")

    @property
    def pid(self) -> int:
        """Process id of the main process; its workers are its children."""
        assert self._process is not None, "not started"
        return self._process.pid

    def __enter__(self) -> Self:
        folder = Path(self._folder.name)
        command = ["kamailio", "-DD", "-f", str(HERE / "kamailio.cfg"), "-m", "256", "-Y", str(folder)]
        command += ["-A", f'CREDENTIALS="text://{folder}"']
        for address in self.listen:
            command += ["-l", address]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True)
        self._await_ready()
        return self

    def _await_ready(self) -> None:
        ports = {int(address.rpartition(":")[2]) for address in self.listen}
        deadline = time.monotonic() + 20
        while not ports <= bound_udp_ports():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Kamailio did not start: " + (Path(self._folder.name) / "log").read_text()[-2000:])
            time.sleep(0.05)
        time.sleep(1.0)  # the workers fork after the sockets are bound; Kamailio tells nobody when they are ready

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # workers that did not hear of the end
        self._log.close()
        self._folder.cleanup()


def bound_udp_ports() -> set[int]:
    """The UDP ports that are bound on this machine, of both families."""
    ports = set()
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        if os.path.exists(table):
            rows = Path(table).read_text().splitlines()[1:]
            ports |= {int(row.split()[1].rpartition(":")[2], 16) for row in rows}
    return ports
