"""The media gateway: leases ports ahead, connects them to sessions, and counts what passes.

A lease is a pair of bound sockets (RTP, RTCP).  `connect` describes a whole session and may come again with every change,
or after a restart for ports that this process has never leased: then it binds them again, so that phones that go on
sending are heard at once.  It runs on the process's loop; packets move in the relay's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gateways.media.half import Half, bound_pair
from gateways.media.relay import Relay
from rayswitch.media.ports import PortPool

log = logging.getLogger(__name__)

Pair = tuple[Half, Half]
TRIES = 32
"""Ports somebody else on the machine has, before a lease gives up."""


class Connected:
    """One stream of a session: the pairs towards A and B."""

    __slots__ = ("a", "b", "generation", "ports")

    def __init__(self, a: Pair, b: Pair, ports: tuple[int, int]) -> None:
        self.a = a
        self.b = b
        self.ports = ports
        self.generation = -1


class MediaGateway:
    """Gateway `id`; `addresses` by family, `ports` its share of the range, `quarantine` in seconds."""

    def __init__(
        self,
        id: str,
        addresses: dict[int, str],
        ports: range,
        clock: Callable[[], float],
        quarantine: float = 2.0,
    ) -> None:
        self.id = id
        self.addresses = addresses
        self.clock = clock
        self.pool = PortPool(ports, quarantine)
        self.relay = Relay()
        self.leased: dict[int, tuple[str, Pair]] = {}
        self.sessions: dict[str, tuple[str, list[Connected]]] = {}

    async def start(self) -> None:
        """Relay from now on."""
        self.relay.start()

    async def close(self) -> None:
        """End the relay and give every socket back."""
        for _, pair in self.leased.values():
            close(pair)
        self.leased.clear()
        self.relay.close()

    def lease(self, count: int, family: int, holder: str) -> list[list[Any]]:
        """Up to `count` pairs as [RTP port, address]; fewer when the range or the family has no more."""
        address = self.addresses.get(family)
        leases: list[list[Any]] = []
        while address is not None and len(leases) < count:
            found = self.bind_some(family, address)
            if found is None:
                break
            port, pair = found
            self.leased[port] = (holder, pair)
            leases.append([port, address])
        return leases

    def bind_some(self, family: int, address: str) -> tuple[int, Pair] | None:
        """A port of the pool that can be bound."""
        for _ in range(TRIES):
            port = self.pool.take(self.clock())
            if port is None:
                return None
            try:
                return port, bound_pair(family, address, port)
            except OSError as error:
                log.warning("media port %s %d: %s", address, port, error)
                self.pool.give_back([port], self.clock())
        return None

    def give_back(self, ports: Iterable[int]) -> None:
        """Leases that were not used."""
        for port in ports:
            leased = self.leased.pop(port, None)
            if leased is not None:
                close(leased[1])
                self.pool.give_back([port], self.clock())

    def released(self, holder: str) -> None:
        """A holder died: its unused leases return; its sessions go on until it says which it still has."""
        self.give_back([port for port, (whose, _) in self.leased.items() if whose == holder])

    def holding(self, holder: str, sessions: Iterable[str]) -> None:
        """A holder that came back has these sessions; others of its are over."""
        kept = set(sessions)
        for session in [name for name, (whose, _) in self.sessions.items() if whose == holder and name not in kept]:
            self.close_session(session)

    def connect(self, session: str, holder: str, streams: list[list[Any]]) -> None:
        """Switch a session through as described: [[a_port, address], a_remote, [b_port, address], b_remote, generation]."""
        known = self.sessions.setdefault(session, (holder, []))[1]
        for index, (a, a_remote, b, b_remote, generation) in enumerate(streams):
            if index == len(known):
                made = self.joined(a, b)
                if made is None:
                    log.error("session %s: ports %s and %s cannot be had", session, a, b)
                    return
                known.append(made)
            self.signal(known[index], a_remote, b_remote, generation)

    def joined(self, a: list[Any], b: list[Any]) -> Connected | None:
        """Two pairs that are partners from now on."""
        near, far = self.pair_of(a), self.pair_of(b)
        if near is None or far is None:
            self.put_away([(port[0], pair) for port, pair in ((a, near), (b, far)) if pair is not None])
            return None
        for one, other in zip(near, far, strict=True):
            one.partner, other.partner = other, one
        for half in (*near, *far):
            half.drain()
            self.relay.add(half)
        return Connected(near, far, (a[0], b[0]))

    def pair_of(self, port: list[Any]) -> Pair | None:
        """The leased pair of a port, or, after a restart, the port bound anew."""
        number, address = port
        leased = self.leased.pop(number, None)
        if leased is not None:
            return leased[1]
        if not self.pool.claim(number):
            return None
        try:
            return bound_pair(6 if ":" in address else 4, address, number)
        except OSError as error:
            log.error("media port %s %d: %s", address, number, error)
            self.pool.give_back([number], self.clock())
            return None

    def signal(self, stream: Connected, a_remote: Any, b_remote: Any, generation: int) -> None:
        """The addresses the two sides have signalled; a higher generation opens the latch of a side that changed."""
        for pair, remote in ((stream.a, a_remote), (stream.b, b_remote)):
            wanted = tuple(remote) if remote else None
            changed = generation > stream.generation and pair[0].signalled not in (None, wanted)
            pair[0].signal(remote, changed)
            pair[1].signal([remote[0], remote[1] + 1] if remote else None, changed)
        stream.generation = generation

    def close_session(self, session: str) -> list[list[dict[str, Any]]]:
        """End a session; its figures per stream, side A and side B; [] when it is not known."""
        _, streams = self.sessions.pop(session, ("", []))
        figures = [figures_of(stream) for stream in streams]
        for stream in streams:
            self.put_away(list(zip(stream.ports, (stream.a, stream.b), strict=True)))
        return figures

    def put_away(self, pairs: list[tuple[int, Pair]]) -> None:
        """Out of the relay, closed, into quarantine."""
        for port, pair in pairs:
            for half in pair:
                self.relay.remove(half)
            close(pair)
            self.pool.give_back([port], self.clock())

    def figures(self, session: str) -> list[list[dict[str, Any]]]:
        """What a running session has counted so far."""
        return [figures_of(stream) for stream in self.sessions.get(session, ("", []))[1]]

    def status(self) -> dict[str, Any]:
        """Ports and traffic of this gateway."""
        return {
            "ports_free": len(self.pool.free) + len(self.pool.resting),
            "ports_leased": len(self.leased),
            "sessions": len(self.sessions),
            "packets": self.relay.packets,
            "failed": self.relay.failed,
        }


def close(pair: Pair) -> None:
    """Both sockets."""
    for half in pair:
        half.close()


def figures_of(stream: Connected) -> list[dict[str, Any]]:
    """Side A, side B."""
    return [pair[0].reception.figures() if pair[0].reception else {} for pair in (stream.a, stream.b)]
