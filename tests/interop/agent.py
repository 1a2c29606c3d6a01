"""A small SIP user agent over UDP for tests that must place every message themselves.

Deliberately simple and independent of `rayswitch.sip`: strings, one socket, one reader thread, requests
repeated by RFC 3261's timers until a final response comes. It answers what it is called with at once (180,
200), acknowledges, and notes who ended a call. Calls and registrations of many numbers share one `Agent`.
"""

import hashlib
import queue
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

T1, T2 = 0.5, 4.0
SDP = (
    "v=0\r\no=agent 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Message:
    """First line, headers as (lower-case name, value) rows, body."""

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        self.first, *rows = head.decode(errors="replace").split("\r\n")
        self.rows = [(row.partition(":")[0].strip().lower(), row.partition(":")[2].strip()) for row in rows]
        self.body = body.decode(errors="replace")

    def get(self, name: str) -> str:
        """The first value of a header, "" if there is none."""
        return next((value for key, value in self.rows if key == name), "")

    def get_all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.rows if key == name]

    @property
    def status(self) -> int:
        """Status code; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Method of the CSeq."""
        return self.get("cseq").split()[-1]

    @property
    def media_port(self) -> int:
        """Port of the first audio line of the body."""
        found = re.search(r"m=audio (\d+)", self.body)
        assert found, f"no audio in {self.body!r}"
        return int(found[1])

    @property
    def media_address(self) -> str:
        """Address of the body, as it stands there first."""
        found = re.search(r"c=IN IP[46] (\S+)", self.body)
        assert found, f"no address in {self.body!r}"
        return found[1]


class Call:
    """One side of a call that is up, at `agent`. `ended` is set when the other side has sent BYE.

    `local_port` and `remote_port` are the audio ports of the two session descriptions; `first` is the message that told
    them the other one's, `latest` the last that did.
    """

    def __init__(self, agent: "Agent", message: Message, local: str, remote: str, local_port: int) -> None:
        self.agent, self.local, self.remote = agent, local, remote
        self.call_id, self.target = message.get("call-id"), _target(message)
        self.first = self.latest = message
        self.local_port, self.remote_port = local_port, message.media_port
        routes = message.get_all("record-route")
        self.routes = "".join(f"Route: {route}\r\n" for route in (reversed(routes) if message.status else routes))
        self.moved = threading.Event()
        """The other side has said in a re-INVITE where it is now, which is another place than before."""
        self.ended = threading.Event()
        self.left = False
        self.sequence = 10

    def request(self, method: str, body: str = "", timeout: float = 32.0) -> Message:
        """A request inside the dialog; its final response."""
        self.sequence += 1
        return self.agent.transact(
            method,
            self.target,
            self.local,
            self.remote,
            self.call_id,
            self.sequence,
            headers=self.routes,
            body=body,
            timeout=timeout,
        )

    def follow(self, message: Message) -> None:
        """A re-INVITE: where the other side, and its media, are now."""
        self.latest = message
        target, port = _target(message), message.media_port
        new = (target, port) != (self.target, self.remote_port)
        self.target, self.remote_port = target, port
        if new:
            self.moved.set()

    def bye(self) -> Message:
        """End the call."""
        self.left = True
        return self.request("BYE")


