"""Where the servers of lines and trunks are: names that are looked up again and again, so that no call waits for that.

Every gateway looks up for itself, not the home of a line for all: one that starts, joins or is cut off from the
others is as right as any, and no message can be lost or late. The name server's client (`gateways/names.py`) asks once
for all who want the same, and goes on with what was known when nobody answers, for a day at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from gateways.names import Names
from rayswitch.lines.resolving import Server
from rayswitch.sip.uri import Uri

__all__ = ["Whereabouts"]

Learned = Callable[[str, Sequence[Server]], None]


class Whereabouts:
    """`learned(server, servers)` hears what a name leads to, whenever that was looked up."""

    def __init__(self, names: Names, transports: Sequence[str], families: Sequence[int], learned: Learned) -> None:
        self.names = names
        self.transports = transports
        self.families = families
        self.learned = learned
        self.watched: dict[str, asyncio.Task[None]] = {}
        self.unknown: set[str] = set()
        """Those that no name server has said anything about."""

    def follow(self, servers: Collection[str]) -> None:
        """These, and no others, from now on."""
        for server in [one for one in self.watched if one not in servers]:
            self.watched.pop(server).cancel()
            self.unknown.discard(server)
            self.learned(server, [])
        for server in servers:
            if server not in self.watched:
                self.unknown.add(server)
                self.watched[server] = asyncio.get_running_loop().create_task(self.watch(server))

    async def watch(self, server: str) -> None:
        """Look one up, now and whenever what the name servers said is over."""
        uri = Uri.parse(server)
        while True:
            found, seconds = await self.names.servers_of(uri, self.transports, self.families, server)
            if found or not self.names.failing:
                self.unknown.discard(server)
            else:
                self.unknown.add(server)
            self.learned(server, found)
            await asyncio.sleep(seconds)

    def close(self) -> None:
        """No look-up any more."""
        for task in self.watched.values():
            task.cancel()
