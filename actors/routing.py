"""The dial plan at work: a gateway decides over its own copies, other processes ask the gateway of the call.

What the pure decision leaves open is settled here, because it takes counters and sockets: in which order the members of
a group are tried, and over which flow an extension is reached that never registers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from actors.link import LinkError, Links
from actors.occupancy import OccupancyDesk
from actors.outside.outgoing import Outgoing
from actors.tasks import Tasks
from rayswitch.calls.carried import user_part
from rayswitch.calls.directory import Directory
from rayswitch.calls.leg import hostport
from rayswitch.calls.routing.choosing import LEAST_LOADED, Chooser
from rayswitch.calls.routing.pipeline import decide
from rayswitch.calls.routing.route import GROUP, REJECT, Dialled, Route
from rayswitch.calls.routing.tables import Row, Tables
from rayswitch.sip.flow import Address, Flow

log = logging.getLogger(__name__)

TOPIC = "route"
ASK_SECONDS = 2.0
Done = Callable[[Route], None]


class Routing(Protocol):
    """Finds routes for calls."""

    def route(self, gateway: str, dialled: Dialled, done: Done) -> None:
        """`done(route)`, at once or later; `gateway` is the one that has the call."""


class Numbers(NamedTuple):
    """What a call needs on its way from a number to a device: where to, whether it may, who takes it outside."""

    routing: Routing
    occupancy: OccupancyDesk
    outgoing: Outgoing


class Router:
    """Decides here; `towards(transport, address)` is the flow to an address."""

    def __init__(
        self,
        directory: Directory,
        outgoing: Outgoing,
        towards: Callable[[str, Address], Flow | None],
        chance: Callable[[], float],
    ) -> None:
        """`chance` gives numbers from 0 to 1."""
        self.directory = directory
        self.outgoing = outgoing
        self.towards = towards
        self.chance = chance
        self.tables = Tables()
        self.chooser = Chooser()

    def changed(self, rows: Iterable[Row]) -> None:
        """Records have changed: calls that begin from now on see it."""
        self.tables = self.tables.changed(rows)

    def serve(self, links: Links) -> None:
        """Answer processes that have no copies."""
        links.on(TOPIC, self.asked)

    def asked(self, peer: str, dialled: Dialled) -> asyncio.Future[Route]:
        """From a call that lives elsewhere."""
        future: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
        self.route("", dialled, lambda route: None if future.done() else future.set_result(route))
        return future

    def route(self, gateway: str, dialled: Dialled, done: Done) -> None:
        """At once, unless lines have to be asked how busy they are."""
        route = decide(self.tables, self.directory, dialled, self.chance)
        if route.kind == GROUP:
            self.order(route, done)
            return
        if route.address:
            route.contacts = self.contacts(route)
        done(route)

    def order(self, route: Route, done: Done) -> None:
        """The members in the order in which they are to be tried."""
        group = self.tables.groups[route.name]

        def ordered(loads: list[int]) -> None:
            route.members = self.chooser.order(group, loads)
            done(route)

        if group.choose == LEAST_LOADED:
            self.outgoing.loads(group.members, ordered)
        else:
            ordered([])

    def contacts(self, route: Route) -> list[list[object]]:
        """The one device of an extension that is tied to an address; none when no listener of ours reaches that."""
        transport, host, port = route.address
        flow = self.towards(transport.upper(), (host, port))
        if flow is None:
            log.warning("%s is at %s %s port %d, which no listener of ours reaches", route.name, *route.address)
            return []
        parameter = "" if transport == "udp" else f";transport={transport}"
        return [[f"sip:{user_part(route.called)}@{hostport((host, port))}{parameter}", list(flow), []]]


class RemoteRouter:
    """Asks the gateway that has the call."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.tasks = Tasks()

    def route(self, gateway: str, dialled: Dialled, done: Done) -> None:
        """Over the link."""
        self.tasks.spawn(self.ask(gateway, dialled, done))

    async def ask(self, gateway: str, dialled: Dialled, done: Done) -> None:
        """Without an answer there is no way."""
        try:
            route: Route = await self.links.ask(gateway, TOPIC, dialled, ASK_SECONDS)
        except LinkError as error:
            log.warning("no route to %s from %s: %s", dialled.called, gateway, error)
            route = Route(REJECT, status=503, reason="No route in time", q850=41)
        done(route)

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        self.tasks.cancel()
