"""A media gateway process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from actors.composition.parts import Process
from actors.link import Links
from actors.member_feed import MemberFeed
from gateways.media.gateway import MediaGateway
from rayswitch.config import Config


async def media_process(me: str, config: Config, links: Links, feed: MemberFeed, seat: int) -> Process:
    """Everything of MediaGateway `me`; the port range is shared out evenly among the media gateways of a node."""
    gateway = MediaGateway(me, addresses(config), share(config, seat), time.monotonic)
    await gateway.start()
    orders: dict[str, Callable[..., Any]] = {
        "lease": lambda peer, need, like, family: gateway.lease(need + spare(gateway, like), family, peer),
        "give_back": lambda peer, ports: gateway.give_back(ports),
        "connect": lambda peer, session, streams: gateway.connect(session, peer, streams),
        "close": lambda peer, session: links.tell(peer, "figures", [session, gateway.close_session(session)]),
        "holding": lambda peer, sessions: gateway.holding(peer, sessions),
    }
    links.on("media", lambda peer, order: orders[order[0]](peer, *order[1:]))
    links.on_up(lambda peer, epoch, new: gateway.released(peer) if new else None)
    if config.media.silence:
        listen(gateway, links, config.media.silence)
    return Process(status=gateway.status, close=gateway.close)


def listen(gateway: MediaGateway, links: Links, seconds: float) -> None:
    """Tell the holders of sessions in which nobody has said anything for so long."""
    for holder, session in gateway.silent(seconds):
        links.tell(holder, "media.silent", [session, seconds])
    asyncio.get_running_loop().call_later(min(LOOK_SECONDS, seconds / LOOKS), listen, gateway, links, seconds)


def spare(gateway: MediaGateway, like: int) -> int:
    """How many ports may be leased ahead of need: what rests in one stock is missing in all others."""
    return min(like, int(gateway.status()["ports_free"]) // STOCKS)


def share(config: Config, index: int) -> range:
    """The ports of media gateway number `index` of a node: an even start, an even number of ports."""
    ports = config.media.ports
    each = (ports.last - ports.first + 1) // config.media.gateways // 2 * 2
    return range(ports.first + index * each, ports.first + (index + 1) * each)


def addresses(config: Config) -> dict[int, str]:
    """Address to give to phones, by family; `auto`: that of the SIP listener, on a wildcard that of the machine."""
    from gateways.sip.sockets import WILDCARDS, family_of, routed

    chosen = dict(config.media.addresses)
    for listener in config.sip.listen if not chosen else ():
        family = family_of(listener.host)
        host = routed(FAR[family]) if listener.host in WILDCARDS else listener.host
        chosen.setdefault(family, host)
    return chosen


LOOK_SECONDS, LOOKS = 10.0, 5
"""How often sessions are looked at, at least so many times in the time that they may be silent."""

STOCKS = 8
"""Of what is free, the part that one question may take ahead."""

FAR = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, 3849): a route look-up towards them gives the address of the default route."""
