"""A bad network: a UDP forwarder between one SIP endpoint and the switch that loses datagrams both ways.

The endpoint talks to `front`, the switch to `back`; so for the switch the endpoint is at `back`, which is
what the endpoint must write into its Contact. Which datagrams are lost is decided by a seeded source, so a
run can be repeated (as far as the order of arrival repeats).
"""

import random
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

Address = tuple[str, int]


class Lossy:
    """Forwards between `endpoint` and `switch` (IPv4), losing the share `loss` (0 to 1) of the datagrams
    each way.
    """

    def __init__(self, endpoint: Address, switch: Address, loss: float, seed: int) -> None:
        self._endpoint, self._switch = endpoint, switch
        self._loss, self._random = loss, random.Random(seed)
        self.passed = self.lost = 0
        self._front, self._back = _socket(), _socket()
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="lossy", daemon=True)

    @property
    def front(self) -> str:
        """Where the endpoint sends to, as host:port."""
        return "{}:{}".format(*self._front.getsockname())

    @property
    def back(self) -> str:
        """Where the switch finds the endpoint, as host:port."""
        return "{}:{}".format(*self._back.getsockname())

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            ways = {
                self._front.fileno(): (self._front, self._back, self._switch),
                self._back.fileno(): (self._back, self._front, self._endpoint),
            }
            for each in (self._front, self._back, self._stop_reader):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd not in ways:
                        return
                    self._forward(*ways[key.fd])

    def _forward(self, source: socket.socket, out: socket.socket, target: Address) -> None:
        for _ in range(64):
            try:
                datagram = source.recv(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if self._random.random() < self._loss:
                self.lost += 1
            else:
                self.passed += 1
                out.sendto(datagram, target)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_writer.send(b".")
        self._thread.join()
        for each in (self._front, self._back, self._stop_reader, self._stop_writer):
            each.close()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made
