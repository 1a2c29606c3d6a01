"""What the tests of the SIP gateway share: a uvloop loop with a deadline, waiting, and phones of a few lines."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import uvloop

from gateways.wheel import Wheel

HOSTS = {4: "127.0.0.1", 6: "::1"}
number = itertools.count(1)


def run(main: Callable[[Wheel], Awaitable[None]]) -> None:
    """`main(wheel)` on a loop of its own; whatever escapes to the loop fails the test."""
    escaped: list[dict[str, Any]] = []

    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: escaped.append(context))
        wheel = Wheel(loop)
        try:
            await main(wheel)
        finally:
            wheel.close()
            while Phone.opened:
                Phone.opened.pop().close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(body(), 20))
    assert not escaped, escaped


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


class Phone:
    """A UDP socket that keeps what it gets; closed with the loop's end."""

    opened: ClassVar[list["Phone"]] = []

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.got: list[bytes] = []
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, port))
        self.address: tuple[str, int] = self.socket.getsockname()[:2]
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self.read)
        self.opened.append(self)

    def read(self) -> None:
        self.got.append(self.socket.recv(70_000))

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        self.socket.sendto(data, to)

    async def next(self, seconds: float = 5.0) -> bytes:
        await until(lambda: self.got, seconds)
        return self.got.pop(0)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()


def request(method: str = "OPTIONS", via: str = "UDP 127.0.0.1:5999;rport", to_tag: str = "", **more: str) -> bytes:
    """A request with a branch and a Call-ID of its own; `more` are further rows, `_` for `-`."""
    count = next(number)
    rows = {
        "Via": f"SIP/2.0/{via};branch=z9hG4bKtest{count}",
        "Max-Forwards": "70",
        "From": "<sip:alice@example.com>;tag=a1",
        "To": "<sip:bob@example.com>" + (f";tag={to_tag}" if to_tag else ""),
        "Call-ID": f"call-{count}",
        "CSeq": f"1 {method}",
        "Content-Length": "0",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    lines = [f"{method} sip:bob@example.com SIP/2.0", *(f"{name}: {value}" for name, value in rows.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
