"""The media gateway: leases ports ahead, connects them to sessions, and counts what passes.

A lease is a pair of bound sockets (RTP, RTCP). `connect` describes a whole session and may come again with every
change, or after a restart for ports that this process has never leased: then it binds them again, so that phones that
go on sending are heard at once. It runs on the process's loop and keeps the books; packets move in the relay's thread,
and so does every touch of a socket that is joined, by orders.
"""

from __future__ import annotations

import functools
import logging
import resource
from collections.abc import Callable, Iterable
from typing import Any

from gateways.media.half import Half, bound_pair
from gateways.media.relay import Relay
from rayswitch.media.ports import PortPool
from rayswitch.media.remote import Address, rtcp_address, rtp_address
from rayswitch.rtp.reception import Reception
from rayswitch.rtp.reports import Reports

log = logging.getLogger(__name__)

TRIES = 32
"""Ports somebody else on the machine has, before a lease gives up."""


class Pair:
    """The two sockets of a port towards one side, and what is heard of it; `remote`: where it said last that it is."""

    __slots__ = ("address", "family", "port", "reception", "remote", "reports", "rtcp", "rtp")

    def __init__(self, address: str, port: int) -> None:
        """Binds both; OSError when one of the ports is taken."""
        self.address = address
        self.port = port
        self.family = 6 if ":" in address else 4
        self.reception, self.reports = Reception(), Reports()
        self.rtp, self.rtcp = bound_pair(self.family, address, port, (self.reception.packet, self.reports.packet))
        self.remote: Address | None = None

    @property
    def halves(self) -> tuple[Half, Half]:
        """RTP, RTCP."""
        return self.rtp, self.rtcp

    def figures(self) -> dict[str, Any]:
        """packets, bytes, lost, jitter (ms) of RTP from this side; round_trip (ms) to it, None when nobody told."""
        return {**self.reception.figures(), **self.reports.figures()}

    def close(self) -> None:
        """Give both sockets back; only while nothing is relayed over them."""
        self.rtp.close()
        self.rtcp.close()


class Stream:
    """One stream of a session: the pairs towards A and B."""

    __slots__ = ("a", "b", "generation")

    def __init__(self, a: Pair, b: Pair) -> None:
        self.a = a
        self.b = b
        self.generation = -1

    def figures(self) -> list[dict[str, Any]]:
        """What A has sent us, what B has sent us."""
        return [self.a.figures(), self.b.figures()]


