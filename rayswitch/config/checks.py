"""What only shows when values are compared; each check names the keys at fault, likeliest first."""

from collections.abc import Callable

from rayswitch.config.kinds import ANY_PORT
from rayswitch.config.settings import Config

__all__ = ["CHECKS"]

Finding = tuple[tuple[str, ...], str]


def ports_apart(config: Config) -> Finding | None:
    """RTP ports are bound when a call needs them: a listener among them would make one call in many fail."""
    for listener in config.sip.listen:
        if listener.port in config.media.ports:
            problem = f"expected ports clear of SIP's, but {config.media.ports} holds the port of {listener}"
            return ("media.ports", "sip.listen"), problem
    return None


def listeners_once(config: Config) -> Finding | None:
    """SO_REUSEPORT would let the same listener be opened twice, and half of the traffic go astray."""
    for place, listener in enumerate(config.sip.listen):
        if listener in config.sip.listen[:place]:
            return ("sip.listen",), f"expected each listener once, but {listener} is there twice"
    return None


def streams_apart(config: Config) -> Finding | None:
    """TLS and TCP both listen on ports of TCP, and SO_REUSEPORT would hide that they are the same."""
    taken = {(listener.host, listener.port) for listener in config.sip.listen if listener.transport == "tcp"}
    for listener in config.sip.listen:
        if listener.transport == "tls" and (listener.host, listener.port) in taken:
            return ("sip.listen",), f"expected another port than that of tcp:// for {listener}"
    return None


def tls_complete(config: Config) -> Finding | None:
    """A TLS listener needs a certificate to show, and a check of others somebody to believe."""
    tls = config.sip.tls
    if not tls.certificate and any(listener.transport == "tls" for listener in config.sip.listen):
        return ("sip.listen",), "expected sip.tls.certificate to be set for a tls:// listener"
    if tls.clients != "no" and not tls.authorities:
        return ("sip.tls.clients",), f"expected sip.tls.authorities to be set for {tls.clients!r}"
    return None


def link_ports_suffice(config: Config) -> Finding | None:
    """Any host may come to run on any node, and a port that is taken would keep it from starting there."""
    ports, media = config.links.ports, config.media.gateways
    if ports == ANY_PORT:
        return None
    hosts = 1 + config.sip.gateways + media + sum(kind.processes for kind in config.actors.kinds.values())
    if ports.last - ports.first + 1 < hosts:
        return ("links.ports",), f"expected at least {hosts} ports, one for each process"
    for listener in config.sip.listen:
        if listener.transport != "udp" and listener.port in ports:
            return ("links.ports", "sip.listen"), f"expected ports clear of SIP's, but {ports} holds that of {listener}"
    return None


def media_families(config: Config) -> Finding | None:
    """One address a family, because the family alone chooses between them."""
    if len(config.media.address) == 1 or len(config.media.addresses) == len(config.media.address):
        return None
    return ("media.address",), "expected auto alone, or at most one IPv4 and one IPv6 address"


def ports_suffice(config: Config) -> Finding | None:
    """A relayed call of one stream takes four ports: each gateway should get that far at least."""
    ports = config.media.ports.last - config.media.ports.first + 1
    if ports >= 4 * config.media.gateways:
        return None
    problem = f"expected at least 4 ports for each of {config.media.gateways} gateways"
    return ("media.ports", "media.gateways"), problem


def expiry_ordered(config: Config) -> Finding | None:
    """Else the registrar would contradict itself (RFC 3261 §10.3)."""
    rules = config.registration
    if rules.min_expires <= rules.default_expires <= rules.max_expires:
        return None
    keys = ("registration.default_expires", "registration.min_expires", "registration.max_expires")
    found = f"{rules.min_expires}, {rules.default_expires}, {rules.max_expires}"
    return keys, f"expected min_expires <= default_expires <= max_expires, but they are {found}"


CHECKS: tuple[Callable[[Config], Finding | None], ...] = (
    listeners_once,
    streams_apart,
    tls_complete,
    ports_apart,
    media_families,
    ports_suffice,
    link_ports_suffice,
    expiry_ordered,
)
