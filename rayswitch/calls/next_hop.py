"""Where a request goes: the flow a peer was last heard on, or the address it names (RFC 3261 §8.1.2, RFC 5626, 3581).

A phone behind a NAT writes an address nobody else can reach; a phone on TCP listens on another port than it talks from.
So: a connection is always reused; over UDP the address in the Contact is used only when its host is the very host the
packet came from (then the port in it is right too); anything else means a NAT, and the packet's source is the address.

The option `nat` of an extension says otherwise: `always` takes the packet's source whatever the Contact says, `never`
takes the Contact at its word, for phones that send from elsewhere than they listen and whose network knows the way.
"""

from __future__ import annotations

from ipaddress import ip_address

from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage
from rayswitch.sip.uri import Uri

AUTO, ALWAYS, NEVER = "auto", "always", "never"
"""The values of `nat`."""

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}


def registered_flow(contact: str, flow: Flow, nat: str = AUTO) -> Flow:
    """The flow for requests to `contact`, which was learnt from a message that came over `flow`."""
    if flow.reliable or nat == ALWAYS:
        return flow
    uri = sip_uri(contact)
    if uri is None or (uri.params.get("transport") or "udp").lower() != "udp":
        return flow
    port = uri.port or DEFAULT_PORTS[flow.transport]
    if same_host(uri.host, flow.remote[0]):
        return flow._replace(remote=(flow.remote[0], port))
    return flow._replace(remote=(uri.host.strip("[]"), port)) if nat == NEVER and reachable(uri.host, flow) else flow


def is_natted(contact: str, flow: Flow, nat: str = AUTO) -> bool:
    """True when the contact's host is not where its packets come from; only UDP needs our keep-alive for it."""
    if flow.reliable or nat == NEVER:
        return False
    uri = sip_uri(contact)
    return nat == ALWAYS or (uri is not None and not same_host(uri.host, flow.remote[0]))


def reachable(host: str, flow: Flow) -> bool:
    """Is this host an address that the socket of `flow` can send to?"""
    try:
        return ip_address(host.strip("[]")).version == family(flow)
    except ValueError:
        return False


def sip_uri(text: str) -> Uri | None:
    """The URI, or None when it is not a SIP URI that could be sent to."""
    try:
        uri = Uri.parse(text)
    except BadMessage:
        return None
    return uri if uri.scheme in ("sip", "sips") and uri.host else None


def same_host(named: str, seen: str) -> bool:
    """Do a URI's host and a socket's address name the same address, whatever the brackets and the case of IPv6?"""
    return named.strip("[]").lower() == seen.strip("[]").lower()


def family(flow: Flow) -> int:
    """4 or 6: the address family of a flow, which its media is expected to share."""
    return 6 if ":" in flow.remote[0] else 4
