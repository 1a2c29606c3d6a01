"""The other SIP gateways, as a gateway sees them: over links, raw bytes and flows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from actors.link import LinkError, Links
from actors.ways import Ways
from rayswitch.members import DRAINING, LEAVING, Members
from rayswitch.sip.flow import Address, Flow

ASK_SECONDS = 1.0
"""For a CANCEL: a live gateway answers in a millisecond."""


class LinkPeers:
    """Implements `gateways.sip.gateway.Peers` for gateway `me`; the others are those of the latest snapshot."""

    def __init__(self, me: str, links: Links) -> None:
        self.me = me
        self.links = links
        self.ways = Ways(links)
        self.turn = itertools.count()
        self.members = Members()
        self.others: list[str] = []
        self.out: frozenset[str] = frozenset()
        """Gateways that take nothing new."""

    def follow(self, members: Members) -> None:
        """These are the gateways from now on."""
        self.members = members
        self.others = [host for host in members.ids("s") if host != self.me]
        self.out = frozenset(members.ids("s", DRAINING, LEAVING))
        self.ways.follow(members)

    def serve(
        self,
        forwarded: Callable[[bytes, Flow, Sequence[str]], None],
        send: Callable[[Flow, bytes], None],
        cancel: Callable[[bytes, Flow], bool],
    ) -> None:
        """Do for the others what they ask: take a datagram as our own, send on a connection of ours, CANCEL."""
        self.links.on("sip.forward", lambda peer, what: forwarded(what[0], Flow.of(what[1]), what[2]))
        self.links.on("sip.send", lambda peer, payload: send(Flow.of(payload[0]), payload[1]))
        self.links.on("sip.cancel", lambda peer, payload: cancel(payload[0], Flow.of(payload[1])))

    def alone(self) -> bool:
        """Are there no others?"""
        return not self.others

    def alive(self, owner: str) -> bool:
        """Is this a gateway other than us, and up?"""
        return owner in self.others and self.links.alive(owner)

    def owner(self, host: str) -> str:
        """Who has what carries the id `host`."""
        return self.members.owner(host) or host

    def at(self, local: Address) -> str:
        """A gateway that is up and has this address."""
        return self.ways.at(local)

    def drained(self, host: str) -> bool:
        """Does this gateway take nothing new?"""
        return host in self.out

    def leaves(self, host: str) -> bool:
        """Has what this gateway still has to move away?"""
        return host in self.out and self.members.state(host) == LEAVING

    def stand_in(self) -> str:
        """Who takes what is new while we do not: the next in turn."""
        able = [host for host in self.others if host not in self.out and self.links.alive(host)]
        return able[next(self.turn) % len(able)] if able else ""

    def forward(self, owner: str, data: bytes, flow: Flow, names: Sequence[str] = ()) -> None:
        """A message that is the business of `owner`."""
        self.links.tell(owner, "sip.forward", [data, list(flow), list(names)])

    def send(self, owner: str, flow: Flow, data: bytes) -> None:
        """Out of a connection that `owner` holds, or an address that it has."""
        self.links.tell(owner, "sip.send", [list(flow), data])

    async def cancel(self, data: bytes, flow: Flow) -> bool:
        """Does any other gateway have the INVITE of this CANCEL? It has cancelled it then."""
        asks = [
            self.links.ask(other, "sip.cancel", [data, list(flow)], timeout=ASK_SECONDS)
            for other in self.others
            if self.links.alive(other)
        ]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, LinkError):
                raise answer
        return any(answer is True for answer in answers)
