"""Where a peer may be sent to: an address that SDP names is checked here, once, not with every packet.

A host name would be looked up by the kernel call that sends; another family cannot be reached from the socket; one of
the stream's own ports would make a packet go round for ever.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

Address = tuple[str, int]


def rtp_address(remote: Sequence[Any] | None, family: int, own: Collection[Address] = ()) -> Address | None:
    """`remote` as (host, port) that a socket of `family` (4, 6) can send to; None when there is none."""
    if not remote:
        return None
    host, port = remote[0], remote[1]
    numeric = destination(host, family)
    if numeric is None or not 0 < port < 0x10000 or (host, port) in own:
        return None
    return numeric, port


@lru_cache(4096)
def destination(host: str, family: int) -> str | None:
    """The usual way to write this address; None for what is no address of one machine.  Kept: phones call again."""
    try:
        numeric = ipaddress.ip_address(host)
    except ValueError:
        return None
    if numeric.version != family or "%" in host or numeric.is_unspecified or numeric.is_multicast:
        return None
    return str(numeric)


def rtcp_address(rtp: Address | None) -> Address | None:
    """The port after that of RTP (RFC 3550 §11)."""
    return (rtp[0], rtp[1] + 1) if rtp and rtp[1] < 0xFFFF else None
