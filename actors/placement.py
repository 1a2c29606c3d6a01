"""Placement: in which processes the entities of a kind live, and which of them is the home of a key.

Host ids: SIP gateways s0, s1, …, media gateways m0, …, the call pool c0, …, the registration pool r0, …, and the
Switchboard sw. A process begins with those that the configuration names, and follows the snapshots of the Switchboard
(``member_feed.py``). With placement `actor` each entity has a host of its own besides, a0, a1, … (``own_actors.py``).

The home of a key is the host with the highest hash of (host, key): rendezvous hashing. When a pool grows from n to n+1
processes one key in n+1 moves, and all of those to the new process. Homes are among the hosts that are not given up,
whether they are alive this instant or not: Ray has a dead process back in half a second, with what the store knows, and
a key that wandered off meanwhile would live twice. How keys move is ``homecoming.py``.
"""

from collections.abc import Sequence
from hashlib import blake2b

from rayswitch.config import Config
from rayswitch.members import Members

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
    """Where the entities of one kind live: `hosts` of kind `letter`, all of their homes, whether up or away. `single`:
    each has a process of its own, while there are any; `overflows`: the homes take in those that have none."""

    __slots__ = ("hosts", "letter", "overflows", "single")

    def __init__(self, hosts: Sequence[str], single: bool = False, overflows: bool = True, letter: str = "s") -> None:
        self.hosts = list(hosts)
        self.single = single
        self.overflows = overflows
        self.letter = letter

    @classmethod
    def of(cls, kind: str, config: Config) -> "Placement":
        """The placement of `kind` ("call", "registration") that the configuration asks for."""
        setting = config.actors.kinds[kind]
        in_pool = setting.homes == "pool"
        letter, count = (POOLS[kind], setting.pool) if in_pool else ("s", config.sip.gateways)
        overflows = not setting.is_single or setting.overflow != "refuse"
        return cls(numbered(letter, count), setting.is_single, overflows, letter)

    def follow(self, members: Members) -> None:
        """Homes from now on. A snapshot that names none comes from somebody who knows less than we do."""
        self.hosts = members.homes(self.letter) or self.hosts

    def home(self, key: str) -> str:
        """The host that `key` belongs to."""
        return rendezvous(key, self.hosts)
