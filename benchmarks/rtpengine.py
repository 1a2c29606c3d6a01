"""rtpengine in user space as a peer for the relay, told by its NG protocol (bencode over UDP) what to do."""

import itertools
import socket
import subprocess
import time
from types import TracebackType
from typing import Any, Self

from tests.interop.ports import free_port

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n"


class Rtpengine:
    """One rtpengine on loopback without its kernel module."""

    def __init__(self) -> None:
        self._port = free_port()
        self._cookies = itertools.count()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1)

    def __enter__(self) -> Self:
        command = ["rtpengine", "--foreground", "--table=-1", "--interface=127.0.0.1", "--log-stderr"]
        command += [f"--listen-ng=127.0.0.1:{self._port}", "--port-min=31000", "--port-max=32700", "--log-level=3"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                if self._ask({"command": "ping"})["result"] == "pong":
                    return self
            except (TimeoutError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise RuntimeError("rtpengine does not answer") from None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def connect(self, call: str, near_port: int, far_port: int) -> tuple[int, int]:
        """Relay between two endpoints on 127.0.0.1; the ports to which near and far must send."""
        given = {"call-id": call, "from-tag": "a", "ICE": "remove", "replace": ["origin"]}
        offer = self._ask({"command": "offer", "sdp": SDP.format(near_port), **given})
        answer = self._ask({"command": "answer", "sdp": SDP.format(far_port), "to-tag": "b", **given})
        return _audio_port(answer["sdp"]), _audio_port(offer["sdp"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        cookie = b"c%d" % next(self._cookies)
        self._socket.sendto(cookie + b" " + _encode(question), ("127.0.0.1", self._port))
        answer = self._socket.recv(65535)
        decoded: dict[str, Any] = _decode(answer[answer.index(b" ") + 1 :])[0]
        if decoded["result"] == "error":
            raise RuntimeError(decoded["error-reason"])
        return decoded

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()


def _audio_port(sdp: str) -> int:
    return int(sdp.split("m=audio ")[1].split()[0])


def _encode(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"d" + b"".join(_encode(key) + _encode(inner) for key, inner in sorted(value.items())) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(_encode, value)) + b"e"
    text = str(value).encode()
    return b"%d:%s" % (len(text), text)


def _decode(data: bytes) -> tuple[Any, bytes]:
    """The value at the beginning of `data`, and what follows it."""
    kind = data[:1]
    if kind == b"i":
        number, _, rest = data[1:].partition(b"e")
        return int(number), rest
    if kind in b"dl":
        items, rest = [], data[1:]
        while rest[:1] != b"e":
            item, rest = _decode(rest)
            items.append(item)
        return (dict(zip(items[::2], items[1::2], strict=True)) if kind == b"d" else items), rest[1:]
    length, _, rest = data.partition(b":")
    return rest[: int(length)].decode(), rest[int(length) :]
