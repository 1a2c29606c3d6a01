"""RTP endpoints that send every 20 ms and keep account of the longest gap in what they hear.

One thread serves all streams of a test with one poll: 50 calls are 5,000 packets a second each way, which
leaves Python time to spare. The clock that counts is the arrival of a packet at this process.
"""

import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

PERIOD = 0.02
PAYLOAD = bytes(range(96, 256))


class Stream:
    """One RTP socket. It sends once `remote` is set; `gap` is the longest silence heard since `measure()`."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.address, self.port = self.socket.getsockname()[:2]
        self.remote: tuple[str, int] | None = None
        self.received = 0
        self._sequence = 0
        self._last = self._longest = 0.0

    def send(self) -> None:
        """One packet of G.711, 20 ms."""
        if self.remote is None:
            return
        self._sequence += 1
        header = struct.pack("!BBHII", 0x80, 0, self._sequence & 0xFFFF, self._sequence * 160, self.port)
        try:
            self.socket.sendto(header + PAYLOAD, self.remote)
        except ConnectionRefusedError:
            pass  # the relay is away; that is what a test may be about

    def hear(self, now: float) -> None:
        """Take what has arrived."""
        while True:
            try:
                self.socket.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.received += 1
            self._longest = max(self._longest, now - self._last)
            self._last = now

    def measure(self) -> None:
        """Begin a new measurement of the gap."""
        self._last, self._longest = time.monotonic(), 0.0

    @property
    def gap(self) -> float:
        """Longest silence in seconds since `measure()`, one that still goes on included."""
        return max(self._longest, time.monotonic() - self._last)


class Audio:
    """The streams of a test, sending and listening from the first to the last."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self._measured: list[Stream] = []
        self._poll = select.epoll()
        self._by_fd: dict[int, Stream] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audio", daemon=True)
        self.own_delay = 0.0

    def add(self, address: str = "127.0.0.1") -> Stream:
        """A new stream on a port of its own."""
        stream = Stream(address)
        self.streams.append(stream)
        self._by_fd[stream.socket.fileno()] = stream
        self._poll.register(stream.socket, select.EPOLLIN)
        return stream

    def measure(self) -> None:
        """Begin a new measurement, on the streams that are there now."""
        self.own_delay = 0.0
        self._measured = list(self.streams)
        for stream in self.streams:
            stream.measure()

    def longest_gap(self) -> float:
        """Over the measured streams, less what this thread itself was late with sending or listening."""
        return max(stream.gap for stream in self._measured) - self.own_delay

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            now = time.monotonic()
            if now >= due:
                self.own_delay = max(self.own_delay, now - due)
                for stream in list(self.streams):
                    stream.send()
                due = max(due + PERIOD, now)
            for fd, _ in self._poll.poll(max(0.0, due - time.monotonic())):
                self._by_fd[fd].hear(time.monotonic())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._poll.close()
        for stream in self.streams:
            stream.socket.close()
