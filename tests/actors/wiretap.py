"""A man in the middle: a TCP proxy that records what passes, and may change or repeat it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Way = tuple[str, int]
Change = Callable[[bytes], list[bytes]]
"""What is passed on instead of a piece that came from the dialler."""


class Wiretap:
    """Everything that the dialler sent is in `recorded`, a list of pieces for each connection."""

    def __init__(self, target: Way) -> None:
        self.target = target
        self.recorded: list[list[bytes]] = []
        self.change: Change | None = None
        self.way: Way = ("", 0)
        self.writers: list[asyncio.StreamWriter] = []

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_target: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                if to_target:
                    self.recorded[-1].append(piece)
                pieces = self.change(piece) if self.change is not None and to_target else [piece]
                writer.writelines(pieces)
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.recorded.append([])
        with contextlib.suppress(OSError):
            back, onward = await asyncio.open_connection(*self.target)
            self.writers += [writer, onward]
            await asyncio.gather(self.pass_on(reader, onward, True), self.pass_on(back, writer, False))
        writer.close()

    def repeat(self) -> None:
        """Send the last piece once more."""
        self.writers[-1].write(self.recorded[-1][-1])

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@asynccontextmanager
async def wiretap(target: Way) -> AsyncIterator[Wiretap]:
    tap = Wiretap(target)
    server = await asyncio.start_server(tap.serve, "127.0.0.9", 0)
    tap.way = server.sockets[0].getsockname()
    try:
        yield tap
    finally:
        server.close()
        tap.cut()
        await asyncio.sleep(0.01)
