"""The address book of the links: where the host of an id is dialled.

A host on this node is reached by its Unix socket in the run directory, a host on another node by TCP. What a process
says of itself are its `Endpoints`; the membership (a snapshot of the Switchboard) hands them to everybody with the
host's epoch. A host of which nothing is known is looked for in the run directory: on one node that is all there is.

A path in the run directory means nothing on another node, so endpoints name their node, and the book chooses.
"""

from pathlib import Path
from typing import NamedTuple

__all__ = ["AddressBook", "Endpoints", "socket_path"]


def socket_path(run_dir: str | Path, host: str) -> str:
    """Where `host` listens on its own node."""
    return str(Path(run_dir) / f"{host}.sock")


class Endpoints(NamedTuple):
    """Where a process listens: on its node by its Unix socket, from elsewhere at (address, port); port 0: not there."""

    node: str = ""
    address: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tls://{host}:{self.port}" if self.port else "unix"


Way = str | tuple[str, int]
"""A path, or an address and a port."""


class AddressBook:
    """The endpoints of all hosts, as a process on `node` sees them."""

    def __init__(self, run_dir: str | Path, node: str = "") -> None:
        self.run_dir = run_dir
        self.node = node
        self._entries: dict[str, tuple[int, Endpoints]] = {}
        self._sources: frozenset[str] = frozenset()

    def update(self, host: str, endpoints: Endpoints, epoch: int) -> None:
        """What the membership says of `host`; an epoch older than the one known says nothing new."""
        if epoch >= self.epoch(host):
            self._entries[host] = epoch, Endpoints(*endpoints)
            self._index()

    def forget(self, host: str) -> None:
        """There is no such host any more."""
        if self._entries.pop(host, None) is not None:
            self._index()

    def epoch(self, host: str) -> int:
        """The epoch that the membership knows of `host`; 0 when it knows none."""
        return self._entries[host][0] if host in self._entries else 0

    def way(self, host: str) -> Way:
        """How to dial `host` from here."""
        _, endpoints = self._entries.get(host, (0, Endpoints()))
        if endpoints.port and endpoints.node != self.node:
            return endpoints.address, endpoints.port
        return socket_path(self.run_dir, host)

    def knows(self, address: str) -> bool:
        """Is this the address of a node of ours?"""
        return address in self._sources

    def _index(self) -> None:
        self._sources = frozenset(endpoints.address for _, endpoints in self._entries.values() if endpoints.address)
