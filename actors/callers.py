"""Who is it that a new INVITE comes from: a line or trunk, an extension, or nobody that we know?

By the way it came (`rayswitch/lines/sources.py`: certificate, address and port), or by an address that stands for the
password of an extension. Everybody else is asked by digest (407), as an extension or as the `incoming_user` of a trunk;
an extension of that name goes first.

A *stranger* names a domain in From that is not ours, so he cannot be an extension. Bots write our own address there,
phones sometimes theirs, and who wants to be nobody writes anonymous.invalid: addresses, names without a dot and
`.invalid` are no domain, and who has them is asked like a phone. Whether the user in From exists plays no part, or one
could find out by it who does. A stranger is refused with 403, and what he has shown decides whether it counts:

    no credentials   403. Over TCP and TLS it counts for fail-to-ban, for nobody forges a connection; a datagram may
                     have been sent by anybody. When some trunk has an `incoming_user`, he may be that: he is asked
                     (407), and that counts over a connection on which he proves nothing in time
    wrong ones       403. It counts as a wrong password does: over UDP only if he returned a nonce that was sent to him
    right ones       he is no stranger

While a name of a line or trunk has not been looked up yet, he may be that carrier: 503 with Retry-After, and no count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from actors.outside.lines import KINDS
from actors.outside.peer import Ground
from actors.outside.whereabouts import Whereabouts
from gateways.sip.gateway import SipGateway
from gateways.wheel import Timer
from rayswitch.calls.authentication import AGAIN, UNKNOWN, Authenticator
from rayswitch.calls.carried import dialled, number_in
from rayswitch.calls.directory import Account, Directory
from rayswitch.calls.privacy import is_anonymous
from rayswitch.calls.record import CallRecord
from rayswitch.calls.routing.tables import Row
from rayswitch.lines.resolving import numeric
from rayswitch.lines.sources import Sources
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.digest import ha1
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response, respond

__all__ = ["Callers", "Source"]

log = logging.getLogger(__name__)

UNKNOWN_PEER = "Unknown peer"
REFUSED = [("reason", f'Q.850;cause=21;text="{UNKNOWN_PEER}"')]
LONGEST = 100
RETRY_AFTER = "5"
PATIENCE, MOST_ASKED = 5.0, 100
"""Seconds for the answer to a 407 over a connection; questions that are remembered of one."""
NO_DOMAIN = ".invalid"
"""What is never anybody's (RFC 2606 §2), as in anonymous.invalid."""


class Source(NamedTuple):
    """Whose call it is, and the number that it is for; `trusted`: what it says of the caller counts (RFC 3325)."""

    member: str
    target: str
    trusted: bool = False


