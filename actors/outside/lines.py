"""The lines and trunks of a gateway: those whose home it is are at work here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from actors.outside.desk import Account, Answer
from actors.outside.line import LineAtWork
from actors.outside.peer import Ground, Peer
from actors.outside.trunk import TrunkAtWork
from actors.placement import Placement
from rayswitch.calls.routing.tables import Row
from rayswitch.lines.resolving import Server
from rayswitch.lines.sources import server_of
from rayswitch.members import Members
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.events import ResponseReceived, TimedOut, Unreachable

__all__ = ["KINDS", "Lines"]

log = logging.getLogger(__name__)

KINDS: dict[type, str] = {Line: "line", Trunk: "trunk"}


class Lines:
    """Of the gateway on `ground`; homes where `placement` says."""

    def __init__(self, ground: Ground, placement: Placement) -> None:
        self.ground = ground
        self.placement = placement
        self.records: dict[str, Line | Trunk] = {}
        self.at_work: dict[str, Peer] = {}

    def changed(self, rows: Iterable[Row]) -> None:
        """Records of the store: new ones go to work, changed ones go on or anew, removed ones are un-registered."""
        for kind, key, record in rows:
            if kind in KINDS:
                self.change(f"{KINDS[kind]}/{key[0]}", record)

    def change(self, member: str, record: Line | Trunk | None) -> None:
        """One of them."""
        self.records.pop(member, None)
        if record is not None:
            self.records[member] = record
        former = self.at_work.get(member)
        if former is not None and record is not None and former.goes_on_with(record):
            return
        self.at_work.pop(member, None)
        if record is not None and self.is_home(member):
            self.start(member, former)
        elif former is not None:
            former.close()

    def is_home(self, member: str) -> bool:
        """Is it at work here?"""
        return self.placement.home(member) == self.ground.me and bool(server_of(self.records[member]))

    def start(self, member: str, former: Peer | None = None) -> None:
        """Register it, or ask after it, instead of `former`."""
        record = self.records[member]
        work: type[LineAtWork] | type[TrunkAtWork] = LineAtWork if isinstance(record, Line) else TrunkAtWork
        peer = self.at_work[member] = work(member, record, self.ground)  # type: ignore[arg-type]
        if former is not None:
            peer.follow(former)
            former.close()
        peer.start()

    def moved(self, members: Members) -> None:
        """Homes have changed: some are at work here from now on, some elsewhere. Who has them on the same machine
        registers the same contact, which an un-REGISTER that comes late would take away."""
        for member in self.records:
            if not self.is_home(member) and member in self.at_work:
                peer = self.at_work.pop(member)
                peer.followed = is_neighbour(members, self.ground.me, self.placement.home(member))
                peer.close()
            elif self.is_home(member) and member not in self.at_work:
                self.start(member)

    def place(self, member: str, caller: str, number: str) -> Answer:
        """Where it takes a call (see `Here`)."""
        peer = self.at_work.get(member)
        if peer is None:
            return f"{member} does not exist, or has no server"
        place = peer.place(caller, number)
        return place if isinstance(place, str) else [place, peer.record.max_outgoing]

    def account(self, member: str) -> Account:
        """How requests to it are proved (see `Here`)."""
        record = self.records.get(member)
        return None if record is None else (record.user, record.secret)

    def shun(self, member: str, server: Server) -> None:
        """A server of it took no call (see `Here`)."""
        peer = self.at_work.get(member)
        if peer is not None:
            peer.shun(server)

    def event(self, event: Any) -> None:
        """The answer to a request of one of them, or none."""
        _, member, ticket = event.key
        peer = self.at_work.get(member)
        if peer is not None:
            TAKE[type(event)](peer, ticket, event)

    def rows(self) -> list[list[Any]]:
        """Those that are at work here."""
        return [peer.row() for peer in self.at_work.values()]

    def close(self) -> None:
        """Un-register all."""
        for peer in self.at_work.values():
            peer.close()


def is_neighbour(members: Members, host: str, other: str) -> bool:
    """Are they on one machine?"""
    one, two = members.hosts.get(host), members.hosts.get(other)
    return one is not None and two is not None and one.node == two.node


TAKE = {
    ResponseReceived: lambda peer, ticket, event: peer.responded(ticket, event.response),
    TimedOut: lambda peer, ticket, event: peer.failed(ticket, "silence"),
    Unreachable: lambda peer, ticket, event: peer.failed(ticket, "cannot be sent to"),
}
