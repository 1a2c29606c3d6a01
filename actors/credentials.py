"""What a process shows on links to other nodes, whom it believes, and what it reads in a certificate.

TLS 1.3 alone, certificates of the switch's own authority both ways, no session tickets: every connection is proved
anew, so an expired certificate or a distrusted authority has no way around. Credentials are never changed: renewed
ones are a new object, and each new connection takes the newest.
"""

import os
import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Credentials", "Seen", "seen_on"]


class Seen(NamedTuple):
    """What the peer's certificate, which TLS has verified, says. `host` is "" when it names none."""

    host: str
    epoch: int
    issuer: str
    expires: float  # unix time


class Credentials:
    """A certificate with its key, and the authorities to be believed, the one that signed it first; all PEM."""

    def __init__(self, certificate: str, key: str, trusted: Sequence[str]) -> None:
        self.server = _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, trusted)
        self.client = _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, trusted)
        self.issuers = _names(self.client)
        self.issuer = next(iter(_names(ssl.create_default_context(cadata=trusted[0]))))


def seen_on(transport: Any) -> Seen | None:
    """The peer's certificate; None on a Unix socket, where the directory's owner is proof enough."""
    connection = transport.get_extra_info("ssl_object")
    if connection is None:
        return None
    found = connection.getpeercert() or {}
    host, epoch = _named(found.get("subjectAltName", ()))
    expires = float(ssl.cert_time_to_seconds(found["notAfter"])) if "notAfter" in found else 0.0
    return Seen(host, epoch, _common_name(found.get("issuer", ())), expires)


def _context(side: Any, certificate: str, key: str, trusted: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the name is a host of ours, not of DNS: compared with the hello
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata="\n".join(trusted))
    _load(context, key + certificate)
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context


def _names(context: ssl.SSLContext) -> frozenset[str]:
    return frozenset(_common_name(one["subject"]) for one in context.get_ca_certs())


def _load(context: ssl.SSLContext, pem: str) -> None:
    """Keys are only taken from files: here one in memory, which nobody else can open by a name."""
    descriptor = os.memfd_create("links", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _named(names: Any) -> tuple[str, int]:
    """Host and epoch of ``rayswitch://host/epoch``."""
    for kind, text in names:
        parts = urlsplit(text)
        if kind == "URI" and parts.scheme == "rayswitch" and parts.path[1:].isdigit():
            return parts.netloc, int(parts.path[1:])
    return "", 0


def _common_name(name: Any) -> str:
    return next((text for rank in name for kind, text in rank if kind == "commonName"), "")
