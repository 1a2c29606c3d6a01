"""The transaction layer (RFC 3261 §17, RFC 6026): matching, numbering, and the tables of the four machines.

A message from the network goes to the machine it matches (§17.1.3, 17.2.3; peers of RFC 2543 by §17.2.3's second
rule), or makes a new server machine and goes to the user.  The user answers by server number and sends by a key of its
own.

Every method returns effects: `Transmit`, `StartTimer`, `Deliver`.  A transaction that only waits out repetitions holds
the octets of its last message at most.
"""

from __future__ import annotations

import itertools
from typing import Any

from rayswitch.sip.client_machines import Client, InviteClient, OtherClient, cancel_of
from rayswitch.sip.effects import Deliver
from rayswitch.sip.events import (
    AckReceived,
    CancelReceived,
    CancelUnmatched,
    RequestReceived,
    ResponseReceived,
)
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import MAGIC, Identifiers
from rayswitch.sip.machine import TERMINATED, Effects, Machine, Timers, kind_of
from rayswitch.sip.message import BadMessage, Request, Response, respond
from rayswitch.sip.response_address import response_flow
from rayswitch.sip.server_machines import InviteServer, OtherServer, Server


def is_for_another(response: Response) -> bool:
    """Does more than our Via stand in it, readable or not (§8.1.3.3)?"""
    try:
        return len(response.values("via")) > 1
    except BadMessage:
        return True