class Callers:
    """As `authenticator` and `directory` know them, and the records of those outside."""

    def __init__(self, authenticator: Authenticator, directory: Directory, gateway: SipGateway) -> None:
        self.authenticator = authenticator
        self.directory = directory
        self.gateway = gateway
        self.sources = Sources()
        self.whereabouts: Whereabouts | None = None
        self.peers: dict[str, Account] = {}
        """What the `incoming_user` of each trunk that has one can prove, by the user."""
        authenticator.peers = self.peers
        self.asked: dict[Flow, tuple[Timer, list[str]]] = {}
        """Strangers on connections who were asked for a password, and who they said they were."""
        self.wall: Callable[[], float] = float
        self.write: Callable[[list[dict[str, Any]]], None] = lambda rows: None
        """Takes the rows of call records, with the time by `wall`."""
        self.strangers = 0
        """Strangers that were refused so far."""

    def look_up(self, ground: Ground) -> None:
        """Look the names of servers up from now on."""
        self.whereabouts = Whereabouts(ground.names, ground.transports, ground.families, self.sources.learn)

    def changed(self, rows: Iterable[Row]) -> None:
        """Records of the store: who calls from now on is known by these."""
        mine = {f"{KINDS[kind]}/{key[0]}": record for kind, key, record in rows if kind in KINDS}
        if not mine:
            return
        self.sources.change(mine)
        if any(record and record.certificate for record in mine.values()) and not self.gateway.sockets.verifies:
            log.warning("a line or trunk has a `certificate`, but sip.tls.clients is `no`: nobody is asked for one")
        self.peers.clear()
        for user, member in self.sources.users.items():
            self.peers[user] = account(self.sources.records[member], user, self.authenticator.realm)
        if self.whereabouts is not None:
            self.whereabouts.follow(self.sources.names())

    def close(self) -> None:
        """Nothing is looked up any more."""
        if self.whereabouts is not None:
            self.whereabouts.close()

    # -- by the way it came --------------------------------------------------------------------------------------------

    def known(self, request: Request, flow: Flow) -> Source | str | None:
        """The line or trunk, or the number, that the way of this INVITE stands for."""
        host = flow.remote[0]
        signs = self.sources.signs(host) if self.sources.records else []
        names = self.gateway.flows.names(flow) if flow.transport == "TLS" else ()
        if signs or names:
            member = self.sources.member(signs, flow.transport, flow.remote[1], names, dialled(request))
            if member is not None:
                return self.source(member, request)
        if host not in self.directory.tied:
            return None
        number = request.from_.uri.user_decoded or ""
        return number if self.directory.vouches(host, number) else None

    def source(self, member: str, request: Request) -> Source:
        """The call of a line or trunk."""
        record = self.sources.records[member]
        return Source(member, record.target or dialled(request), record.assert_identity == "asserted")

    # -- by what it shows ----------------------------------------------------------------------------------------------

    def question(self, request: Request, flow: Flow, now: float) -> Response | None:
        """What is answered to who shows no credentials; None when we know him all the same."""
        if request.method == "INVITE":
            if self.known(request, flow) is not None:
                return None
            request.stamp(*flow.remote)
            return self.unproved(request, flow, now)
        request.stamp(*flow.remote)
        return self.authenticator.challenge(request, flow, now, stale=False)

    def who(self, request: Request, flow: Flow, now: float) -> Source | str | Response:
        """Who sends this INVITE: a line or trunk, or the number of an extension; or what he is answered instead."""
        known = self.known(request, flow)
        if known is not None:
            return known
        credentials = self.authenticator.credentials(request)
        if credentials is None:
            return self.unproved(request, flow, now)
        state = self.authenticator.judge(credentials, request, flow, now)
        if state == "ok":
            if flow in self.asked:
                self.asked.pop(flow)[0].cancel()
            return self.proved(credentials.username, request)
        if state == UNKNOWN and self.is_stranger(request):
            return self.refused(request, flow, self.authenticator.is_there(credentials, flow))
        return self.authenticator.challenge(request, flow, now, stale=state in AGAIN)

    def proved(self, user: str, request: Request) -> Source | str | Response:
        """He knows the password of `user`."""
        if self.directory.get(user) is None:
            return self.source(self.sources.users[user], request)
        if request.from_.uri.user_decoded != user and not is_anonymous(request):
            return respond(request, 403, "Not your number", to_tag=self.authenticator.tag)
        return user

    def unproved(self, request: Request, flow: Flow, now: float) -> Response:
        """For who has no credentials for us: he is asked, or refused when none could help him."""
        if not self.is_stranger(request):
            return self.authenticator.challenge(request, flow, now, stale=False)
        if self.whereabouts is not None and self.whereabouts.unknown:
            headers = [("retry-after", RETRY_AFTER)]
            return respond(request, 503, "Not all peers are known yet", to_tag=self.authenticator.tag, headers=headers)
        if self.peers:
            self.expect(str(request.from_.uri), flow)
            return self.authenticator.challenge(request, flow, now, stale=False)
        if flow.reliable:
            self.authenticator.blame(flow.remote[0], str(request.from_.uri))
        return self.refused(request, flow, flow.reliable)

    def expect(self, user: str, flow: Flow) -> None:
        """A stranger is asked: over a connection he has some seconds to prove anything."""
        if flow.reliable:
            timer, users = self.asked.get(flow) or (self.gateway.wheel.start(PATIENCE, self.give_up, flow), [])
            self.asked[flow] = timer, [*users, user][-MOST_ASKED:]

    def give_up(self, flow: Flow) -> None:
        """He has proved nothing."""
        for user in self.asked.pop(flow)[1]:
            self.authenticator.blame(flow.remote[0], user)

    def is_stranger(self, request: Request) -> bool:
        """Does he say that he is of another domain?"""
        host = request.from_.uri.host.lower().rstrip(".")
        if host == self.directory.domain or "." not in host or host.endswith(NO_DOMAIN):
            return False
        return not numeric(host) and not is_anonymous(request)

    def refused(self, request: Request, flow: Flow, is_there: bool) -> Response:
        """403 for a stranger, and a word for the operator: it may be a carrier whose addresses are new. Once a second
        for an address, and into the records only if he `is_there`: datagrams of anybody could fill a disk."""
        self.strangers += 1
        host, uri = flow.remote[0], str(request.from_.uri)[:LONGEST]
        if self.gateway.complaints.allowed(self.gateway.clock(), host):
            log.warning("a call of %r from %s is refused: it comes from no line or trunk", uri, host)
            if is_there:
                self.write(rows_of(request, self.gateway.layer.ids.call(), self.wall()))
        return respond(request, 403, UNKNOWN_PEER, to_tag=self.authenticator.tag, headers=REFUSED)


def rows_of(request: Request, call: str, wall: float) -> list[dict[str, Any]]:
    """The rows of a call that was refused at once."""
    sender = request.from_
    record = CallRecord(number_in(sender.uri), sender.display or "", dialled(request), wall)
    record.close(wall, "", 403, UNKNOWN_PEER)
    return record.rows(call)


def account(record: Line | Trunk, user: str, realm: str) -> Account:
    """What a trunk proves itself by."""
    secret = getattr(record, "incoming_secret", "")
    md5, sha256 = (bytes.fromhex(ha1(user, realm, secret, algorithm)) for algorithm in ("MD5", "SHA-256"))
    return Account(record.name, md5, sha256)
