"""Lists of addresses and networks, IPv4 and IPv6: is an address among them?"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


class Networks:
    """A set of networks; an address is looked for once in each length of prefix that occurs, the longest first."""

    __slots__ = ("by_length",)

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks`: "192.0.2.0/24", "2001:db8::/32" or a single address; ValueError for anything else."""
        by_length: dict[tuple[int, int], set[int]] = {}
        for text in networks:
            network = ip_network(text, strict=False)
            shift = network.max_prefixlen - network.prefixlen
            by_length.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        self.by_length = sorted(by_length.items(), key=lambda item: item[0])

    def __bool__(self) -> bool:
        return bool(self.by_length)

    def __contains__(self, host: str) -> bool:
        """Is this numeric address in one of the networks?  An IPv4 address in IPv6 clothes counts as what it is."""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number = int(address)
        return any(
            number >> shift in prefixes for (version, shift), prefixes in self.by_length if version == address.version
        )
