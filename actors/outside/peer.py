"""What a line and a trunk have in common: the servers behind a name, requests to them, and the place of a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import count
from typing import Any

from actors.alarms import Alarms
from gateways.names import Names
from gateways.sip.gateway import SipGateway
from gateways.wheel import Wheel
from rayswitch.calls.features.naming import uri_of
from rayswitch.calls.leg import hostport
from rayswitch.calls.routing.route import Place
from rayswitch.lines.resolving import Server
from rayswitch.lines.servers import Servers
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response
from rayswitch.sip.uri import Uri

__all__ = ["Ground", "Peer"]

log = logging.getLogger(__name__)

BUSY = 503
TICKETS = count(1)


class Ground:
    """What they stand on: one a gateway. `transports` and `families` that it has listeners for, the best first."""

    def __init__(
        self,
        me: str,
        gateway: SipGateway,
        names: Names,
        wheel: Wheel,
        alarms: Alarms,
        transports: Sequence[str],
        families: Sequence[int],
    ) -> None:
        self.me = me
        self.gateway = gateway
        self.names = names
        self.wheel = wheel
        self.alarms = alarms
        self.transports = transports
        self.families = families


class Peer:
    """One of them; `uri` is where its requests go."""

    def __init__(self, member: str, record: Line | Trunk, uri: str, ground: Ground) -> None:
        self.member = member
        self.record = record
        self.uri = Uri.parse(uri)
        self.ground = ground
        self.servers = Servers()
        self.left: list[Server] = []
        """Servers that the request under way has not been sent to yet."""
        self.asked: tuple[int, Request] | None = None
        """The request under way."""
        self.ticket = 0
        """Of its transaction, and of no other: a late answer to a former peer of this name is none to us."""
        self.followed = False
        """Does another one take over what is registered?"""
        self.closed = False
        self.task: asyncio.Task[None] | None = None

    def goes_on_with(self, record: Line | Trunk) -> bool:
        """Its record has changed: does it go on, with the new one?"""
        return False

    def follow(self, former: Peer) -> None:
        """It takes the place of one whose record has changed, and that is closed next."""

    def start(self) -> None:
        """Find the servers, now and whenever what the name server said is over."""
        if not self.closed:
            self.task = asyncio.get_running_loop().create_task(self.resolve())

    async def resolve(self) -> None:
        """By RFC 3263."""
        ground = self.ground
        found, seconds = await ground.names.servers_of(self.uri, ground.transports, ground.families, self.member)
        if self.closed:
            return
        self.servers.learn(found)
        ground.wheel.start(seconds, self.start)
        self.resolved()

    def resolved(self) -> None:
        """The servers are known, or there is none."""

    def ways(self) -> list[Flow]:
        """To its servers, in the order in which they are to be tried: those that a listener of ours reaches."""
        gateway = self.ground.gateway
        servers = self.servers.order(gateway.clock())
        flows = (gateway.sockets.outline(server.transport, (server.host, server.port)) for server in servers)
        return [flow for flow in flows if flow is not None]

    def way(self) -> Flow | None:
        """To the server that is to be tried first; None when there is none that a listener of ours reaches."""
        return next(iter(self.ways()), None)

    def shun(self, server: Server) -> None:
        """It took no call: one that stands beside others is tried last for a while (RFC 3263 §4.3)."""
        if server in self.servers.known:
            self.servers.fail(server, self.ground.gateway.clock())

    # -- requests ------------------------------------------------------------------------------------------------------

    def send(self, number: int, request: Request) -> None:
        """To the first server; to the next one when that does not answer."""
        self.asked = (number, request)
        self.left = self.servers.order(self.ground.gateway.clock())
        self.try_next("no server is known")

    def try_next(self, why: str) -> None:
        """The next server gets it, or nobody has answered."""
        gateway, asked = self.ground.gateway, self.asked
        if asked is None:
            return
        while self.left:
            server = self.left[0]
            flow = gateway.sockets.flow_to(server.transport, (server.host, server.port))
            if flow is not None:
                self.ticket = next(TICKETS)
                gateway.request((self.ground.me, self.member, self.ticket), asked[1].copy(), flow)
                return
            self.left.pop(0)
            why = f"no listener of ours reaches {server.host}"
        self.asked = None
        self.unanswered(asked[0], why)

    def responded(self, ticket: int, response: Response) -> None:
        """503 is for that server alone (RFC 3263 §4.3)."""
        if self.closed or self.asked is None or self.ticket != ticket or response.status < 200:
            return
        if response.status == BUSY and len(self.left) > 1:
            self.failed(ticket, "503")
            return
        if self.left:
            self.servers.works(self.left[0])
        number, _ = self.asked
        self.asked = None
        self.answered(number, response)

    def failed(self, ticket: int, why: str) -> None:
        """That server is out of order."""
        if self.closed or self.asked is None or self.ticket != ticket:
            return
        server = self.left.pop(0)
        self.servers.fail(server, self.ground.gateway.clock())
        self.try_next(f"no answer from {server.host} ({why})")

    def answered(self, number: int, response: Response) -> None:
        """By whichever server."""

    def unanswered(self, number: int, why: str) -> None:
        """By none."""

    # -- calls ---------------------------------------------------------------------------------------------------------

    def trouble(self) -> str:
        """Why it takes no calls; "" when it does."""
        return ""

    def place(self, caller: str, number: str) -> Place | str:
        """Where a call to `number` goes, or why it cannot."""
        record, trouble, ways = self.record, self.trouble(), self.ways()
        if trouble or not ways:
            return f"{self.member} {trouble or 'cannot be reached'}"
        shown = record.unified_caller or {"account": self.account(), "anonymous": "anonymous"}.get(record.caller, "")
        parameters = f";{record.uri_parameters}" if record.uri_parameters else ""
        host = hostport((self.uri.host, self.uri.port)) if self.uri.port else self.uri.host
        return Place(
            uri_of(number, host, record.number_format) + parameters,
            ways[0],
            self.route(),
            record.domain or self.uri.host,
            record.no_answer,
            record.media == "bypass",
            shown,
            record.user,
            record.secret,
            record.assert_identity,
            record.number_format,
            ways[1:],
        )

    def account(self) -> str:
        """The number of the account."""
        return getattr(self.record, "number", "") or self.record.user

    def route(self) -> list[str]:
        """Route headers of its calls."""
        return []

    def row(self) -> list[Any]:
        """[member, state, detail, server] for people."""
        flow, trouble = self.way(), self.trouble()
        server = f"{flow.transport} {hostport(flow.remote)}" if flow else ""
        return [self.member, "down" if trouble else "up", trouble, server]

    def close(self) -> None:
        """It is no more."""
        self.closed = True
        if self.task is not None:
            self.task.cancel()
