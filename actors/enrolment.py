"""How a process gets its certificates for links to other nodes, and keeps them fresh.

The first one it asks for by a Ray call to the Switchboard, in a thread, because nobody would take its word on a
link; the answer also says where the Switchboard is. Later ones, at about half the life of the last, go over the link;
then all links to other nodes get new connections, so that none outlives what proved it. While there is no link to
the Switchboard (it may be on another node by now, or our certificate may be of an authority that was replaced),
Ray is asked again every few seconds. Every request is for a new key.

"links.renew" comes from the Switchboard when the authority is replaced (``link_authority.py``); Ray is asked then, too.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from actors.address_book import Endpoints
from actors.connection import Connection
from actors.credentials import Credentials
from actors.link import LinkError, Links
from actors.placement import SWITCHBOARD
from actors.tasks import Tasks

__all__ = ["Ask", "Enrolment", "Grant", "Refused"]

RETRY_FIRST, RETRY_MOST = 0.1, 5.0
LOST_SECONDS = 1.0  # without a link to the Switchboard, before Ray is asked where it is
LOOK_SECONDS = 0.5
SUCCESSION_SECONDS = 1.5
RENEWAL = (0.4, 0.6)  # parts of a certificate's life: not all processes in the same second
REFRESH_SECONDS = 0.02  # between two handshakes of a process: calls come first
ASK_SECONDS = 3.0

log = logging.getLogger(__name__)


class Grant(NamedTuple):
    """What a host gets: its certificate for `life` seconds, whom to believe, and where the Switchboard is."""

    certificate: str
    trusted: Sequence[str]
    life: float
    switchboard: Sequence[Any]  # its Endpoints
    epoch: int  # of the Switchboard


class Refused(NamedTuple):
    """Instead: that host is over; the lowest epoch that would do."""

    floor: int


Ask = Callable[[str, int, str], Awaitable[Sequence[Any]]]
"""Host, epoch and request; the fields of a Grant or Refused come back, or an exception is raised."""


class Enrolment:
    """For the process of these links; `ask` is the way to the authority that needs no link."""

    def __init__(self, links: Links, ask: Ask) -> None:
        self._links = links
        self._ask = ask
        self._life = 0.0
        self._due = 0.0  # loop time of the next certificate
        self._tasks = Tasks()
        links.on("links.renew", self._follow)

    async def begin(self, address: str, ports: Iterable[int]) -> Endpoints:
        """Get the first certificate, however long it takes, and listen. Raises OSError: no such address, no port."""
        delay = RETRY_FIRST
        while not await self._tried(self._ask):
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)
        endpoints = self._links.peering.sockets.listen_tcp(address, ports)
        self._tasks.spawn(self._keep())
        return endpoints

    def close(self) -> None:
        """Renew nothing any more."""
        self._tasks.cancel()

    async def _tried(self, ask: Ask) -> bool:
        try:
            await self._renew(ask)
        except Exception as error:  # of Ray, of the store, of the link: the next try may do
            log.warning("%s: no certificate for links yet: %s", self._links.me, str(error) or type(error).__name__)
            return False
        return True

    async def _renew(self, ask: Ask) -> None:
        from actors.certificates import new_request  # 11 MB that a switch on one node need not have

        links = self._links
        key, request = await asyncio.to_thread(new_request)
        answer = await ask(links.me, links.epoch, request)
        if len(answer) == len(Refused._fields):
            links.peering.be_fenced(Refused(*answer).floor)
            raise LinkError("this process is over")
        grant = Grant(*answer)
        links.peering.sockets.credentials = Credentials(grant.certificate, key, grant.trusted)
        if links.me != SWITCHBOARD:
            links.book.update(SWITCHBOARD, Endpoints(*grant.switchboard), grant.epoch)
        self._life = grant.life
        self._due = asyncio.get_running_loop().time() + self._life * random.uniform(*RENEWAL)

    async def _by_link(self, host: str, epoch: int, request: str) -> Sequence[Any]:
        if host == SWITCHBOARD:
            return await self._ask(host, epoch, request)
        answer: Sequence[Any] = await self._links.ask(SWITCHBOARD, "links.certificate", request, ASK_SECONDS)
        return answer

    # The time after.

    async def _keep(self) -> None:
        """Fresh at half its life; found again when the Switchboard is lost."""
        lost, wait = 0.0, LOST_SECONDS
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._links.alive(SWITCHBOARD):
                lost += LOOK_SECONDS
                if lost >= wait:
                    await self._tried(self._ask)
                    lost, wait = 0.0, min(wait * 2, RETRY_MOST)
                continue
            lost, wait = 0.0, LOST_SECONDS
            if asyncio.get_running_loop().time() < self._due:
                continue
            if await self._tried(self._by_link) or await self._tried(self._ask):
                await self._refresh()
            else:
                await asyncio.sleep(min(self._life / 20, RETRY_MOST))

    async def _refresh(self) -> None:
        """New connections for all links to other nodes, one after the other."""
        peering = self._links.peering
        for peer in peering.peers():
            connection = peer.connection
            if connection is not None and connection.seen is not None:
                peering.renew(lambda one, old=connection: one is old)  # type: ignore[misc]
                await asyncio.sleep(REFRESH_SECONDS)

    async def _follow(self, peer: str, final: bool) -> list[str]:
        """The authority was replaced: a new certificate; `final`: and no link that the old one had a part in."""
        if peer != SWITCHBOARD:
            raise LinkError(f"{peer} does not say whom to believe")
        await self._renew(self._ask)  # the link may be somebody's who has the old authority's key: it proves nothing
        if not final:
            return []
        peering, end = self._links.peering, asyncio.get_running_loop().time() + SUCCESSION_SECONDS
        peering.renew(self._outdated)
        while self._any_outdated() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
        return peering.cut(self._outdated)

    def _outdated(self, connection: Connection) -> bool:
        credentials = self._links.peering.sockets.credentials
        if connection.seen is None or credentials is None:
            return False
        return not credentials.issuers.issuperset((connection.seen.issuer, connection.shown))

    def _any_outdated(self) -> bool:
        found = (peer.connection for peer in self._links.peering.peers())
        return any(self._outdated(connection) for connection in found if connection is not None)
