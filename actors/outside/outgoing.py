"""Lines and trunks, as calls and the dial plan see them: how busy one is, whether it takes a call, where that goes.

A member is named "line/NAME" or "trunk/NAME". `LineDesk` implements `Outgoing`; in `NoMembers` every one is down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rayswitch.calls.routing.route import OUTSIDE, Place
from rayswitch.sip.flow import Flow

PREFIXES = OUTSIDE
Accounted = Callable[[str, str], None]
"""Takes user and secret, both empty for one that proves nothing."""
Seized = Callable[["Place | str"], None]
"""Takes the place where the call goes, or why it cannot."""


class Outgoing(Protocol):
    """The lines and trunks of the switch."""

    def loads(self, members: Sequence[str], done: Callable[[list[int]], None]) -> None:
        """`done` with the running calls of each."""

    def seize(self, id: str, member: str, caller: str, number: str, done: Seized) -> None:
        """Count the call `id` for `member`, unless that is down or full; then `done`, at once or later."""

    def account(self, member: str, done: Accounted) -> None:
        """`done`, later, with how requests to `member` are proved; never when nobody knows it."""

    def shun(self, member: str, flow: Flow) -> None:
        """The server of `member` behind `flow` is out of order: calls begin at another one for a while."""

    def hold(self, id: str, member: str) -> None:
        """After a restart: this call is one of `member`."""

    def free(self, id: str, member: str) -> None:
        """It is so no more."""


class NoMembers:
    """No line and no trunk."""

    def loads(self, members: Sequence[str], done: Callable[[list[int]], None]) -> None:
        done([0] * len(members))

    def seize(self, id: str, member: str, caller: str, number: str, done: Seized) -> None:
        done(f"{member} does not exist")

    def account(self, member: str, done: Accounted) -> None:
        """Nobody knows."""

    def shun(self, member: str, flow: Flow) -> None:
        """Nobody has servers."""

    def hold(self, id: str, member: str) -> None:
        """Nobody counts."""

    def free(self, id: str, member: str) -> None:
        """Nobody counts."""


def split(rows: list[list[Any]]) -> tuple[list[str], list[tuple[str, bool]]]:
    """Of what a call is counted for, [name, outgoing], the lines and trunks, and the addresses-of-record."""
    members = [name for name, _ in rows if name.startswith(PREFIXES)]
    return members, [(name, outgoing) for name, outgoing in rows if not name.startswith(PREFIXES)]
