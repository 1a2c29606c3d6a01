"""A SIP gateway process: sockets and transactions, the front, and the entities that are placed in gateways."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

from actors.call import CallShell
from actors.callers import Callers
from actors.composition.parts import Parts, Process
from actors.composition.stored import StoredParts
from actors.directory_feed import DirectoryFeed
from actors.front import Front
from actors.link import Links
from actors.member_feed import MemberFeed
from actors.outside.lines import Lines
from actors.outside.peer import Ground
from actors.peers import LinkPeers
from actors.protection import Protection
from actors.registration import RegistrationShell
from actors.routing import Router
from actors.sip_port import LocalSip, RemoteSip, carry_out
from actors.trace_feed import TraceFeed
from actors.unanswered import Unanswered
from actors.warm_calls import WarmCalls
from gateways.names import Names
from gateways.sip.certificates import LOOK_SECONDS, Certificates
from gateways.sip.gateway import SipGateway
from gateways.sip.sockets import SipSockets
from gateways.sip.tcp import TcpLimits
from gateways.wheel import Wheel
from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.leg import hostport
from rayswitch.config import Config
from rayswitch.sip.digest import Nonces
from rayswitch.sip.flow import Flow
from rayswitch.sip.machine import Timers
from rayswitch.sip.message import Request
from rayswitch.sip.transactions import TransactionLayer
from rayswitch.store import writes

NONCE_LIFETIME = 300.0
"""Seconds a phone may use one nonce before it is asked again, with stale=true."""


async def sip_process(me: str, config: Config, links: Links, feed: MemberFeed) -> Process:
    """Everything of SipGateway `me`."""
    parts = StoredParts(me, config, links, feed)
    peers = LinkPeers(me, links)
    feed.watch(peers.follow)
    gateway = make_gateway(parts, peers)
    await asyncio.to_thread(parts.refresh)
    directory = DirectoryFeed(config, links, parts.recall)
    await asyncio.to_thread(directory.load)
    callers = callers_of(parts, directory, gateway, await authenticator_of(parts, directory))
    unanswered = Unanswered(me, gateway, links, parts.calls.exists, callers.authenticator.tag)
    front = Front(gateway, me, callers, parts.location, parts.calls, unanswered, parts.wall)
    router = Router(directory.directory, parts.outgoing, gateway.sockets.outline, Random().random)
    router.serve(links)
    ground = ground_of(parts, gateway)
    lines = front.lines = Lines(ground, parts.line_homes)
    parts.outgoing.serve(lines)
    callers.look_up(ground)
    protection = Protection(config, gateway, callers.authenticator, peers, links, parts.recall, parts.wall)
    directory.follow(protection.listed)
    directory.follow(router.changed)
    directory.follow(callers.changed)
    registrations, calls = await homes(parts, gateway, router)
    serve_remote(gateway, links)
    await parts.follow()
    TraceFeed(gateway, links, parts.wall)
    parts.lists(calls, registrations, lines.rows)

    async def drain() -> None:
        await parts.drain(calls)
        lines.close()

    async def close() -> None:
        callers.close()
        await gateway.close()
        await parts.close()

    try:
        await gateway.start()
    except OSError:
        await close()
        raise
    await protection.start()
    directory.follow(lines.changed)  # once there are sockets to register over
    feed.watch(lines.moved)

    def status() -> dict[str, Any]:
        figures = gateway.counters() | parts.condition() | protection.guard.counters()
        return figures | counted(front, calls, registrations)

    return Process(gateway.listeners(), status, drain, close)


def callers_of(
    parts: StoredParts, directory: DirectoryFeed, gateway: SipGateway, authenticator: Authenticator
) -> Callers:
    """Who calls; strangers that are refused are recorded."""
    callers = Callers(authenticator, directory.directory, gateway)
    callers.wall = parts.wall
    callers.write = lambda rows: parts.writes.append(*map(writes.add_cdr, rows))
    return callers


async def authenticator_of(parts: StoredParts, directory: DirectoryFeed) -> Authenticator:
    """Who is who; the secret behind the nonces is that of all gateways."""
    secret = await asyncio.to_thread(parts.recall.secret, "nonce")
    ids, nonces = parts.identifiers(parts.me), Nonces(secret, parts.me, NONCE_LIFETIME)
    return Authenticator(parts.config.domain, directory.directory, nonces, ids.tag(ids.call(), 0))


async def homes(
    parts: StoredParts, gateway: SipGateway, router: Router
) -> tuple[RegistrationShell | None, CallShell | None]:
    """Registrations and calls, where they are placed in gateways."""
    registrations: RegistrationShell | None = None
    calls: CallShell | None = None
    if parts.location.placement.letter == "s":
        registrations = await parts.serve_registrations(lambda uri, flow: keep_alive(gateway, uri, flow))
    if parts.calls.placement.single:
        parts.calls.warm = WarmCalls(parts.links, parts.clock)
    if parts.calls.placement.letter == "s":
        sip = LocalSip(parts.me, gateway, RemoteSip(parts.me, parts.links))
        calls = await parts.serve_calls(sip, router)
    return registrations, calls


def counted(front: Front, calls: CallShell | None, registrations: RegistrationShell | None) -> dict[str, Any]:
    """What lives here, and what has failed."""
    return {
        "calls": calls.open_calls() if calls else 0,
        "registrations": registrations.count() if registrations else 0,
        "authentication_failures": front.authenticator.failures,
        "strangers": front.callers.strangers,
        "failures": front.failures,
    }


def ground_of(parts: Parts, gateway: SipGateway) -> Ground:
    """What lines and trunks stand on."""
    config = parts.config
    listen = config.sip.listen
    transports = [name for name in ("UDP", "TCP", "TLS") if any(one.transport.upper() == name for one in listen)]
    families = sorted({one.family for one in listen})
    names = Names(config.sip.name_servers, parts.clock)
    return Ground(parts.me, gateway, names, parts.wheel, parts.alarms, transports, families)


def make_gateway(parts: Parts, peers: LinkPeers) -> SipGateway:
    """Sockets, transactions and their shell; numbers of transactions never repeat those of an earlier process."""
    config, me = parts.config, parts.me
    limits = config.limits
    certificates = Certificates(config.sip.tls) if config.sip.tls.certificate else None
    if certificates is not None:
        watch(certificates, parts.wheel)
    layer = TransactionLayer(parts.identifiers(me), Timers(t1=config.sip.t1), first=time.time_ns() >> 10)

    def sockets(gateway: SipGateway) -> SipSockets:
        return SipSockets(
            me,
            config.sip.listen,
            gateway.arrived,
            gateway.flow_failed,
            parts.wheel,
            TcpLimits(limits.tcp_connections, limits.tcp_idle, limits.tcp_half_open, limits.tcp_per_source),
            gateway.refuse,
            gateway.loaded,
            certificates,
        )

    gateway = SipGateway(me, layer, parts.wheel, parts.clock, sockets, peers)
    peers.serve(gateway.forwarded, gateway.send, gateway.cancel_forwarded)
    return gateway


def watch(certificates: Certificates, wheel: Wheel) -> None:
    """Read the certificates again when they change."""
    certificates.refresh()
    wheel.start(LOOK_SECONDS, watch, certificates, wheel)


def serve_remote(gateway: SipGateway, links: Links) -> None:
    """Perform the SIP effects of calls and the keep-alives of registrations that live elsewhere."""
    links.on("sip", lambda peer, payload: carry_out(gateway, peer, *payload))
    links.on("sip.keep-alive", lambda peer, payload: keep_alive(gateway, *payload))


def keep_alive(gateway: SipGateway, uri: str, flow: Flow) -> None:
    """An OPTIONS whose answer nobody waits for: all it has to do is to pass the NAT."""
    ids = gateway.layer.ids
    request = Request.new(
        "OPTIONS",
        uri,
        [
            ("max-forwards", "70"),
            ("from", f"<sip:keep-alive@{hostport(flow.local)}>;tag={ids.token(4).hex()}"),
            ("to", f"<{uri}>"),
            ("call-id", ids.call_id()),
            ("cseq", "1 OPTIONS"),
        ],
    )
    gateway.send_stateless(request, flow)
