"""A whole switch in one process whose hosts are on several nodes: addresses of the loopback network.

Node k is 127.0.0.(k+2); hosts with number k are on it, the Switchboard is on node 0. Links between nodes are TLS, as
between machines. `cut` ends everything of a node without farewell, as a machine that loses its power does.
"""

import dataclasses
import time
from typing import Any

from actors.certificates import Authority
from actors.composition import compose
from actors.host import Host
from actors.link import Links
from actors.member_feed import MemberFeed
from actors.placement import SWITCHBOARD
from actors.reference import attach, attached
from actors.rundir import run_dir
from rayswitch.config import Config, Listener
from tests.actors.nodes import credentials
from tests.actors.together import DOMAIN, Together, epochs
from tests.interop.agent import Agent


def number(host: str) -> int:
    """The node of a host."""
    return 0 if host == SWITCHBOARD else int(host[1:])


def address(node: int) -> str:
    return f"127.0.0.{node + 2}"


class Nodes(Together):
    """One SIP gateway and one media gateway on each node."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.authority = Authority.new(time.time())
        self.hosts: dict[str, Host] = {}

    async def linked(self, host: str) -> Links:
        node, epoch = number(host), next(epochs)
        links = Links(host, epoch, run_dir(self.config), node=f"n{node}")
        links.peering.sockets.credentials = credentials(self.authority, host, epoch)
        await links.start()
        links.peering.sockets.listen_tcp(address(node), [0])
        for name, other in self.links.items():
            links.book.update(name, other.endpoints, other.epoch)
            other.book.update(host, links.endpoints, links.epoch)
        return links

    async def composed(self, host: str, links: Links, feed: MemberFeed) -> Any:
        if host == SWITCHBOARD:
            return await super().composed(host, links, feed)
        process = await compose(host, self.config_of(number(host)), links, feed, 0)
        if host[0] != "m":
            self.hosts[host] = attached()
        return process

    def config_of(self, node: int) -> Config:
        """The same on every node, but for its address."""
        config = self.config
        listen = [Listener(one.transport, address(node), one.port) for one in config.sip.listen]
        sip = dataclasses.replace(config.sip, listen=listen)
        return dataclasses.replace(config, sip=sip, media=dataclasses.replace(config.media, address=(address(node),)))

    async def cut(self, node: int) -> None:
        for host in [host for host in self.links if host != SWITCHBOARD and number(host) == node]:
            await self.kill(host)
            self.hosts.pop(host, None)
        attach(next(iter(self.hosts.values())))  # references of this process lead through a host that lives

    def phone_at(self, node: int) -> Agent:
        """One whose switch is that node."""
        port = self.config.sip.listen[0].port
        return self.phones.enter_context(Agent(f"{address(node)}:{port}", DOMAIN, follows=True))

    def calls(self) -> int:
        """On all nodes."""
        return self.counted("calls")

    def registrations(self) -> int:
        return self.counted("registrations")

    def counted(self, what: str) -> int:
        return sum(self.status(host).get(what, 0) for host in self.links if host[0] in "scr")