class TransactionLayer:
    """All transactions of one gateway; `first` is the number that its first server transaction gets."""

    def __init__(self, ids: Identifiers, timers: Timers | None = None, first: int = 1) -> None:
        self.ids = ids
        self.timers = timers or Timers()
        self.next = first
        self.machines: dict[int, Machine] = {}
        self.clients: dict[Any, Client] = {}
        self.servers: dict[Any, Server] = {}
        self.invites: dict[Any, InviteClient] = {}
        """INVITE clients by the user's key, for `cancel`."""
        self.merges: dict[Any, int] = {}
        """Initial requests by (Call-ID, From tag, CSeq): a second one, by another path, is refused 482 (§8.2.2.2)."""

        self.unanswered: dict[int, float] = {}
        """When each request but INVITE came that has no final answer yet, oldest first."""

    # -- from the network ----------------------------------------------------------------------------------------------

    def receive(self, message: Request | Response, flow: Flow, now: float) -> Effects:
        """A message that came over `flow`; `flow.remote` is where it really came from."""
        out: Effects = []
        if isinstance(message, Request):
            self._request(message, flow, now, out)
        else:
            self._response(message, flow, out)
        return out

    def _response(self, response: Response, flow: Flow, out: Effects) -> None:
        if is_for_another(response):
            return
        client = self.clients.get((response.via.branch, response.cseq.method))
        if client is not None:
            self._step(client, kind_of(response.status), response, out)
        elif response.cseq.method == "INVITE" and 200 <= response.status < 300:
            out.append(Deliver(ResponseReceived(None, response, flow)))

    def _request(self, request: Request, flow: Flow, now: float, out: Effects) -> None:
        server = self.servers.get(self._index(request))
        if request.method == "ACK":
            self._ack(server, request, flow, out)
        elif request.method == "CANCEL":
            self._cancel(server, request, flow, out)
        elif server is not None:
            self._step(server, "request", None, out)
        else:
            self._open(request, flow, now, out)

    def _ack(self, server: Server | None, request: Request, flow: Flow, out: Effects) -> None:
        event = AckReceived(request, flow)
        if server is None:
            out.append(Deliver(event))
        else:
            self._step(server, "ack", event, out)

    def _cancel(self, server: Server | None, request: Request, flow: Flow, out: Effects) -> None:
        """§9.2: the CANCEL is a transaction of its own, answered here."""
        index = self._index(request, "CANCEL")
        known = self.servers.get(index)
        if known is not None:
            self._step(known, "request", None, out)
        elif server is None:
            out.append(Deliver(CancelUnmatched(request, flow)))
        else:
            self._answer_cancel(index, request, flow, 200, server.to_tag(), out)
            if server.state == "proceeding":
                out.append(Deliver(CancelReceived(server.number, request.get("reason"))))

    def knows(self, request: Request) -> bool:
        """Is there a server transaction of this request here; for a CANCEL, of its INVITE?"""
        return self._index(request) in self.servers

    def refuse_cancel(self, request: Request, flow: Flow, now: float) -> Effects:
        """481: nobody knows the INVITE of this CANCEL."""
        out: Effects = []
        index = self._index(request, "CANCEL")
        known = self.servers.get(index)
        if known is None:
            self._answer_cancel(index, request, flow, 481, None, out)
        else:  # it came again while the other gateways were asked
            self._step(known, "request", None, out)
        return out

    def _answer_cancel(
        self, index: Any, request: Request, flow: Flow, status: int, tag: str | None, out: Effects
    ) -> None:
        """`tag`: of what the INVITE was answered with so far (§9.2)."""
        request.stamp(*flow.remote)
        machine = OtherServer(self._number(), index, response_flow(request, flow), self.timers, request, None)
        self._keep_server(machine)
        response = respond(request, status, to_tag=tag or self.ids.loose_tag())
        self._step(machine, kind_of(status), response, out)

    def _open(self, request: Request, flow: Flow, now: float, out: Effects) -> None:
        """A new server transaction."""
        index = self._index(request)
        merge = None if request.to.tag else (request.call_id, request.from_.tag, request.cseq.number, request.method)
        request.stamp(*flow.remote)
        kind = InviteServer if request.method == "INVITE" else OtherServer
        machine = kind(self._number(), index, response_flow(request, flow), self.timers, request, merge)
        self._keep_server(machine)
        if merge is not None:
            if merge in self.merges:
                machine.merge = None
                self._step(machine, "failure", respond(request, 482, to_tag=self.ids.loose_tag()), out)
                return
            self.merges[merge] = machine.number
        if kind is OtherServer:
            self._drop_unanswered(now)
            self.unanswered[machine.number] = now
        out.append(Deliver(RequestReceived(machine.number, request, flow)))

    def _drop_unanswered(self, now: float) -> None:
        """After 64 × T1 nobody waits for the answer any more, and none may be sent (RFC 4320 §4.2); a user that has
        lost the request costs no memory for ever."""
        due = now - self.timers.patience
        for number, _ in list(itertools.takewhile(lambda item: item[1] <= due, self.unanswered.items())):
            del self.unanswered[number]
            self._forget(self.machines[number])

    # -- from the user -------------------------------------------------------------------------------------------------

    def request(self, key: Any, request: Request, flow: Flow, now: float) -> Effects:
        """Send `request` over `flow` in a new client transaction; its events carry `key` (None: no events).

        The request gets our Via, and is the layer's from now on.
        """
        out: Effects = []
        branch = self.ids.branch()
        request.prepend("via", via_of(flow, branch))
        self._client(key, request, flow, branch, out)
        return out

    def cancel(self, key: Any, now: float, reason: str | None = None) -> Effects:
        """CANCEL the INVITE sent under `key`: now, or as soon as a provisional response is there (§9.1)."""
        out: Effects = []
        client = self.invites.get(key)
        if client is not None and client.cancelling is None:
            client.cancelling = reason or ""
            if client.state == "proceeding":
                self._send_cancel(client, out)
        return out

    def respond(self, server: int, response: Response, now: float) -> Effects:
        """Answer a request; for a transaction that is over, or already has its final answer, nothing happens."""
        out: Effects = []
        machine = self.machines.get(server)
        if isinstance(machine, Server):
            self._step(machine, kind_of(response.status), response, out)
        return out

    def awaits(self, server: int) -> bool:
        """Is this a request that has no final answer yet?"""
        machine = self.machines.get(server)
        return isinstance(machine, Server) and machine.state in ("trying", "proceeding")

    def trying(self, server: int, now: float) -> Effects:
        """100 to an INVITE whose user has not said anything yet (§17.2.1)."""
        machine = self.machines.get(server)
        if not isinstance(machine, InviteServer) or machine.request is None:
            return []
        return self.respond(server, respond(machine.request, 100), now)

    # -- from the shell ------------------------------------------------------------------------------------------------

    def expired(self, timer: tuple[Any, ...], now: float) -> Effects:
        """A timer that `StartTimer` started has run out."""
        out: Effects = []
        name, number = timer
        machine = self.machines.get(number)
        if machine is not None:
            self._step(machine, name, None, out)
        return out

    def failed(self, flow: Flow, now: float) -> Effects:
        """Nothing can be sent over `flow` any more: every request that waits there is unreachable (§17.1.4)."""
        out: Effects = []
        for client in [client for client in self.clients.values() if client.flow == flow]:
            self._step(client, "error", None, out)
        return out

    # -- machines ------------------------------------------------------------------------------------------------------

    def _client(self, key: Any, request: Request, flow: Flow, branch: str, out: Effects) -> None:
        kind = InviteClient if request.method == "INVITE" else OtherClient
        machine = kind(self._number(), (branch, request.method), flow, self.timers, key, request)
        self.machines[machine.number] = machine
        self.clients[machine.index] = machine
        if isinstance(machine, InviteClient):
            self.invites[key] = machine
        self._step(machine, "begin", None, out)

    def _send_cancel(self, client: InviteClient, out: Effects) -> None:
        """The CANCEL, and timer X: an INVITE without final response 64 × T1 later is given up (§9.1)."""
        assert client.request is not None and client.cancelling is not None
        cancel = cancel_of(client.request, client.cancelling)
        self._client(None, cancel, client.flow, client.index[0], out)
        client.start("X", self.timers.patience, out)

    def _step(self, machine: Machine, event: str, argument: Any, out: Effects) -> None:
        """One transition and what follows from it for the tables."""
        before = machine.state
        if not machine.step(event, argument, out):
            return
        state = machine.state
        if state == before:
            return
        if isinstance(machine, InviteClient):
            self._invite_moved(machine, out)
        elif state != "proceeding":
            self.unanswered.pop(machine.number, None)
        if state == TERMINATED:
            self._forget(machine)

    def _invite_moved(self, machine: InviteClient, out: Effects) -> None:
        if machine.state != "proceeding":
            self.invites.pop(machine.key, None)
        elif machine.cancelling is not None:
            self._send_cancel(machine, out)

    def _keep_server(self, machine: Server) -> None:
        self.machines[machine.number] = machine
        self.servers[machine.index] = machine

    def _forget(self, machine: Machine) -> None:
        del self.machines[machine.number]
        if isinstance(machine, Server):
            self.servers.pop(machine.index, None)
            if machine.merge is not None:
                self.merges.pop(machine.merge, None)
        else:
            self.clients.pop(machine.index, None)

    def _number(self) -> int:
        self.next += 1
        return self.next

    def _index(self, request: Request, method: str | None = None) -> Any:
        """The key of §17.2.3; ACK and CANCEL find the INVITE they belong to."""
        via = request.via
        branch = via.branch
        kind = method or ("INVITE" if request.method in ("ACK", "CANCEL") else request.method)
        if branch is not None and branch.startswith(MAGIC):
            return (branch, via.host, via.port, kind)
        return (request.call_id, request.from_.tag, request.cseq.number, str(via), request.uri, kind)


def via_of(flow: Flow, branch: str) -> str:
    """Our Via on a flow: sent-by is its local address; rport because the peer shall answer to the source (RFC 3581)."""
    host, port = flow.local
    shown = f"[{host}]" if ":" in host else host
    return f"SIP/2.0/{flow.transport} {shown}:{port};rport;branch={branch}"
