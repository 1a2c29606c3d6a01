"""Requests that wait for the answer of a call: whom a CANCEL is for, and what is done when the call's process dies.

A phone repeats its request, and the gateway that has a transaction for it absorbs that: so what got lost with a process
is lost for the phone until it gives up after 32 s, and an INVITE whose call has vanished would be kept for ever. So:

* A call's process that is another one now (new epoch) gets requests inside dialogs once more: its call goes on from the
  journal, where these are not yet. A new INVITE is answered 500: a call that was being set up is over.
* Every AUDIT_SECONDS the call of each INVITE that waits is looked for. When it is nowhere, or its process has been away
  for longer than a restart takes, the INVITE is answered 500.

The gateway's own calls are in the same boat with it and need no second delivery; they are looked for, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.link import LinkError, Links
from actors.reference import Ref
from gateways.sip.gateway import SipGateway
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.message import Request, respond

__all__ = ["Unanswered"]

SWEEP_SECONDS = 1.0
AUDIT_SECONDS = 10.0
ASK_SECONDS = 5.0
MOST = 20_000
"""Requests that are remembered; one lives some seconds, so this is thousands of calls a second."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """A request, the call that it is for, and when that was last known to be there."""

    ref: Ref
    request: Request
    flow: Any
    looked: float


class Unanswered:
    """Of one gateway, by server transaction. `exists(ref)`: is this call here? `tag`: for answers of nobody's."""

    def __init__(self, me: str, gateway: SipGateway, links: Links, exists: Callable[[Ref], bool], tag: str) -> None:
        self.me = me
        self.gateway = gateway
        self.links = links
        self.exists = exists
        self.tag = tag
        self.waiting: dict[int, Waiting] = {}
        self.sweeping = False
        self.asked: set[asyncio.Task[None]] = set()
        links.on_up(self.up)

    def add(self, event: RequestReceived, ref: Ref) -> None:
        """This request is the call's to answer."""
        self.waiting[event.server] = Waiting(ref, event.request, event.flow, self.gateway.clock())
        if len(self.waiting) > MOST:
            del self.waiting[next(iter(self.waiting))]
        self.sweep_later()

    def ref(self, server: int) -> Ref | None:
        """The call of an INVITE that is not answered."""
        found = self.waiting.get(server)
        return None if found is None else found.ref

    def up(self, peer: str, epoch: int, is_new: bool) -> None:
        """A process of calls is there, perhaps another one."""
        del epoch
        for server, one in list(self.waiting.items()) if is_new else ():
            if one.ref.host != peer or not self.gateway.layer.awaits(server):
                continue
            if one.request.to.tag:
                one.ref.tell(RequestReceived((self.me, server), one.request, one.flow))
            else:
                self.give_up(server, "its process has died")

    def sweep(self) -> None:
        """Forget what was answered; look for the calls of INVITEs that wait for long."""
        self.sweeping = False
        now = self.gateway.clock()
        for server, one in list(self.waiting.items()):
            if not self.gateway.layer.awaits(server):
                del self.waiting[server]
            elif one.request.method == "INVITE" and now - one.looked > AUDIT_SECONDS:
                one.looked = now
                self.look(server, one.ref)
        self.sweep_later()

    def sweep_later(self) -> None:
        """While there is anything to look at."""
        if self.waiting and not self.sweeping:
            self.sweeping = True
            self.gateway.wheel.start(SWEEP_SECONDS, self.sweep)

    def look(self, server: int, ref: Ref) -> None:
        """Is the call of this INVITE there?"""
        if ref.host == self.me:
            if not self.exists(ref):
                self.give_up(server, "its call has vanished")
            return
        task = asyncio.get_running_loop().create_task(self.ask(server, ref))
        self.asked.add(task)
        task.add_done_callback(self.asked.discard)

    async def ask(self, server: int, ref: Ref) -> None:
        """The same, elsewhere; the question waits in the link for a process that is being started."""
        try:
            there = await self.links.ask(ref.host, "exists", [ref.kind, ref.key], ASK_SECONDS)
        except LinkError as error:
            log.warning("%s: %s", ref, error)
            there = False
        if not there:
            self.give_up(server, "its call is not there")

    def give_up(self, server: int, why: str) -> None:
        """500, unless it was answered meanwhile; phones that ring for this call hear CANCEL."""
        one = self.waiting.pop(server, None)
        if one is None or not self.gateway.layer.awaits(server):
            return
        log.warning("INVITE %s of %s is answered 500: %s", one.request.call_id, one.ref, why)
        headers = [("retry-after", "1")]
        self.gateway.respond(server, respond(one.request, 500, to_tag=self.tag, headers=headers))
        if not one.request.to.tag:
            for key in [key for key in self.gateway.layer.invites if key[:2] == (one.ref.host, one.ref.key)]:
                self.gateway.cancel(key)
