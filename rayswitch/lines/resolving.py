"""From a SIP URI to the servers behind it (RFC 3263 §4, RFC 2782): which transport, which addresses, in which order.

`servers_of` is a generator: it yields a `Question`, is sent the records that answer it, and returns the servers.  So it
waits for nothing and opens nothing, and a test plays the name server.

    numeric host            → that address
    port given              → A and AAAA
    transport given         → SRV of that transport, else A and AAAA
    neither                 → NAPTR, else SRV of every transport we have, else A and AAAA

The order among equals of an SRV set is drawn by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from rayswitch.sip.uri import Uri


class Question(NamedTuple):
    """A name, without the dot at its end, and the type of the records that are wanted."""

    name: str
    type: str


class Naptr(NamedTuple):
    """RFC 3403 §4.1; of the record only what RFC 3263 §4.1 looks at."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


class Server(NamedTuple):
    """Where a request can be sent."""

    transport: str
    host: str
    port: int


Answers = Sequence[Any]
"""Naptr, Srv, or addresses as text, by what was asked for; empty when there is nothing of that name and type."""
Steps = Generator[Question, Answers, list[Server]]

UDP, TCP, TLS = "UDP", "TCP", "TLS"
SERVICES = {"SIP+D2U": UDP, "SIP+D2T": TCP, "SIPS+D2T": TLS}
PREFIXES = {UDP: "_sip._udp.", TCP: "_sip._tcp.", TLS: "_sips._tcp."}
PORTS = {UDP: 5060, TCP: 5060, TLS: 5061}
FAMILIES = {"A": 4, "AAAA": 6}
MOST_SERVERS = 16
"""A name with a thousand addresses is a mistake, or an attack."""


def servers_of(uri: Uri, transports: Sequence[str], families: Sequence[int], chance: Callable[[], float]) -> Steps:
    """The servers for requests to `uri`, best first.

    `transports` are those that we have, the one we like best first, `families` likewise (4, 6); `chance` gives numbers
    from 0 to 1.
    """
    allowed = [name for name in transports if allows(uri, name)]
    if not allowed:
        return []
    if numeric(uri.host) or uri.port:
        default = PORTS[allowed[0]]
        return (yield from at(uri.host, uri.port or default, allowed[0], families))
    for transport, name in (yield from ways(uri, allowed)):
        servers = yield from behind(name, transport, families, chance)
        if servers is not None:
            return servers
    return (yield from at(uri.host, PORTS[allowed[0]], allowed[0], families))


def allows(uri: Uri, transport: str) -> bool:
    """May a request to `uri` go over this transport (§4.1)?  Without a wish numbers and ports mean UDP."""
    if uri.scheme == "sips":
        return transport == TLS
    wish = uri.transport
    if wish is not None:
        return transport == wish
    return transport == UDP or not (numeric(uri.host) or uri.port)


def ways(uri: Uri, allowed: Sequence[str]) -> Generator[Question, Answers, list[tuple[str, str]]]:
    """(transport, name of an SRV set) in the order in which they are to be tried."""
    if uri.transport is None:
        records = yield Question(uri.host, "NAPTR")
        fit = [record for record in sorted(records) if usable(record, allowed)]
        if fit:
            return [(SERVICES[record.service.upper()], record.replacement) for record in fit]
    return [(transport, PREFIXES[transport] + uri.host) for transport in allowed]


def usable(record: Naptr, allowed: Sequence[str]) -> bool:
    """Does it lead to an SRV set of a transport we may use?"""
    return record.flags.lower() == "s" and SERVICES.get(record.service.upper()) in allowed


def behind(
    name: str, transport: str, families: Sequence[int], chance: Callable[[], float]
) -> Generator[Question, Answers, list[Server] | None]:
    """The servers of an SRV set; None when there is no such set, none at all when it says that there is no service."""
    records = yield Question(name, "SRV")
    if not records:
        return None
    servers: list[Server] = []
    for record in by_weight(records, chance):
        if record.target and len(servers) < MOST_SERVERS:  # an empty target, the root: decidedly not there
            servers += yield from at(record.target, record.port, transport, families)
    return servers


def at(host: str, port: int, transport: str, families: Sequence[int]) -> Steps:
    """One server for each address of a host."""
    if numeric(host):
        return [Server(transport, host, port)] if ip_address(host).version in families else []
    servers = []
    for family in families:
        kind = "A" if family == 4 else "AAAA"
        addresses = yield Question(host, kind)
        servers += [Server(transport, address, port) for address in addresses[:MOST_SERVERS]]
    return servers


def by_weight(records: Sequence[Srv], chance: Callable[[], float]) -> list[Srv]:
    """RFC 2782: by priority; among equals by lot, a weight twice as high wins twice as often."""
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    ordered = []
    while left:
        equals = [record for record in left if record.priority == left[0].priority]
        drawn = draw(equals, chance())
        left.remove(drawn)
        ordered.append(drawn)
    return ordered


def draw(records: Sequence[Srv], chance: float) -> Srv:
    """One of them by weight; one without a weight has a small chance when others have one."""
    point = chance * sum(record.weight for record in records)
    for record in records:
        point -= record.weight
        if point <= 0:
            return record
    return records[-1]


def numeric(host: str) -> bool:
    """An address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
