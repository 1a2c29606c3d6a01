"""The lines and trunks of a gateway: those whose home it is are at work here; whose calls come in, it knows of all.

A call from outside is known by the address that it comes from: one that its record names, or its server's when that is
written as an address. Of several lines at one carrier it is the one whose account is in the Request-URI.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from actors.outside.desk import Answer
from actors.outside.line import LineAtWork
from actors.outside.peer import Ground, Peer
from actors.outside.trunk import TrunkAtWork
from actors.placement import Placement
from rayswitch.calls.carried import dialled
from rayswitch.calls.routing.tables import Row
from rayswitch.lines.resolving import numeric
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.events import ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.message import Request
from rayswitch.sip.uri import Uri

__all__ = ["Lines", "Source"]

log = logging.getLogger(__name__)

MOST_KNOWN = 10_000
KINDS: dict[type, str] = {Line: "line", Trunk: "trunk"}


class Source(NamedTuple):
    """Whose call it is, and the number that it is for; `trusted`: what it says of the caller counts (RFC 3325)."""

    member: str
    target: str
    trusted: bool = False


class Lines:
    """Of the gateway on `ground`; homes where `placement` says."""

    def __init__(self, ground: Ground, placement: Placement) -> None:
        self.ground = ground
        self.placement = placement
        self.records: dict[str, Line | Trunk] = {}
        self.networks: dict[str, list[IPv4Network | IPv6Network]] = {}
        self.known: dict[str, list[str]] = {}
        """Members by the address that calls came from: looking through all networks for each INVITE would be dear."""
        self.at_work: dict[str, Peer] = {}

    def changed(self, rows: Iterable[Row]) -> None:
        """Records of the store: new ones go to work, changed ones anew, removed ones are un-registered."""
        for kind, key, record in rows:
            if kind in KINDS:
                self.change(f"{KINDS[kind]}/{key[0]}", record)

    def change(self, member: str, record: Line | Trunk | None) -> None:
        """One of them."""
        former = self.at_work.pop(member, None)
        if former is not None:
            former.close()
        self.records.pop(member, None)
        self.networks.pop(member, None)
        self.known.clear()
        if record is None:
            return
        self.records[member] = record
        self.networks[member] = networks_of(record)
        if self.is_home(member):
            self.start(member)

    def is_home(self, member: str) -> bool:
        """Is it at work here?"""
        return self.placement.home(member) == self.ground.me and bool(server_of(self.records[member]))

    def start(self, member: str) -> None:
        """Register it, or ask after it."""
        record = self.records[member]
        work: type[LineAtWork] | type[TrunkAtWork] = LineAtWork if isinstance(record, Line) else TrunkAtWork
        peer = self.at_work[member] = work(member, record, self.ground)  # type: ignore[arg-type]
        peer.start()

    def moved(self) -> None:
        """Homes have changed: some are at work here from now on, some elsewhere."""
        for member in self.records:
            if not self.is_home(member) and member in self.at_work:
                self.at_work.pop(member).close()
            elif self.is_home(member) and member not in self.at_work:
                self.start(member)

    def place(self, member: str, caller: str, number: str) -> Answer:
        """Where it takes a call (see `Here`)."""
        peer = self.at_work.get(member)
        if peer is None:
            return f"{member} does not exist, or has no server"
        place = peer.place(caller, number)
        return place if isinstance(place, str) else [place, peer.record.max_outgoing]

    def source(self, request: Request, host: str) -> Source | None:
        """Whose call this INVITE from `host` is; None: nobody's that we know."""
        members = self.members_at(host) if self.records else None
        if not members:
            return None
        user = dialled(request)
        member = next((name for name in members if user and account_of(self.records[name]) == user), members[0])
        record = self.records[member]
        return Source(member, record.target or user, record.assert_identity == "asserted")

    def members_at(self, host: str) -> list[str]:
        """Those whose calls come from this address."""
        found = self.known.get(host)
        if found is None:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            address = ip_address(host)
            found = self.known[host] = [
                member for member, networks in self.networks.items() if any(address in network for network in networks)
            ]
        return found

    def event(self, event: Any) -> None:
        """The answer to a request of one of them, or none."""
        _, member, number = event.key
        peer = self.at_work.get(member)
        if peer is not None:
            TAKE[type(event)](peer, number, event)

    def rows(self) -> list[list[Any]]:
        """Those that are at work here."""
        return [peer.row() for peer in self.at_work.values()]

    def close(self) -> None:
        """Un-register all."""
        for peer in self.at_work.values():
            peer.close()


def server_of(record: Line | Trunk) -> str:
    """Where its requests go, "" for one that only takes calls."""
    return (record.proxy or record.registrar) if isinstance(record, Line) else record.server


def account_of(record: Line | Trunk) -> str:
    """The user that its registrar knows it by."""
    return (record.number or record.user) if isinstance(record, Line) else ""


def networks_of(record: Line | Trunk) -> list[IPv4Network | IPv6Network]:
    """Where its calls come from."""
    server = server_of(record)
    host = Uri.parse(server).host if server else ""
    return [ip_network(text, strict=False) for text in (*record.addresses, *([host] if numeric(host) else []))]


TAKE = {
    ResponseReceived: lambda peer, number, event: peer.responded(number, event.response),
    TimedOut: lambda peer, number, event: peer.failed(number, "silence"),
    Unreachable: lambda peer, number, event: peer.failed(number, "cannot be sent to"),
}
