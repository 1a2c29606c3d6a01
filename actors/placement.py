"""Placement: in which processes the entities of a kind live, and which of them is the home of a key.

Host ids follow from the configuration alone: SIP gateways s0, s1, …, media gateways m0, …, the call pool
c0, …, the registration pool r0, …, and the Switchboard sw. So every process knows every other one without
asking. With placement `actor` each entity has a host of its own besides, a0, a1, … (``own_actors.py``).

The home of a key is the host with the highest hash of (host, key): rendezvous hashing. When a pool grows
from n to n+1 processes one key in n+1 moves, and all of those to the new process. Homes are among the hosts
of the configuration, not among those alive this instant: Ray has a dead one back in half a second, with
what the store knows, and a key that wandered off meanwhile would live twice.
"""

from collections.abc import Sequence
from hashlib import blake2b

from rayswitch.config import Config

__all__ = ["OWN", "SWITCHBOARD", "Placement", "hosts_of", "is_own", "rendezvous"]

SWITCHBOARD = "sw"
OWN = "a"
"""First letter of the host ids of processes that hold a single entity."""
POOLS = {"call": "c", "registration": "r"}
"""First letter of the pool's host ids, by kind."""


def rendezvous(key: str, hosts: Sequence[str]) -> str:
    """The home of `key` among `hosts` (at least one)."""
    if len(hosts) == 1:
        return hosts[0]
    data = key.encode("utf-8", "surrogateescape")
    return max(hosts, key=lambda host: blake2b(data, digest_size=8, key=host.encode()).digest())


def numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def hosts_of(config: Config) -> list[str]:
    """Every host of the switch but the Switchboard. A pool is there only when something lives in it."""
    hosts = numbered("m", config.media.gateways)
    for kind, letter in POOLS.items():
        setting = config.actors.kinds[kind]
        if setting.homes == "pool":
            hosts += numbered(letter, setting.pool)
    return hosts + numbered("s", config.sip.gateways)


def is_own(host: str) -> bool:
    """Is this the id of a process that holds a single entity?"""
    return host[:1] == OWN and host[1:].isdecimal()


class Placement:
    """Where the entities of one kind live: `hosts`, all of their homes, whether up or not. `single`: each has a process
    of its own, while there are any; `overflows`: the homes take in those that have none."""

    __slots__ = ("hosts", "overflows", "single")

    def __init__(self, hosts: Sequence[str], single: bool = False, overflows: bool = True) -> None:
        self.hosts = list(hosts)
        self.single = single
        self.overflows = overflows

    @classmethod
    def of(cls, kind: str, config: Config) -> "Placement":
        """The placement of `kind` ("call", "registration") that the configuration asks for."""
        setting = config.actors.kinds[kind]
        in_pool = setting.homes == "pool"
        hosts = numbered(POOLS[kind], setting.pool) if in_pool else numbered("s", config.sip.gateways)
        return cls(hosts, setting.is_single, not setting.is_single or setting.overflow != "refuse")

    def home(self, key: str) -> str:
        """The host that `key` belongs to."""
        return rendezvous(key, self.hosts)
