"""How a call reaches the SIP gateway that sends for it: directly in the same process, or over a link.

`SipPort` performs the five SIP effects of a call.  The key of a client transaction is (owner host, kind, entity, key
of the entity), so that the gateway knows whose it is; a server transaction is (gateway, number).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from actors.link import Links
from actors.ways import Ways
from gateways.sip.gateway import SipGateway
from rayswitch.calls import effects as fx
from rayswitch.members import Members
from rayswitch.sip.flow import Flow


class SipPort(Protocol):
    """Performs SIP effects for entities of host `owner`."""

    def perform(self, entity: str, effect: Any) -> None:
        """Do `Respond`, `SendRequest`, `CancelRequest`, `SendAck` or `RepeatAnswer` for the call `entity`."""

    def reach(self, flow: Flow, gateway: str, new: bool = False) -> Flow:
        """The way to where `flow` leads, now: one of `gateway` when its own is no more; what is `new` does not begin
        by way of one that is drained."""

    def follow(self, members: Members) -> None:
        """Which gateways there are."""


class LocalSip:
    """The gateway is in this process; other gateways' transactions are reached through `remote`."""

    def __init__(self, owner: str, gateway: SipGateway, remote: RemoteSip) -> None:
        self.owner = owner
        self.gateway = gateway
        self.remote = remote

    def perform(self, entity: str, effect: Any) -> None:
        """Here, unless the transaction is another gateway's."""
        if gateway_of(effect) == self.owner:
            carry_out(self.gateway, self.owner, entity, effect)
        else:
            self.remote.perform(entity, effect)

    def reach(self, flow: Flow, gateway: str, new: bool = False) -> Flow:
        """As this gateway knows, whose calls these are."""
        del gateway
        return self.gateway.flows.reach(flow, new)

    def follow(self, members: Members) -> None:
        """The gateway follows them itself."""


class RemoteSip:
    """The gateway is another process: the effect travels as it is."""

    def __init__(self, owner: str, links: Links) -> None:
        self.owner = owner
        self.links = links
        self.ways = Ways(links)

    def perform(self, entity: str, effect: Any) -> None:
        """Tell the gateway; when it is down the transaction died with it, and its retransmissions find another."""
        self.links.tell(gateway_of(effect), "sip", [entity, effect])

    def reach(self, flow: Flow, gateway: str, new: bool = False) -> Flow:
        """As the members say."""
        return self.ways.reach(flow, gateway, new)

    def follow(self, members: Members) -> None:
        """They have the ways."""
        self.ways.follow(members)


def gateway_of(effect: Any) -> str:
    """The gateway whose transaction or flow an effect needs."""
    if isinstance(effect, fx.Respond):
        return str(effect.server[0])
    return str(effect.flow.gateway or effect.gateway)


def carry_out(gateway: SipGateway, owner: str, entity: str, effect: Any) -> None:
    """Perform an effect of `entity` on host `owner` with this process's gateway."""
    PERFORM[type(effect)](gateway, owner, entity, effect)


def respond(gateway: SipGateway, owner: str, entity: str, effect: fx.Respond) -> None:
    gateway.respond(effect.server[1], effect.response)


def request(gateway: SipGateway, owner: str, entity: str, effect: fx.SendRequest) -> None:
    gateway.request((owner, entity, effect.key), effect.request, effect.flow)


def cancel(gateway: SipGateway, owner: str, entity: str, effect: fx.CancelRequest) -> None:
    gateway.cancel((owner, entity, effect.key), effect.reason)


def ack(gateway: SipGateway, owner: str, entity: str, effect: fx.SendAck) -> None:
    gateway.send_stateless(effect.request, effect.flow)


def repeat(gateway: SipGateway, owner: str, entity: str, effect: fx.RepeatAnswer) -> None:
    gateway.transmit(effect.flow, effect.response.encode())


PERFORM: dict[type, Callable[[SipGateway, str, str, Any], None]] = {
    fx.Respond: respond,
    fx.SendRequest: request,
    fx.CancelRequest: cancel,
    fx.SendAck: ack,
    fx.RepeatAnswer: repeat,
}