class Session:
    """What `holder` has connected; when `heard` packets had come at the last look, it had been quiet `since` then."""

    __slots__ = ("heard", "holder", "since", "streams")

    def __init__(self, holder: str, now: float) -> None:
        self.holder = holder
        self.streams: list[Stream] = []
        self.heard = -1
        self.since = now

    def quiet(self, now: float) -> float:
        """Seconds without RTP from either side, as precise as the looks are frequent."""
        heard = sum(pair.reception.received for stream in self.streams for pair in (stream.a, stream.b))
        if heard != self.heard:
            self.heard, self.since = heard, now
        return now - self.since


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
        self.pool = PortPool(ports, quarantine, offset=int(clock() * 1000))
        self.relay = Relay()
        self.leased: dict[int, tuple[str, Pair]] = {}
        self.sessions: dict[str, Session] = {}

    async def start(self) -> None:
        """Relay from now on. A call needs four descriptors: as many are allowed as the system lets us have."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.relay.start()

    async def close(self) -> None:
        """End the relay and give every socket back."""
        for _, pair in self.leased.values():
            pair.close()
        self.leased.clear()
        self.sessions.clear()
        self.relay.close()

    def lease(self, count: int, family: int, holder: str) -> list[list[Any]]:
        """Up to `count` pairs as [RTP port, address]; fewer when the range or the family has no more."""
        address = self.addresses.get(family)
        leases: list[list[Any]] = []
        while address is not None and len(leases) < count:
            pair = self.bind_some(address)
            if pair is None:
                break
            self.leased[pair.port] = (holder, pair)
            leases.append([pair.port, address])
        return leases

    def bind_some(self, address: str) -> Pair | None:
        """A port of the pool that can be bound."""
        for _ in range(TRIES):
            port = self.pool.take(self.clock())
            if port is None:
                return None
            pair = self.bind(address, port)
            if pair is not None:
                return pair
        log.warning("%d media ports in a row are taken by others on this machine", TRIES)
        return None

    def bind(self, address: str, port: int) -> Pair | None:
        """This port, which the pool has given out; back into quarantine when somebody else on the machine has it."""
        try:
            return Pair(address, port)
        except (OSError, OverflowError) as error:
            log.debug("media port %s %d: %s", address, port, error)
            self.pool.give_back([port], self.clock())
            return None

    def give_back(self, ports: Iterable[int]) -> None:
        """Leases that were not used."""
        for port in ports:
            leased = self.leased.pop(port, None)
            if leased is not None:
                leased[1].close()
                self.pool.give_back([port], self.clock())

    def released(self, holder: str) -> None:
        """A holder died: its unused leases return; its sessions go on until it says which it still has."""
        self.give_back([port for port, (whose, _) in self.leased.items() if whose == holder])

    def holding(self, holder: str, sessions: Iterable[str]) -> None:
        """A holder that came back has these sessions; others of its are over."""
        kept = set(sessions)
        for name in [name for name, session in self.sessions.items() if session.holder == holder and name not in kept]:
            self.close_session(name)

    def connect(self, session: str, holder: str, streams: list[list[Any]]) -> None:
        """Switch a session through as described: [[a_port, address], a_remote, [b_port, address], b_remote, generation]
        for each stream. A stream whose ports cannot be had ends the description there.
        """
        known = self.sessions.setdefault(session, Session(holder, self.clock()))
        known.holder, known.since = holder, self.clock()
        for index, (a, a_remote, b, b_remote, generation) in enumerate(streams):
            if not self.place(known.streams, index, a, b):
                log.error("session %s: ports %s and %s cannot be had", session, a, b)
                return
            self.signal(known.streams[index], a_remote, b_remote, generation)

    def place(self, streams: list[Stream], index: int, a: list[Any], b: list[Any]) -> bool:
        """Stream `index` uses these ports from now on; a port that it had and no longer uses is put away."""
        old = streams[index] if index < len(streams) else None
        if old is not None and (old.a.port, old.b.port) == (a[0], b[0]):
            return True
        had = {pair.port: pair for pair in (old.a, old.b)} if old else {}
        pairs = [had.get(port[0]) or self.pair_of(port) for port in (a, b)]
        near, far = pairs
        if near is None or far is None:
            self.put_away(pair for pair in pairs if pair and pair.port not in had)
            return False
        self.put_away(pair for pair in had.values() if pair not in pairs)
        streams[index : index + 1] = [Stream(near, far)]
        near.reports.partner, far.reports.partner = far.reports, near.reports
        for mine, its in zip(near.halves, far.halves, strict=True):
            if had:
                self.relay.order(functools.partial(self.relay.join, mine, its))
            else:  # the relay has seen neither of them: it need not be woken up for them
                self.relay.join(mine, its)
        return True

    def pair_of(self, port: list[Any]) -> Pair | None:
        """The leased pair of a port, or, after a restart, the port bound anew."""
        number, address = port
        leased = self.leased.pop(number, None)
        if leased is not None:
            return leased[1]
        return self.bind(address, number) if self.pool.claim(number) else None

    def signal(self, stream: Stream, a_remote: Any, b_remote: Any, generation: int) -> None:
        """The addresses the two sides have signalled; a higher generation opens the latch of a side that changed.

        None (on hold by 0.0.0.0, or not known yet) is no change: a side that comes back with the address it had
        before is where it was.
        """
        newer = generation > stream.generation
        own = [(pair.address, pair.port) for pair in (stream.a, stream.b)]
        for pair, remote in ((stream.a, a_remote), (stream.b, b_remote)):
            wanted = rtp_address(remote, pair.family, own)
            reopen = newer and wanted is not None and pair.remote not in (None, wanted)
            for half, address in zip(pair.halves, (wanted, rtcp_address(wanted)), strict=True):
                half.signalled = address
                if reopen:
                    self.relay.order(half.reopen)
            pair.remote = wanted or pair.remote
        stream.generation = max(generation, stream.generation)

    def close_session(self, session: str) -> list[list[dict[str, Any]]]:
        """End a session; its figures per stream, side A and side B; [] when it is not known."""
        figures = self.figures(session)
        known = self.sessions.pop(session, None)
        for stream in known.streams if known else ():
            self.put_away((stream.a, stream.b))
        return figures

    def put_away(self, pairs: Iterable[Pair]) -> None:
        """Out of the relay, closed there, into quarantine."""
        for pair in pairs:
            self.relay.order(functools.partial(self.relay.drop, pair.halves), urgent=False)
            self.pool.give_back([pair.port], self.clock())

    def figures(self, session: str) -> list[list[dict[str, Any]]]:
        """What a running session has counted so far."""
        known = self.sessions.get(session)
        return [stream.figures() for stream in known.streams] if known else []

    def silent(self, seconds: float) -> list[tuple[str, str]]:
        """(holder, session) of those in which nobody said anything for so long; a new description is a sign of life."""
        now = self.clock()
        return [(known.holder, name) for name, known in self.sessions.items() if known.quiet(now) >= seconds]

    def status(self) -> dict[str, Any]:
        """Ports (pairs) and traffic of this gateway; `dropped`: could not be sent, or had nobody to go to. What the
        kernel keeps away from a latched port is not among it.
        """
        self.pool.wake(self.clock())
        return {
            "ports_free": len(self.pool.free),
            "ports_resting": len(self.pool.resting),
            "ports_leased": len(self.leased),
            "sessions": len(self.sessions),
            "packets": self.relay.packets,
            "dropped": self.relay.dropped(),
        }