class Agent:
    """A user agent on a UDP port of `address` that talks to `switch` ("127.0.0.1:5060"); one that `follows` sends
    to the remote target of a dialog, and answers to where a request came from."""

    def __init__(
        self,
        switch: str,
        domain: str,
        media_port: Callable[[], int] = lambda: 9,
        address: str = "127.0.0.1",
        follows: bool = False,
    ) -> None:
        self.follows = follows
        self.patience = 0.0
        """Seconds that it rings."""
        host, _, port = switch.rpartition(":")
        self.address = address
        self._switch, self.domain, self._media_port = (host, int(port)), domain, media_port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((address, 0))
        self.port = self._socket.getsockname()[1]
        self._waiting: dict[str, queue.SimpleQueue[Message]] = {}
        self._answered: dict[str, bytes] = {}
        self._offered: dict[str, int] = {}
        self.calls: dict[str, Call] = {}
        self.incoming: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="agent", daemon=True)

    # ---- client side

    def transact(
        self,
        method: str,
        uri: str,
        sender: str,
        to: str,
        call_id: str,
        sequence: int,
        *,
        headers: str = "",
        body: str = "",
        timeout: float = 32.0,
    ) -> Message:
        """Send a request, repeating it (timers A/E), until its final response; acknowledges failures of
        INVITE.
        """
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        data = self._request(method, uri, sender, to, call_id, sequence, branch, headers, body)
        inbox = self._waiting[branch] = queue.SimpleQueue()
        deadline, interval = time.monotonic() + timeout, T1
        where = self._way(uri)
        self._socket.sendto(data, where)
        repeat_at = time.monotonic() + interval
        try:
            while True:
                now = time.monotonic()
                assert now < deadline, f"no final response to {method} {uri} within {timeout:g} s"
                try:
                    response = inbox.get(timeout=min(repeat_at, deadline) - now if repeat_at > now else 0.001)
                except queue.Empty:
                    self._socket.sendto(data, where)
                    interval = min(interval * 2, T2) if method != "INVITE" else interval * 2
                    repeat_at = time.monotonic() + interval
                    continue
                if response.status >= 200:
                    break
                if method == "INVITE":
                    repeat_at = deadline
        finally:
            del self._waiting[branch]
        if method == "INVITE" and response.status >= 300:
            to = response.get("to")
            self._socket.sendto(self._request("ACK", uri, sender, to, call_id, sequence, branch, "", ""), where)
        return response

    def _way(self, uri: str) -> tuple[str, int]:
        """Where a request to this URI is sent."""
        found = re.search(r"@(\d+\.\d+\.\d+\.\d+):(\d+)", uri)
        return (found[1], int(found[2])) if self.follows and found else self._switch

    def _request(
        self,
        method: str,
        uri: str,
        sender: str,
        to: str,
        call_id: str,
        sequence: int,
        branch: str,
        headers: str,
        body: str,
    ) -> bytes:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address}:{self.port};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {sender}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {sequence} {method}\r\nContact: <sip:agent@{self.address}:{self.port}>\r\n"
            f"{headers}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def authenticated(
        self, method: str, uri: str, number: str, password: str, to: str, headers: str = "", body: str = ""
    ) -> Message:
        """A request outside a dialog that answers the challenge."""
        call_id, sender = secrets.token_hex(12), f"<sip:{number}@{self.domain}>;tag={secrets.token_hex(4)}"
        first = self.transact(method, uri, sender, to, call_id, 1, headers=headers, body=body)
        if first.status not in (401, 407):
            return first
        proof = credentials(first, method, uri, number, password)
        second = self.transact(method, uri, sender, to, call_id, 2, headers=proof + headers, body=body)
        if second.status not in (401, 407) or "stale=true" not in str(second.rows).lower():
            return second
        proof = credentials(second, method, uri, number, password)  # the nonce was another gateway's, or too old
        return self.transact(method, uri, sender, to, call_id, 3, headers=proof + headers, body=body)

    def register(self, number: str, password: str, expires: int = 3600) -> Message:
        """Register `number` at this agent's address."""
        response = self.authenticated(
            "REGISTER",
            f"sip:{self.domain}",
            number,
            password,
            f"<sip:{number}@{self.domain}>",
            headers=f"Expires: {expires}\r\n",
        )
        assert response.status == 200, response.first
        return response

    def dial(self, number: str, password: str, dialled: str, media_port: int) -> Call:
        """Call `dialled` as `number`; the call once it is answered."""
        uri = f"sip:{dialled}@{self.domain}"
        answer = self.authenticated(
            "INVITE", uri, number, password, f"<{uri}>", body=SDP.format(address=self.address, port=media_port)
        )
        assert answer.status == 200, answer.first
        call = Call(self, answer, answer.get("from"), answer.get("to"), media_port)
        self.calls[call.call_id] = call
        self._acknowledge(call, answer)
        return call

    def _acknowledge(self, call: Call, answer: Message) -> None:
        sequence = int(answer.get("cseq").split()[0])
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._socket.sendto(
            self._request("ACK", call.target, call.local, call.remote, call.call_id, sequence, branch, call.routes, ""),
            self._way(call.target),
        )

    # ---- server side

    def _read(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(65535)
            except OSError:
                return
            if data in (b"", b"\0"):
                return
            message = Message(data)
            if message.status:
                self._take_response(message)
            else:
                self._take_request(message, source if self.follows else self._switch)

    def _take_response(self, response: Message) -> None:
        branch = _branch(response)
        if branch in self._waiting:
            self._waiting[branch].put(response)
        elif response.status == 200 and response.method == "INVITE" and response.get("call-id") in self.calls:
            self._acknowledge(self.calls[response.get("call-id")], response)  # our ACK was lost

    def _take_request(self, request: Message, source: tuple[str, int]) -> None:
        method, branch = request.first.split()[0], _branch(request)
        if branch + method in self._answered:
            self._socket.sendto(self._answered[branch + method], source)
        elif method == "INVITE":
            self._take_invite(request, branch, source)
        elif method != "ACK":
            call = self.calls.get(request.get("call-id"))
            in_it = call is not None and not call.left and not call.ended.is_set()
            status = "200 OK" if in_it or method == "BYE" else "481 Call/Transaction Does Not Exist"
            self._answered[branch + method] = self._response(request, status)
            self._socket.sendto(self._answered[branch + method], source)
            if method == "BYE" and call:
                call.ended.set()

    def _take_invite(self, request: Message, branch: str, source: tuple[str, int]) -> None:
        call_id = request.get("call-id")
        if call_id not in self._offered:
            self._offered[call_id] = self._media_port()
        tag = "" if "tag=" in request.get("to") else f";tag={secrets.token_hex(4)}"
        if tag:
            self._socket.sendto(self._response(request, "180 Ringing", tag), source)
            time.sleep(self.patience)
        answer = self._response(request, "200 OK", tag, SDP.format(address=self.address, port=self._offered[call_id]))
        self._answered[branch + "INVITE"] = answer
        self._socket.sendto(answer, source)
        if not tag and self.follows and call_id in self.calls:
            self.calls[call_id].follow(request)
        if tag:
            local, remote = request.get("to") + tag, request.get("from")
            call = Call(self, request, local, remote, self._offered[call_id])
            self.calls[call_id] = call
            self.incoming.put(call)

    def _response(self, request: Message, status: str, tag: str = "", body: str = "") -> bytes:
        copied = [(name, value) for name in ("Via", "Record-Route") for value in request.get_all(name.lower())]
        copied += [(name, request.get(name.lower())) for name in ("From", "Call-ID", "CSeq")]
        rows = "".join(f"{name}: {value}\r\n" for name, value in copied)
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"SIP/2.0 {status}\r\n{rows}To: {request.get('to')}{tag}\r\n"
            f"Contact: <sip:agent@{self.address}:{self.port}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"\0", (self.address, self.port))  # wakes the reader
        self._reader.join()
        self._socket.close()


def _branch(message: Message) -> str:
    found = re.search(r"branch=([^;,\s]+)", message.get("via"))
    return found[1] if found else ""


def _target(message: Message) -> str:
    found = re.search(r"<([^>]+)>", message.get("contact"))
    return found[1] if found else message.get("contact")


def credentials(challenge: Message, method: str, uri: str, number: str, password: str) -> str:
    """The header that answers a challenge, with MD5."""
    name = "WWW-Authenticate" if challenge.status == 401 else "Proxy-Authenticate"
    rows = [row for row in challenge.get_all(name.lower()) if "SHA-256" not in row]
    assert rows, f"no MD5 challenge in {challenge.rows}"
    values = dict(re.findall(r'(\w+)="?([^",]+)"?', rows[0]))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    cnonce = secrets.token_hex(8)
    ha1, ha2 = md5(f"{number}:{values['realm']}:{password}"), md5(f"{method}:{uri}")
    response = md5(f"{ha1}:{values['nonce']}:00000001:{cnonce}:auth:{ha2}")
    header = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
    opaque = f', opaque="{values["opaque"]}"' if "opaque" in values else ""
    return (
        f'{header}: Digest username="{number}", realm="{values["realm"]}", nonce="{values["nonce"]}", '
        f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, '
        f'cnonce="{cnonce}"{opaque}\r\n'
    )
