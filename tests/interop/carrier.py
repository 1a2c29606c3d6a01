"""A scripted carrier over UDP: a registrar with habits of its own, and a peer that treats calls as it is told.

As a registrar it asks for a proof (digest, MD5) before it looks at anything else, without keeping anything of the
REGISTER that it asked (RFC 3261 §10.3 steps 3 and 6 come in that order). `picky` says which REGISTERs it takes for
repeated, and answers 400 with `P-Registrar-Error: Invalid CSeq number`, whatever their CSeq:

    "bound"   those with the Call-ID of one that it has bound. So do the registrars that this answer is known of: they
              keep the Call-ID with the binding, so the way through the challenge is none, and the first refresh is.
    "seen"    those with a Call-ID that it has seen at all, so that the proof, too, has to come under a new one. Its
              nonces are good for one registration.

Otherwise it checks no CSeq. A refused Call-ID is refused for ever.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import threading
import time
from typing import NamedTuple, Self

from tests.interop.agent import SDP, Message
from tests.interop.ports import free_port
from tests.interop.processes import await_true

REALM = "carrier.test"
INVALID_CSEQ = "P-Registrar-Error: Invalid CSeq number\r\n"
WAKES = 8192


class Taken(NamedTuple):
    """A request that came, and what it was answered (0: nothing). Those that are repeated come here once."""

    at: float
    request: Message
    status: int

    @property
    def user(self) -> str:
        """Of To."""
        found = re.search(r"sips?:([^@>]+)@", self.request.get("to"))
        return found[1] if found else ""


class Carrier:
    """At `address`; all its accounts have the password `secret`.

    `grants` are the seconds of a registration, `least` is its Min-Expires. `calls` says what becomes of an INVITE:
    "answers", "rings" (until CANCEL), "silent", or the status line of a refusal. One that is `out` answers all requests
    with that, one that is "silent" none.
    """

    def __init__(
        self,
        address: str,
        *,
        secret: str = "line-secret",
        picky: str = "",
        grants: int = 600,
        least: int = 0,
        calls: str = "answers",
        out: str = "",
    ) -> None:
        self.host, self.port = address, free_port(address)
        self.secret, self.picky, self.grants, self.least, self.calls, self.out = (
            secret,
            picky,
            grants,
            least,
            calls,
            out,
        )
        self.taken: list[Taken] = []
        self.met: set[str] = set()
        """Call-IDs of REGISTERs that are taken for repeated."""
        self.nonces: set[str] = set()
        self.answered: dict[str, bytes] = {}
        self.open: dict[str, tuple[Message, tuple[str, int]]] = {}
        """INVITEs without a final answer, by their branch."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.host, self.port))
        self._reader = threading.Thread(target=self._read, name=f"carrier {address}", daemon=True)

    @property
    def server(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def got(self, method: str, user: str = "") -> list[Taken]:
        """The requests of a method that came, for `user` if one is named."""
        return [one for one in list(self.taken) if one.request.method == method and user in ("", one.user)]

    def await_got(self, method: str, user: str = "", count: int = 1, timeout: float = 10.0) -> list[Taken]:
        """The same, once there are so many."""
        await_true(lambda: len(self.got(method, user)) >= count, f"{count} {method} {user} at {self.host}", timeout)
        return self.got(method, user)

    def wake(self) -> None:
        """180 to every INVITE that waits for an answer."""
        for request, source in list(self.open.values()):
            self._send(request, source, "180 Ringing")

    # ---- requests

    def _read(self) -> None:
        while True:
            data, source = self._socket.recvfrom(WAKES * 8)
            if data == b"\0":
                return
            request = Message(data)
            if not request.status:
                self._take(request, source)

    def _take(self, request: Message, source: tuple[str, int]) -> None:
        """Each transaction once."""
        key = _branch(request) + request.first.split()[0]
        if key in self.answered:
            if self.answered[key]:
                self._socket.sendto(self.answered[key], source)
            return
        self.answered[key] = b""
        method = request.first.split()[0]
        if self.out:
            status, rows = self.out, ""
        else:
            status, rows = {"REGISTER": self._register, "INVITE": self._invite}.get(method, _accept)(request)
        self.taken.append(Taken(time.monotonic(), request, int(status[:3]) if status[:3].isdigit() else 0))
        if method == "INVITE" and status in ("rings", "silent"):
            self.open[_branch(request)] = (request, source)
        if status == "rings":
            self._send(request, source, "180 Ringing")
        elif status != "silent" and method != "ACK":
            self.answered[key] = self._send(request, source, status, rows)
        if method == "CANCEL" and _branch(request) in self.open:
            invite, _ = self.open.pop(_branch(request))
            self._send(invite, source, "487 Request Terminated")

    def _invite(self, request: Message) -> tuple[str, str]:
        return ("200 OK" if self.calls == "answers" else self.calls), ""

    def _register(self, request: Message) -> tuple[str, str]:
        """What a REGISTER is answered."""
        call_id, asked = request.get("call-id"), int(request.get("expires"))
        repeated = call_id in self.met
        if self.picky == "seen":
            self.met.add(call_id)
        nonce = self._proved(request)
        if repeated and (nonce or self.picky == "seen"):
            return "400 Bad Request", INVALID_CSEQ
        if not nonce:
            self.nonces.add(nonce := secrets.token_hex(8))
            offer = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"'
            return "401 Unauthorized", f"WWW-Authenticate: {offer}{', stale=true' * _has_proof(request)}\r\n"
        if asked < self.least:
            return "423 Interval Too Brief", f"Min-Expires: {self.least}\r\n"
        if self.picky == "seen":
            self.nonces.discard(nonce)
        if self.picky:
            self.met.add(call_id)
        contact = request.get("contact").partition(";expires")[0]
        return "200 OK", f"Contact: {contact};expires={min(asked, self.grants)}\r\n"

    def _proved(self, request: Message) -> str:
        """The nonce of a proof that is right."""
        values = dict(re.findall(r'(\w+)="?([^",]+)"?', request.get("authorization")))
        if values.get("nonce") not in self.nonces:
            return ""
        ha1 = _md5(f"{values['username']}:{REALM}:{self.secret}")
        ha2 = _md5(f"REGISTER:{values['uri']}")
        right = _md5(f"{ha1}:{values['nonce']}:{values['nc']}:{values['cnonce']}:auth:{ha2}")
        return values["nonce"] if values["response"] == right else ""

    def _send(self, request: Message, source: tuple[str, int], status: str, rows: str = "") -> bytes:
        method = request.first.split()[0]
        body = SDP.format(address=self.host, port=9) if (method, status[:3]) == ("INVITE", "200") else ""
        copied = [(name, value) for name in ("Via", "Record-Route") for value in request.get_all(name.lower())]
        copied += [(name, request.get(name.lower())) for name in ("From", "Call-ID", "CSeq")]
        tag = "" if "tag=" in request.get("to") else f";tag={_md5(request.get('call-id'))[:8]}"
        head = "".join(f"{name}: {value}\r\n" for name, value in copied)
        if method == "INVITE":
            rows += f"Contact: <sip:carrier@{self.server}>\r\n"
        if body:
            rows += "Content-Type: application/sdp\r\n"
        text = f"SIP/2.0 {status}\r\n{head}To: {request.get('to')}{tag}\r\n{rows}Content-Length: {len(body)}\r\n\r\n"
        data = (text + body).encode()
        self._socket.sendto(data, source)
        return data

    # ---- life

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.sendto(b"\0", (self.host, self.port))  # wakes the reader
        self._reader.join()
        self._socket.close()


def _accept(request: Message) -> tuple[str, str]:
    """OPTIONS, CANCEL, BYE."""
    return "200 OK", ""


def _has_proof(request: Message) -> bool:
    return bool(request.get("authorization"))


def _branch(request: Message) -> str:
    found = re.search(r"branch=([^;,\s]+)", request.get("via"))
    return found[1] if found else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
