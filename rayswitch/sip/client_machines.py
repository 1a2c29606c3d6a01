"""The client transactions: RFC 3261 figures 5 (INVITE, as changed by RFC 6026 figure 3) and 6 (others).

The request is kept until its final response (the ACK of a failure and a CANCEL are made from it); after that only the
octets of the ACK are.  CANCEL waits for a provisional response by itself (§9.1).

Each key has one outcome: a final response, TimedOut or Unreachable.  So a transport error after the final response
ends the wait without a word, where figure 5 would inform the user once more.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rayswitch.sip.effects import Deliver
from rayswitch.sip.events import ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.flow import Flow
from rayswitch.sip.machine import TERMINATED, Effects, Machine, Table, Timers
from rayswitch.sip.message import Request, Response


class Client(Machine):
    """What both have: the user's key, and the request until it is answered."""

    __slots__ = ("key", "request")

    def __init__(self, number: int, index: Any, flow: Flow, timers: Timers, key: Any, request: Request) -> None:
        super().__init__(number, index, flow, timers)
        self.key = key
        self.request: Request | None = request
        self.data = request.encode()

    def pass_up(self, response: Response, out: Effects) -> None:
        """To the user; nobody asked for the response to our CANCEL."""
        if self.key is not None:
            out.append(Deliver(ResponseReceived(self.key, response, self.flow)))

    def finished(self, argument: Any, out: Effects) -> None:
        """From now on nothing of the request is needed."""
        self.request = None
        self.data = b""

    def timed_out(self, argument: Any, out: Effects) -> None:
        """Timer B or F: as if 408 had come (§8.1.3.1)."""
        if self.key is not None:
            out.append(Deliver(TimedOut(self.key)))

    def unreachable(self, argument: Any, out: Effects) -> None:
        """The transport failed (§17.1.4)."""
        if self.key is not None:
            out.append(Deliver(Unreachable(self.key)))


class InviteClient(Client):
    """INVITE: calling → proceeding → completed, or → accepted (RFC 6026 §7.2)."""

    __slots__ = ("cancelling",)
    START = "calling"

    def __init__(self, number: int, index: Any, flow: Flow, timers: Timers, key: Any, request: Request) -> None:
        super().__init__(number, index, flow, timers, key, request)
        self.cancelling: str | None = None
        """Set when the user wants a CANCEL: the Reason value for it, "" for none."""

    def begin(self, argument: Any, out: Effects) -> None:
        """Send; timers A (unreliable only) and B."""
        self.transmit(None, out)
        if not self.flow.reliable:
            self.start("A", self.timers.t1, out)
        self.start("B", self.timers.patience, out)

    def again(self, argument: Any, out: Effects) -> None:
        """Timer A doubles without bound; B ends it."""
        self.transmit(None, out)
        self.interval *= 2
        self.start("A", self.interval, out)

    def heard(self, argument: Any, out: Effects) -> None:
        """A provisional response: no more repetitions."""
        self.data = b""

    def acknowledge(self, response: Response, out: Effects) -> None:
        """The ACK of a failure (§17.1.1.3), the same for every repetition of it."""
        if self.request is not None:
            self.data = ack_of(self.request, response).encode()
            self.request = None
        self.transmit(None, out)

    def quiet(self, argument: Any, out: Effects) -> None:
        """Timer D."""
        self.linger("D", self.timers.d, out)

    def accepted(self, argument: Any, out: Effects) -> None:
        """Timer M: further 2xx, of forks, still go to the user."""
        self.start("M", self.timers.patience, out)

    TABLE: ClassVar[Table] = {
        ("calling", "begin"): ("calling", (begin,)),
        ("calling", "A"): ("calling", (again,)),
        ("calling", "B"): (TERMINATED, (Client.timed_out,)),
        ("calling", "error"): (TERMINATED, (Client.unreachable,)),
        ("calling", "1xx"): ("proceeding", (heard, Client.pass_up)),
        ("calling", "2xx"): ("accepted", (Client.finished, Client.pass_up, accepted)),
        ("calling", "failure"): ("completed", (acknowledge, Client.pass_up, quiet)),
        ("proceeding", "1xx"): ("proceeding", (Client.pass_up,)),
        ("proceeding", "2xx"): ("accepted", (Client.finished, Client.pass_up, accepted)),
        ("proceeding", "failure"): ("completed", (acknowledge, Client.pass_up, quiet)),
        ("proceeding", "error"): (TERMINATED, (Client.unreachable,)),
        ("proceeding", "X"): (TERMINATED, (Client.timed_out,)),
        ("completed", "failure"): ("completed", (acknowledge,)),
        ("completed", "error"): (TERMINATED, ()),
        ("completed", "D"): (TERMINATED, ()),
        ("accepted", "2xx"): ("accepted", (Client.pass_up,)),
        ("accepted", "M"): (TERMINATED, ()),
    }


