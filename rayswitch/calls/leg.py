"""A half call: our side of one dialog with one phone (RFC 3261 §12), and what must be remembered about it.

The caller's half is leg 0; each device of the called one is a leg from 1 on. A leg knows no other leg: what passes
from one to the other passes through `Call`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rayswitch.calls.session_interval import SessionTimer
from rayswitch.sdp.anchor import Endpoint, anchor, signed
from rayswitch.sdp.session import Session
from rayswitch.sdp.session import parse as parse_session
from rayswitch.sip.answering import Answering
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage, Message, Request, Response, parse

if TYPE_CHECKING:
    from rayswitch.calls.features.reliable import Confirmed, Promised


class Unacknowledged:
    """A 2xx that waits for its ACK: sent again after `interval`, given up after 64 × T1 (RFC 3261 §13.3.1.4).

    It was first sent at `since` (unix time) in the server transaction `server`, None when that died with its process.
    `bye` says that the call has ended meanwhile: no BYE may overtake the ACK (§15), so it waits here with its `reason`.
    """

    __slots__ = ("bye", "cseq", "interval", "reason", "response", "server", "since", "waited")

    def __init__(self, server: Any, response: Response, cseq: int, t1: float, since: float) -> None:
        self.server = server
        self.response = response
        self.cseq = cseq
        self.interval = t1
        self.since = since
        self.waited = 0.0
        self.bye = False
        self.reason: str | None = None

    def snapshot(self) -> list[Any]:
        """Plain values; who takes the call up decides whether it is still of interest."""
        return [self.cseq, self.interval, self.since, self.response.encode()]

    @classmethod
    def restore(cls, plain: list[Any]) -> Unacknowledged:
        """The inverse of `snapshot`."""
        cseq, interval, since, response = plain
        message = parse(response)
        assert isinstance(message, Response)
        return cls(None, message, cseq, interval, since)


class Leg:
    """One half call: `dialog` is None until the other side has answered with a tag."""

    __slots__ = (
        "ack", "answering", "confirmed", "cseq", "dialog", "early", "flow", "heard", "index", "invite", "min_se",
        "number", "peer_allows", "promised", "proof", "referred", "rights", "sdp", "sdp_body", "server", "side",
        "timer", "unacknowledged", "version",
    )  # fmt: skip

    def __init__(self, index: int, flow: Flow) -> None:
        self.index = index
        self.flow = flow
        self.side = "b" if index else "a"
        """ "a" for the caller, "b" for the called one: whose ports its media has (see `MediaPlan`)."""
        self.number = self.rights = ""
        """Who it is: the number that others see, and what the dial plan calls him (see `Dialled`)."""
        self.referred = False
        """Has it sent a REFER?"""
        self.dialog: Dialog | None = None
        self.early: Response | None = None
        """Its last provisional response: an early dialog (§12.1), made when something comes inside it."""
        self.invite: Request | None = None
        """The initial INVITE while it is unanswered."""
        self.cseq = 1
        """Number of our INVITE to a device."""
        self.server: Any = None
        """Server transaction of the caller's INVITE while it is unanswered."""
        self.sdp: Session | None = None
        """What the peer last said."""
        self.sdp_body = b""
        """What we last said to it."""
        self.version = 0
        self.unacknowledged: Unacknowledged | None = None
        self.ack: Request | None = None
        """Our ACK of the peer's last 2xx, for when that comes again."""
        self.answering: Answering | None = None
        """Proves to a line or trunk who we are."""
        self.proof: list[tuple[str, str]] = []
        """The credentials in our last INVITE: its ACK has the same (§13.2.2.4)."""
        self.peer_allows = ""
        self.promised: Promised | None = None
        self.confirmed: Confirmed | None = None
        """Reliable provisional responses: ours to the caller, and those of a device."""
        self.heard = 0
        """The device whose description the caller has, 0 while he has none."""
        self.timer: SessionTimer | None = None
        self.min_se = 0
        """The shortest session interval that this peer has told us it would take, 0: it has not."""

    @property
    def call_id(self) -> str:
        """The Call-ID of its dialog, "" without one."""
        return self.dialog.call_id if self.dialog else ""

    def confirm_early(self) -> None:
        """Make the early dialog, unless there is one."""
        if self.dialog is None and self.early is not None and not self.meet(self.early):
            self.early = None

    def meet(self, response: Response) -> bool:
        """The dialog that a response to our INVITE makes, or confirms (§13.2.2.4); False when it cannot.

        An early one of the same tags goes on: its route is new, its numbers stay.
        """
        if self.invite is None:
            return False
        try:
            dialog = Dialog.uac(self.invite, response)
        except BadMessage:
            return False
        known, self.dialog = self.dialog, dialog
        if known is not None:
            dialog.local_seq = max(dialog.local_seq, known.local_seq)
            if known.remote_tag == dialog.remote_tag:
                dialog.remote_seq = known.remote_seq
        return True

    def hear(self, message: Message) -> None:
        """Note what the peer says it can do."""
        allow = message.get("allow")
        if allow is not None:
            self.peer_allows = allow.upper()

    def contact(self, call: str) -> str:
        """Our Contact towards this peer: the address it already sends to, and a user part that carries the owner."""
        return contact(call, self.flow)

    def describe(self, session: Session, endpoints: list[Endpoint | None] | None, origin: int) -> bytes:
        """The peer's view of `session`: our addresses; the version in o= rises with every change (RFC 3264 §8).
        Without endpoints the addresses are the other side's own."""
        body = described(session, endpoints, origin, self.version)
        if body != self.sdp_body and self.sdp_body:
            self.version += 1
            body = described(session, endpoints, origin, self.version)
        self.sdp_body = body
        return body

    def snapshot(self) -> list[Any]:
        """Plain values of an answered half call."""
        dialog = self.dialog.snapshot() if self.dialog else None
        waiting = self.unacknowledged.snapshot() if self.unacknowledged else None
        timer = self.timer.snapshot() if self.timer else None
        said = self.sdp.source if self.sdp else None
        return [
            self.index, self.side, list(self.flow), dialog, self.version, self.sdp_body, said, self.peer_allows,
            waiting, timer, self.min_se, self.number, self.rights,
        ]  # fmt: skip

    @classmethod
    def restore(cls, plain: list[Any]) -> Leg:
        """The inverse of `snapshot`."""
        index, side, flow, dialog, version, sdp_body, said, allows, waiting, timer, min_se, number, rights = plain
        leg = cls(index, Flow.of(flow))
        leg.side, leg.version, leg.sdp_body, leg.peer_allows, leg.min_se = side, version, sdp_body, allows, min_se
        leg.number, leg.rights = number, rights
        leg.sdp = parse_session(said) if said else None
        leg.dialog = Dialog.restore(dialog) if dialog else None
        if leg.dialog is not None:
            leg.dialog.local_seq += UNSEEN
        leg.unacknowledged = Unacknowledged.restore(waiting) if waiting else None
        leg.timer = SessionTimer(*timer) if timer else None
        return leg


def described(session: Session, endpoints: list[Endpoint | None] | None, origin: int, version: int) -> bytes:
    """`session` as we tell it."""
    if endpoints is None:
        return signed(session, origin, version)
    return anchor(session, endpoints, origin, version)


UNSEEN = 1000
"""More requests than are sent between two snapshots: whoever takes a call up again leaves these numbers out, so that
none is used twice; a gap in the CSeq is no error (RFC 3261 §12.2.2)."""


def contact(user: str, flow: Flow) -> str:
    """`<sip:user@host:port;transport=…>` of our end of a flow."""
    return f"<sip:{user}@{hostport(flow.local)}{TRANSPORT_PARAMS.get(flow.transport, '')}>"


def hostport(address: tuple[str, int]) -> str:
    """An address as URIs write it, IPv6 in brackets (RFC 3261 §25.1)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


TRANSPORT_PARAMS = {"TCP": ";transport=tcp", "TLS": ";transport=tls"}
