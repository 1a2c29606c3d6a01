"""What the Switchboard hears of hosts, and is asked about them."""

from typing import NamedTuple

from rayswitch.members.snapshot import Members

__all__ = [
    "Added",
    "Carried",
    "Drained",
    "Greeted",
    "Known",
    "LinkDown",
    "Removed",
    "Settled",
    "Standing",
    "Tick",
    "Undrained",
]


class Greeted(NamedTuple):
    """A process says who it is: `version` is that of its snapshot."""

    host: str
    epoch: int
    node: str = ""
    address: str = ""
    port: int = 0
    listeners: tuple[str, ...] = ()
    version: int = 0


class LinkDown(NamedTuple):
    """The link to a host has broken, or has been silent for too long."""

    host: str


class Tick(NamedTuple):
    """TICK seconds have passed, more or less."""


class Standing(NamedTuple):
    """What Ray says: living nodes (id → address), and hosts whose process it will not start again."""

    nodes: dict[str, str]
    gone: frozenset[str] = frozenset()


class Known(NamedTuple):
    """What a host has as its snapshot: ours is older, or was lost."""

    members: Members


class Carried(NamedTuple):
    """What the journal carries: (host that the id of a call names, host that has the call)."""

    pairs: frozenset[tuple[str, str]]


class Settled(NamedTuple):
    """A home has acted upon this change of the homes."""

    host: str
    shares: int


class Drained(NamedTuple):
    """The operator wants these hosts empty; from `deadline` on (unix seconds, 0: never) their calls are moved."""

    hosts: tuple[str, ...]
    deadline: float = 0.0


class Undrained(NamedTuple):
    """The operator wants these hosts at work again."""

    hosts: tuple[str, ...]


class Added(NamedTuple):
    """The operator wants one more host of this kind on a node ("": wherever the Switchboard is)."""

    letter: str
    node: str
    address: str


class Removed(NamedTuple):
    """The operator wants this host to end; what it still has goes to others."""

    host: str
