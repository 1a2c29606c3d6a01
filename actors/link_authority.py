"""The authority of the links, as the Switchboard keeps it: grants of certificates, and its replacement.

Key and certificate are in the store (``setting``, key ``links.authority``), made when first asked for. A grant goes to
a host and epoch that nobody has fenced off. The first one of a process is asked for by a Ray call, which only a
process with Ray's token can make; later ones over its link, where host and epoch are those of the link.

``rotate`` puts a new authority in the place of the old one, for when a key may have leaked: first every host gets a
certificate of the new one and believes both, then all believe the new one alone, replace their connections, and cut
those that nobody replaces. Whoever has the old key may have a link as well, so links that the old authority had a
part in get no certificate: the hosts ask by Ray. Who was away meanwhile finds its certificate refused and does the
same. If the Switchboard dies in between, both are believed until `rotate` is called again.
"""

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from actors.enrolment import Grant, Refused
from actors.link import LinkError, Links
from rayswitch.config import Config
from rayswitch.store import Store

if TYPE_CHECKING:
    from actors.certificates import Authority

__all__ = ["LinkAuthority"]

SETTING = "links.authority"
RENEW_SECONDS = 5.0

log = logging.getLogger(__name__)


class LinkAuthority:
    """In the process of the Switchboard, whose links these are."""

    def __init__(self, config: Config, links: Links) -> None:
        self._store = config.store
        self._life = config.links.certificate_life
        self._links = links
        self._authority: Authority | None = None
        self._former: list[str] = []  # certificates of authorities that are still believed
        self._reading = asyncio.Lock()
        self._rotating = asyncio.Lock()
        links.on("links.certificate", self._asked)

    async def grant(self, host: str, epoch: int, request: str) -> Grant | Refused:
        """A certificate. Raises LinkError for a request that is none, StoreError when the key cannot be read."""
        floor = self._links.peering.floor(host)
        if epoch < floor:
            return Refused(floor)
        authority = await self._current()
        try:
            certificate = authority.sign(request, host, epoch, time.time(), self._life)
        except ValueError as error:
            raise LinkError(str(error)) from error
        ours = self._links.peering.sockets.endpoints
        trusted = [authority.pem, *self._former]
        return Grant(certificate, trusted, self._life, list(ours), self._links.epoch)

    async def _asked(self, peer: str, request: Any) -> list[Any]:
        """By a host that has a link already: it gets its own name and no other."""
        connection = self._links.peering.connection(peer)
        if connection is None:
            raise LinkError(f"there is no link to {peer}")
        if connection.seen is not None and connection.seen.issuer != (await self._current()).name:
            raise LinkError(f"the link to {peer} is no proof: its certificate is of a former authority")
        return list(await self.grant(peer, self._links.peers()[peer], str(request)))

    async def rotate(self) -> dict[str, Any]:
        """A new authority; returns its name, the hosts that follow it, and those that did not answer."""
        if not self._links.endpoints.port:
            raise LinkError("this switch is on one node: its links are Unix sockets and have no certificates")
        async with self._rotating:
            old = await self._current()
            new = _new()
            await self._write(new, [old.pem, *self._former])
            hosts = self._hosts()
            await self._renew(hosts, False)
            await self._write(new, [])
            answers = await self._renew(hosts, True)
        missing = [host for host in hosts if host not in answers]
        log.warning("links: %s signs from now on, %d hosts follow, missing: %s", new.name, len(answers), missing)
        cut = [f"{host} {peer}" for host, peers in answers.items() for peer in peers]
        return {"authority": new.name, "hosts": sorted(answers), "missing": missing, "cut": cut}

    async def describe(self) -> dict[str, Any]:
        """For the operator; nothing when there are no links to other nodes."""
        if not self._links.endpoints.port:
            return {"authority": None}
        authority = await self._current()
        return {"authority": authority.name, "former": len(self._former), "certificate_life": self._life}

    def _hosts(self) -> list[str]:
        """Ourselves, and all we have a link to; mere clients have no certificates."""
        peers = self._links.peering.peers()
        return [self._links.me, *(peer.name for peer in peers if peer.connection is not None and not peer.is_client)]

    async def _renew(self, hosts: list[str], final: bool) -> dict[str, list[str]]:
        asks = [self._links.ask(host, "links.renew", final, RENEW_SECONDS) for host in hosts]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        for host, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, BaseException):
                log.warning("links: %s does not follow the new authority: %s", host, answer)
        found = zip(hosts, answers, strict=True)
        return {host: answer for host, answer in found if not isinstance(answer, BaseException)}

    async def _current(self) -> "Authority":
        async with self._reading:
            if self._authority is None:
                from actors.certificates import Authority  # 11 MB that a switch on one node need not have

                values = json.loads(await asyncio.to_thread(self._stored))
                self._authority, self._former = Authority.of(values["current"]), values["former"]
        return self._authority

    def _stored(self) -> str:
        with Store.open(self._store) as store, store.transaction():
            text = store.setting(SETTING)
            if text is None:
                text = _text(_new(), [])
                store.put_setting(SETTING, text)
        return text

    async def _write(self, authority: "Authority", former: list[str]) -> None:
        def write() -> None:
            with Store.open(self._store) as store:
                store.put_setting(SETTING, _text(authority, former))

        await asyncio.to_thread(write)
        self._authority, self._former = authority, former


def _new() -> "Authority":
    from actors.certificates import Authority

    return Authority.new(time.time())


def _text(authority: "Authority", former: list[str]) -> str:
    return json.dumps({"current": authority.text(), "former": former})
