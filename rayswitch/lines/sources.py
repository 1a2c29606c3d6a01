"""Whose call is it that comes from outside? Lines and trunks by where calls come from, pure and without a look-up.

What a call shows, the strongest first; of several that fit, the one with more of it wins, and the first in a draw:

    certificate   a name in the verified certificate of its TLS connection is that of the record
    account       the user in the Request-URI is the account of the line: only its registrar knows that contact
    port          it comes over UDP from the very port of a server, or of an entry in `addresses`
    network       the longer the prefix that its address is in, the better; a single address is best

A server counts with its address alone, too: many peers send from another port than they listen at, and over TCP and TLS
every connection has another one. An entry in `addresses` that names a port has been written by somebody who means it:
over UDP no other port fits. The servers of a record are those that its name led to when it was looked up last. A record
that states a `certificate` or an `incoming_user` is not known by its servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from rayswitch.lines.resolving import PORTS, Server, numeric
from rayswitch.records.lines import Line, Trunk, address_and_port
from rayswitch.sip.uri import Uri

__all__ = ["Sources", "account_of", "server_of"]

MOST_KNOWN = 10_000
UDP = "UDP"


class Place(NamedTuple):
    """Where calls of a member come from; `port` 0: any; `strict`: over UDP from no other port."""

    network: IPv4Network | IPv6Network
    port: int
    strict: bool


class Sign(NamedTuple):
    """That an address is in a place of `member`, whose `account` is looked for in the Request-URI."""

    member: str
    account: str
    port: int
    strict: bool
    length: int


class Sources:
    """Of all lines and trunks that there are."""

    def __init__(self) -> None:
        self.records: dict[str, Line | Trunk] = {}
        self.places: dict[str, list[Place]] = {}
        self.found: dict[str, list[Server]] = {}
        """What each name was resolved to last, by the server as the records write it."""
        self.certified: dict[str, list[str]] = {}
        """Members by the name in their certificates."""
        self.users: dict[str, str] = {}
        """Members by the user that they prove to be."""
        self.known: dict[str, list[Sign]] = {}
        """Signs by the address that calls came from: looking through all networks for each INVITE would be dear."""

    def change(self, rows: Mapping[str, Line | Trunk | None]) -> None:
        """Records that are new, others, or no more (None)."""
        for member, record in rows.items():
            self.places.pop(member, None)
            if record is None:
                self.records.pop(member, None)
            else:
                self.records[member] = record
                self.places[member] = self.places_of(record)
        self.certified.clear()
        self.users.clear()
        for member, record in self.records.items():
            if record.certificate:
                self.certified.setdefault(record.certificate, []).append(member)
            if isinstance(record, Trunk) and record.incoming_user:
                self.users.setdefault(record.incoming_user, member)
        self.known.clear()

    def names(self) -> set[str]:
        """Servers whose addresses have to be looked up."""
        return {
            server_of(record)
            for record in self.records.values()
            if counts(record) and not numeric(Uri.parse(server_of(record)).host)
        }

    def learn(self, server: str, servers: Iterable[Server]) -> None:
        """What a server's name leads to now; nothing when nobody asks for it any more."""
        found = list(servers)
        if found == self.found.get(server, []):
            return
        self.found[server] = found
        for member, record in self.records.items():
            if server_of(record) == server:
                self.places[member] = self.places_of(record)
        self.known.clear()

    def places_of(self, record: Line | Trunk) -> list[Place]:
        """Where calls of one come from."""
        places = [place_of(text) for text in record.addresses]
        if counts(record):
            places += [Place(ip_network(host), port, False) for _, host, port in self.servers_of(server_of(record))]
        return places

    def servers_of(self, server: str) -> list[Server]:
        """At the addresses that are written, or were found."""
        uri = Uri.parse(server)
        if not numeric(uri.host):
            return self.found.get(server, [])
        transport = uri.transport or ("TLS" if uri.scheme == "sips" else UDP)
        return [Server(transport, uri.host, uri.port or PORTS.get(transport, PORTS[UDP]))]

    def signs(self, host: str) -> list[Sign]:
        """Those whose calls come from this address."""
        signs = self.known.get(host)
        return self.look(host) if signs is None else signs

    def member(self, signs: list[Sign], transport: str, port: int, names: Sequence[str], user: str) -> str | None:
        """Whose call to `user` it is that comes from an address with these `signs`, and `port`; `names` are those of
        the verified certificate."""
        if transport != UDP:
            port = 0
        shown = [
            (sign.member, (False, sign.account == user != "", sign.port == port != 0, sign.length))
            for sign in signs
            if not (sign.strict and port and sign.port != port)
        ]
        shown += [
            (member, (True, account_of(self.records[member]) == user != "", False, 0))
            for name in names
            for member in self.certified.get(name, ())
        ]
        return max(shown, key=lambda one: one[1])[0] if shown else None

    def look(self, host: str) -> list[Sign]:
        """The same, through all networks."""
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        address = plain(host)
        found = self.known[host] = [
            Sign(member, account_of(self.records[member]), place.port, place.strict, place.network.prefixlen)
            for member, places in self.places.items()
            for place in places
            if address in place.network
        ]
        return found


def plain(host: str) -> IPv4Address | IPv6Address:
    """The address; an IPv4 address in IPv6 clothes counts as what it is."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def place_of(text: str) -> Place:
    """An entry of `addresses`."""
    host, port = address_and_port(text)
    return Place(ip_network(host, strict=False), port, bool(port))


def counts(record: Line | Trunk) -> bool:
    """Is it known by its server?"""
    digest = isinstance(record, Trunk) and record.incoming_user
    return bool(server_of(record)) and not record.certificate and not digest


def server_of(record: Line | Trunk) -> str:
    """Where its requests go, "" for one that only takes calls."""
    return (record.proxy or record.registrar) if isinstance(record, Line) else record.server


def account_of(record: Line | Trunk) -> str:
    """The user that its registrar knows it by."""
    return (record.number or record.user) if isinstance(record, Line) else ""
