"""What passes over the loopback interface: counts the RTP packets that reach ports of the tests."""

import contextlib
import socket
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

_UDP, _HEADERS = 17, 14 + 20 + 8
"""Octets before the payload: Ethernet, IPv4 without options, UDP."""
_ETHERTYPE_IPV4 = b"\x08\x00"


class Wire:
    """Counts packets of UDP over IPv4 with a payload of `size` octets or more, by the port they go to."""

    def __init__(self, size: int = 160) -> None:
        self._least = _HEADERS + size
        self._counts: Counter[int] = Counter()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._open = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._read, name="wire")
        self._thread.start()
        return self

    def _read(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                frame, source = self._socket.recvfrom(2048)
                leaves = source[2] == socket.PACKET_OUTGOING  # loopback shows each frame as it leaves and arrives
                if not leaves and len(frame) >= self._least and frame[12:14] == _ETHERTYPE_IPV4 and frame[23] == _UDP:
                    self._counts[int.from_bytes(frame[36:38], "big")] += 1

    def forget(self) -> None:
        """Count from nothing again."""
        self._counts.clear()

    def count(self, ports: range) -> int:
        """How many packets have reached any of `ports`."""
        return sum(self._counts[port] for port in ports)

    def await_count(self, ports: range, count: int, timeout: float = 15.0) -> None:
        """Wait until `count` packets have reached `ports`."""
        deadline = time.monotonic() + timeout
        while self.count(ports) < count:
            assert time.monotonic() < deadline, f"{self.count(ports)} packets to {ports}, wanted {count}"
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()
