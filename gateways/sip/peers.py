"""The other SIP gateways of a switch, as one of them needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rayswitch.sip.flow import Address, Flow

__all__ = ["Peers"]


class Peers(Protocol):
    """The other SIP gateways of the switch."""

    def alive(self, owner: str) -> bool:
        """Is this another gateway, and up?"""

    def forward(self, owner: str, data: bytes, flow: Flow, names: Sequence[str] = ()) -> None:
        """Hand over a message that came to us and is the business of `owner`; `names` has the certificate of its
        sender."""

    def send(self, owner: str, flow: Flow, data: bytes) -> None:
        """Send over a connection that `owner` holds."""

    async def cancel(self, data: bytes, flow: Flow) -> bool:
        """Ask all others whether a CANCEL is for a transaction of theirs."""

    def alone(self) -> bool:
        """Are there no others?"""

    def owner(self, host: str) -> str:
        """Who has what carries the id `host`: that host, or whoever took over from it."""

    def at(self, local: Address) -> str:
        """A gateway that is up and has this address; "" when there is none."""

    def drained(self, host: str) -> bool:
        """Does this gateway take nothing new?"""

    def leaves(self, host: str) -> bool:
        """Has what this gateway still has to move away?"""

    def stand_in(self) -> str:
        """Who takes what is new while we do not; "" when there is nobody."""
