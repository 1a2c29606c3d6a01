"""What the Switchboard does about hosts."""

from typing import NamedTuple

from rayswitch.members.snapshot import Members, Seat

__all__ = ["End", "Enquire", "Publish", "Recall", "Start"]


class Publish(NamedTuple):
    """Keep the snapshot, then tell everybody."""

    members: Members


class Enquire(NamedTuple):
    """Ask Ray which nodes stand, and which of these hosts it will not start again."""

    hosts: tuple[str, ...]


class Recall(NamedTuple):
    """Ask this host for its snapshot: it is newer than ours."""

    host: str


class Start(NamedTuple):
    """Have Ray start a host on this node."""

    host: str
    node: str
    seat: Seat


class End(NamedTuple):
    """Have Ray end this host for good, if there is anything of it."""

    host: str
