"""A flow: the path between a local socket and a remote address, over which messages go both ways (RFC 5626 §3).

Plain data, so that it can be stored with a binding and sent to another process; the sockets themselves stay in their
gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Address = tuple[str, int]


class Flow(NamedTuple):
    """`transport` upper case as in Via; `gateway`: short id of the owner of the connection, "" for UDP."""

    transport: str
    local: Address
    remote: Address
    gateway: str = ""
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """Does the transport retransmit by itself (RFC 3261 §17)?"""
        return self.transport != "UDP"

    @classmethod
    def of(cls, plain: Sequence[Any]) -> Flow:
        """From the list that a codec makes of it."""
        transport, local, remote, gateway, connection = plain
        return cls(transport, (local[0], local[1]), (remote[0], remote[1]), gateway, connection)
