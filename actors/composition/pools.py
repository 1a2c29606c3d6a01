"""The processes of the pools: hosts of calls, and homes of registrations, that have no sockets of their own."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.composition.parts import Process
from actors.composition.stored import StoredParts
from actors.link import Links
from actors.member_feed import MemberFeed
from actors.routing import RemoteRouter
from actors.sip_port import RemoteSip
from rayswitch.config import Config
from rayswitch.sip.flow import Flow


async def call_process(me: str, config: Config, links: Links, feed: MemberFeed) -> Process:
    """A host of calls; their SIP goes through the gateways."""
    parts = StoredParts(me, config, links, feed)
    await asyncio.to_thread(parts.refresh)
    calls = await parts.serve_calls(RemoteSip(me, links), RemoteRouter(links))
    await parts.follow()
    parts.lists(calls, None)

    async def drain() -> None:
        await parts.drain(calls)

    def status() -> dict[str, Any]:
        return parts.condition() | {"calls": calls.open_calls()}

    return Process([], status, drain, parts.close)


async def registration_process(me: str, config: Config, links: Links, feed: MemberFeed) -> Process:
    """A home of registrations; keep-alives go out through the gateway that owns the flow."""
    parts = StoredParts(me, config, links, feed)

    def ping(uri: str, flow: Flow) -> None:
        links.tell(flow.gateway or "s0", "sip.keep-alive", [uri, flow])

    await asyncio.to_thread(parts.refresh)
    registrations = await parts.serve_registrations(ping)
    await parts.follow()
    parts.lists(None, registrations)

    def status() -> dict[str, Any]:
        return parts.condition() | {"registrations": registrations.count()}

    return Process([], status, close=parts.close)
