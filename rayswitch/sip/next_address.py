"""The address a request asks to be sent to (RFC 3261 §8.1.2): its first Route, else its Request-URI, when it is
numeric."""

from __future__ import annotations

from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.message import BadMessage, Request

DEFAULT_PORT = {"UDP": 5060, "TCP": 5060, "TLS": 5061}


def address_of(request: Request, flow: Flow) -> Address | None:
    """(host, port); None when the URI names no address of the flow's family."""
    try:
        uri = request.routes[0].uri if request.has("route") else request.ruri
    except (BadMessage, IndexError):
        return None
    if not uri.host or not numeric(uri.host) or (":" in uri.host) != (":" in flow.remote[0]):
        return None
    return uri.host, uri.port or DEFAULT_PORT[flow.transport]


def numeric(host: str) -> bool:
    """An IP address, not a name."""
    return ":" in host or host.replace(".", "").isdigit()
