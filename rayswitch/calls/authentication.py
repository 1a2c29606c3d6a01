"""Who sends this request? Digest authentication of REGISTER (401) and INVITE (407), RFC 3261 §22, 7616, 8760.

MD5 and SHA-256 are offered together, MD5 first: RFC 8760 §2.4 would have the stronger one on top, but phones and
tools that know only RFC 2617 look at the first challenge and fail on it; who understands SHA-256 finds it in the
second.  A nonce proves itself (it is stamped and signed), carries the gateway that counts its uses, and a use that
was counted before is a replay.  `stale=true` is said only to somebody who has just shown that he knows the password.
The digest-uri is not compared with the Request-URI: phones and proxies in between write it differently, and a nonce
count that was used once is of no use for another request.  An unknown user and a wrong password are the same to the
one who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rayswitch.calls.directory import NOBODY, Account, Directory
from rayswitch.sip.digest import Credentials, Nonces, challenges, parse_credentials, verify
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response, respond

QUESTION = {
    True: (401, "authorization", "www-authenticate"),
    False: (407, "proxy-authorization", "proxy-authenticate"),
}
"""By `method == "REGISTER"`: a registrar is asked for as a server, a call passes us as a proxy (§22.2, 22.3)."""

ONLY_MD5 = ("baresip v0.", "baresip v1.")
"""User-Agents that give up as soon as they see a challenge they cannot answer, though another stands beside it (libre
before 2.0): they are asked with MD5 alone."""

UNKNOWN = "unknown"
AGAIN = ("stale", "replay", "foreign")
"""What a nonce may be of somebody who knows the password (RFC 7616 §3.3, stale)."""


class Authenticator:
    """Checks requests against a directory; `realm` is the domain the HA1 were made for."""

    __slots__ = ("blame", "directory", "failures", "nonces", "peers", "realm", "tag")

    def __init__(self, realm: str, directory: Directory, nonces: Nonces, tag: str) -> None:
        """`tag` is the To tag of its answers: stateless ones may have the same every time (RFC 3261 §8.2.7)."""
        self.realm = realm
        self.directory = directory
        self.nonces = nonces
        self.tag = tag
        self.peers: Mapping[str, Account] = {}
        """Users that are no extensions, but may call: peers outside that prove who they are."""
        self.failures = 0
        """Wrong passwords and unknown users so far."""
        self.blame: Callable[[str, str], None] = lambda host, user: None
        """Told of a failure that may be held against a host: (its address, the name it tried)."""

    def check(self, request: Request, flow: Flow, now: float) -> str | Response:
        """The number that was proved, or the response that asks (again) or refuses."""
        credentials = self.credentials(request)
        if credentials is None:
            return self.challenge(request, flow, now, stale=False)
        state = self.judge(credentials, request, flow, now)
        if state == "ok":
            return credentials.username
        return self.challenge(request, flow, now, stale=state in AGAIN)

    def judge(self, credentials: Credentials, request: Request, flow: Flow, now: float) -> str:
        """UNKNOWN, which is counted, for a wrong password or an unknown user; else what the nonce is worth: "ok", or
        why he has to be asked once more."""
        account = self.directory.get(credentials.username)
        if account is None and request.method == "INVITE":
            account = self.peers.get(credentials.username)
        ha1 = (account or NOBODY).ha1(credentials.algorithm)
        if verify(credentials, ha1, request.method) and account is not None:
            return self.nonces.check(credentials.nonce, credentials.nc, now)
        self.failed(credentials, flow)
        return UNKNOWN

    def failed(self, credentials: Credentials, flow: Flow) -> None:
        """Count it; blame the source only when it is really there."""
        self.failures += 1
        if self.is_there(credentials, flow):
            self.blame(flow.remote[0], credentials.username)

    def is_there(self, credentials: Credentials, flow: Flow) -> bool:
        """Do the sender's packets come from where they say: by a connection, or with a nonce that was sent there?"""
        return flow.reliable or self.nonces.returned(credentials.nonce, flow.remote[0])

    def credentials(self, request: Request) -> Credentials | None:
        """The credentials for our realm; other realms are other people's (§22.3). BadMessage when unreadable."""
        _, header, _ = QUESTION[request.method == "REGISTER"]
        for row in request.get_all(header):
            credentials = parse_credentials(row)
            if credentials is not None and credentials.realm == self.realm:
                return credentials
        return None

    def challenge(self, request: Request, flow: Flow, now: float, stale: bool) -> Response:
        """401 or 407 with one challenge for each algorithm, the one that everybody understands first."""
        status, _, header = QUESTION[request.method == "REGISTER"]
        rows = challenges(self.realm, self.nonces.issue(now, flow.remote[0]), stale)
        if (request.get("user-agent") or "").startswith(ONLY_MD5):
            rows = rows[-1:]
        return respond(request, status, to_tag=self.tag, headers=[(header, row) for row in reversed(rows)])
