"""Ways to phones: which SIP gateway has the address that a flow comes from, as the latest snapshot says.

A datagram has to come from the address that its peer knows; a connection is one gateway's. When that gateway is given
up, another one begins a way of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.link import Links
from rayswitch.members import DRAINING, LEAVING, Member, Members
from rayswitch.sip.flow import Address, Flow

__all__ = ["Ways"]

ANYWHERE = ("0.0.0.0", "::")


class Ways:
    """By the addresses of all gateways."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.members = Members()
        self.gateways: dict[tuple[str, Address], list[str]] = {}
        """By transport and address."""

    def follow(self, members: Members) -> None:
        """These are the gateways from now on."""
        self.members = members
        self.gateways = {}
        for host in members.ids("s"):
            for transport, address in listeners(members.hosts[host]):
                self.gateways.setdefault((transport, address), []).append(host)

    def at(self, local: Address) -> str:
        """A gateway that is up and takes datagrams there; "" when there is none."""
        return next((host for host in self.gateways.get(("UDP", local), ()) if self.links.alive(host)), "")

    def reach(self, flow: Flow, gateway: str, new: bool) -> Flow:
        """The way to where `flow` leads: itself while there is who has it, else one of `gateway`."""
        over = (DRAINING, LEAVING) if new else (LEAVING,)
        if flow.gateway:
            lives = self.links.alive(flow.gateway)
        else:
            having = self.gateways.get(("UDP", flow.local), ())
            lives = flow.transport != "UDP" or any(self.members.state(host) not in over for host in having)
        member = self.members.hosts.get(gateway)
        if lives or member is None:
            return flow
        mine = (address for transport, address in listeners(member) if transport == flow.transport)
        local = next((address for address in mine if (":" in address[0]) == (":" in flow.remote[0])), None)
        return flow if local is None else Flow(flow.transport, local, flow.remote)


def listeners(member: Member) -> Iterator[tuple[str, Address]]:
    """Where a gateway listens, as (transport, address); one that does at all addresses has its node's."""
    for listener in member.listeners:
        transport, _, rest = listener.partition("://")
        host, _, port = rest.rpartition(":")
        host = host.strip("[]")
        yield transport.upper(), (member.address or host if host in ANYWHERE else host, int(port))
