"""The certificates of SIP over TLS (RFC 3261 §26.3.1), read from files and read again when these change.

New connections use what is in force then, running ones go on.  A pair of files that cannot be used, because one of them
was written a moment before the other, leaves the old pair in force and is tried again.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from typing import Any

from rayswitch.config import Tls

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the files are looked at."""
VERIFY = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Certificates:
    """The contexts of `tls`, `server` for who connects to us, `client` for whom we connect to."""

    def __init__(self, tls: Tls) -> None:
        """Reads everything; OSError (ssl.SSLError among them) names the file that cannot be used."""
        self.tls = tls
        self.server = context(ssl.PROTOCOL_TLS_SERVER)
        self.client = context(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname = False  # we connect to the numeric addresses of Contacts; names are for trunks
        self.client.verify_mode = ssl.CERT_NONE
        self.server.verify_mode = VERIFY[tls.clients]
        if tls.authorities:
            self.server.load_verify_locations(_there(tls.authorities))
        self.seen = self.stamps()
        self.load()

    def load(self) -> None:
        """Our own certificate, into both."""
        for each in (self.server, self.client):
            each.load_cert_chain(_there(self.tls.certificate), _there(self.tls.key or self.tls.certificate))

    def stamps(self) -> list[int]:
        """When the files were changed last."""
        found = []
        for path in (self.tls.certificate, self.tls.key):
            try:
                found.append(os.stat(path).st_mtime_ns if path else 0)
            except OSError:
                found.append(0)
        return found

    def refresh(self) -> bool:
        """Read the files again if they have changed; True when there is something new in force."""
        stamps = self.stamps()
        if stamps == self.seen:
            return False
        try:
            for path in (self.tls.certificate, self.tls.key or self.tls.certificate):
                _there(path)
            context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.tls.certificate, self.tls.key or None)  # do they fit?
            self.load()
        except OSError as error:
            log.warning("the TLS certificate stays as it is: %s", error)
            return False
        self.seen = stamps
        log.info("TLS certificate %s is in force", self.tls.certificate)
        return True


def domains_of(certificate: Any) -> tuple[str, ...]:
    """The SIP domains that a certificate is for (RFC 5922 §7.1), in lower case; `certificate` as `ssl` shows a verified
    one, which is nothing for one that was not asked for.

    URIs with the scheme sip and without a user; names of DNS only when there is no such URI. Common names do not count.
    """
    rows = (certificate or {}).get("subjectAltName", ())
    uris = [value.partition(":") for kind, value in rows if kind == "URI"]
    found = [rest for scheme, _, rest in uris if scheme.lower() == "sip" and "@" not in rest]
    hosts = [re.split("[:;?]", rest)[0] for rest in found] or [value for kind, value in rows if kind == "DNS"]
    return tuple(host.lower().rstrip(".") for host in hosts)


def context(protocol: int) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with what the library thinks safe."""
    made = ssl.SSLContext(protocol)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return made


def _there(path: str) -> str:
    """The path; OSError that names it when it cannot be read."""
    with open(path, "rb"):
        return path
