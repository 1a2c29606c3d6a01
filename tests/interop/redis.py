"""A real Redis for tests: on an address and port of its own, nothing kept on disk."""

import socket
import subprocess
from types import TracebackType
from typing import Self

from tests.interop.ports import free_port
from tests.interop.processes import await_true

__all__ = ["Redis"]


class Redis:
    """Debian's redis-server at `url` (HOST:PORT)."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address, self.port = address, free_port(address)
        self.url = f"{address}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        order = ["redis-server", "--bind", self.address, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [*order, "--protected-mode", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await_true(self.answers, f"a Redis at {self.url}", pause=0.05)
        return self

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
