"""The server transactions: RFC 3261 figures 7 (INVITE, as changed by RFC 6026 figure 5) and 8 (others).

Both keep the octets of their last response and nothing else of the exchange; the request itself is kept only until the
first response, for the 100 that its gateway may have to send.

A transport error changes nothing (RFC 6026 §8.8).  Timer H ends the wait for an ACK without a word, where §17.2.1 has
the user told: it has refused the INVITE and has nothing left to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rayswitch.sip.effects import Deliver
from rayswitch.sip.events import AckReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.machine import TERMINATED, Effects, Machine, Table, Timers
from rayswitch.sip.message import BadMessage, Request, Response, parse


class Server(Machine):
    """What both have: the request until it is answered, and the key under which merged requests are found."""

    __slots__ = ("merge", "request")

    def __init__(self, number: int, index: Any, flow: Flow, timers: Timers, request: Request, merge: Any) -> None:
        super().__init__(number, index, flow, timers)
        self.request: Request | None = request
        self.merge = merge

    def send(self, response: Response, out: Effects) -> None:
        """A response of the user: the one that is repeated from now on."""
        self.request = None
        self.data = response.encode()
        self.transmit(None, out)

    def to_tag(self) -> str | None:
        """The To tag of the last response, when it had one and is still at hand."""
        try:
            return parse(self.data).to.tag if self.data else None
        except BadMessage:
            return None


class InviteServer(Server):
    """INVITE: proceeding → completed → confirmed, or → accepted (RFC 6026 §7.1)."""

    __slots__ = ()
    START = "proceeding"

    def await_ack(self, argument: Any, out: Effects) -> None:
        """Timers G (unreliable only) and H."""
        if not self.flow.reliable:
            self.start("G", self.timers.t1, out)
        self.start("H", self.timers.patience, out)

    def again(self, argument: Any, out: Effects) -> None:
        """Timer G doubles up to T2."""
        self.transmit(None, out)
        self.interval = min(2 * self.interval, self.timers.t2)
        self.start("G", self.interval, out)

    def confirm(self, argument: Any, out: Effects) -> None:
        """Timer I: the ACK may come more than once."""
        self.data = b""
        self.linger("I", self.timers.t4, out)

    def accept(self, argument: Any, out: Effects) -> None:
        """Timer L: repetitions of the INVITE are ours, of the 2xx the user's."""
        self.start("L", self.timers.patience, out)

    def forget_octets(self, argument: Any, out: Effects) -> None:
        """The user repeats its 2xx itself."""
        self.data = b""

    def pass_ack(self, event: AckReceived, out: Effects) -> None:
        """An ACK of a 2xx with the INVITE's own branch (RFC 2543)."""
        out.append(Deliver(event))

    TABLE: ClassVar[Table] = {
        ("proceeding", "request"): ("proceeding", (Machine.transmit,)),
        ("proceeding", "1xx"): ("proceeding", (Server.send,)),
        ("proceeding", "2xx"): ("accepted", (Server.send, accept, forget_octets)),
        ("proceeding", "failure"): ("completed", (Server.send, await_ack)),
        ("completed", "request"): ("completed", (Machine.transmit,)),
        ("completed", "G"): ("completed", (again,)),
        ("completed", "H"): (TERMINATED, ()),
        ("completed", "ack"): ("confirmed", (confirm,)),
        ("confirmed", "ack"): ("confirmed", ()),
        ("confirmed", "request"): ("confirmed", ()),
        ("confirmed", "I"): (TERMINATED, ()),
        ("accepted", "2xx"): ("accepted", (Server.send, forget_octets)),
        ("accepted", "request"): ("accepted", ()),
        ("accepted", "ack"): ("accepted", (pass_ack,)),
        ("accepted", "L"): (TERMINATED, ()),
    }


class OtherServer(Server):
    """Anything but INVITE: trying → proceeding → completed."""

    __slots__ = ()
    START = "trying"

    def complete(self, argument: Any, out: Effects) -> None:
        """Timer J."""
        self.linger("J", self.timers.patience, out)

    TABLE: ClassVar[Table] = {
        ("trying", "request"): ("trying", ()),
        ("trying", "1xx"): ("proceeding", (Server.send,)),
        ("trying", "2xx"): ("completed", (Server.send, complete)),
        ("trying", "failure"): ("completed", (Server.send, complete)),
        ("proceeding", "request"): ("proceeding", (Machine.transmit,)),
        ("proceeding", "1xx"): ("proceeding", (Server.send,)),
        ("proceeding", "2xx"): ("completed", (Server.send, complete)),
        ("proceeding", "failure"): ("completed", (Server.send, complete)),
        ("completed", "request"): ("completed", (Machine.transmit,)),
        ("completed", "J"): (TERMINATED, ()),
    }