class OtherClient(Client):
    """Anything but INVITE: trying → proceeding → completed."""

    __slots__ = ()
    START = "trying"

    def begin(self, argument: Any, out: Effects) -> None:
        """Send; timers E (unreliable only) and F."""
        self.transmit(None, out)
        if not self.flow.reliable:
            self.start("E", self.timers.t1, out)
        self.start("F", self.timers.patience, out)

    def again(self, argument: Any, out: Effects) -> None:
        """Timer E doubles up to T2."""
        self.transmit(None, out)
        self.interval = min(2 * self.interval, self.timers.t2)
        self.start("E", self.interval, out)

    def again_slowly(self, argument: Any, out: Effects) -> None:
        """Somebody works on it: every T2."""
        self.transmit(None, out)
        self.start("E", self.timers.t2, out)

    def quiet(self, argument: Any, out: Effects) -> None:
        """Timer K."""
        self.linger("K", self.timers.t4, out)

    TABLE: ClassVar[Table] = {
        ("trying", "begin"): ("trying", (begin,)),
        ("trying", "E"): ("trying", (again,)),
        ("trying", "F"): (TERMINATED, (Client.timed_out,)),
        ("trying", "error"): (TERMINATED, (Client.unreachable,)),
        ("trying", "1xx"): ("proceeding", (Client.pass_up,)),
        ("trying", "2xx"): ("completed", (Client.finished, Client.pass_up, quiet)),
        ("trying", "failure"): ("completed", (Client.finished, Client.pass_up, quiet)),
        ("proceeding", "E"): ("proceeding", (again_slowly,)),
        ("proceeding", "F"): (TERMINATED, (Client.timed_out,)),
        ("proceeding", "error"): (TERMINATED, (Client.unreachable,)),
        ("proceeding", "1xx"): ("proceeding", (Client.pass_up,)),
        ("proceeding", "2xx"): ("completed", (Client.finished, Client.pass_up, quiet)),
        ("proceeding", "failure"): ("completed", (Client.finished, Client.pass_up, quiet)),
        ("completed", "K"): (TERMINATED, ()),
    }


def ack_of(request: Request, response: Response) -> Request:
    """The ACK of a failure: the INVITE's own Via, From, Call-ID and Route, the To of the response (§17.1.1.3)."""
    return _companion(request, "ACK", response.get("to"))


def cancel_of(request: Request, reason: str) -> Request:
    """The CANCEL of an INVITE (§9.1), with a Reason (RFC 3326) unless that is ""."""
    cancel = _companion(request, "CANCEL", request.get("to"))
    if reason:
        cancel.add("reason", reason)
    return cancel


def _companion(request: Request, method: str, to: str | None) -> Request:
    """One Via, the topmost: those below it, if any, are not ours to repeat."""
    headers = [("via", str(request.via)), *(("route", route) for route in request.get_all("route"))]
    headers += [
        ("max-forwards", "70"),
        ("from", request.get("from") or ""),
        ("to", to or ""),
        ("call-id", request.call_id),
        ("cseq", f"{request.cseq.number} {method}"),
    ]
    return Request.new(method, request.uri, headers)
