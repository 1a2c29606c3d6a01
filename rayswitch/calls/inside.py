"""The wire between two calls of the switch: a half call of one whose other end is a half call of another one.

What would be sent is not written and needs no transaction: nothing between two calls is lost or comes twice.  A flow
of transport INSIDE has the id of the other call in the place of a gateway; its addresses are none, they only have the
family of the media that is spoken of.  `crossing` turns an effect of one call into the event that it is for the other;
whoever hosts them hands it over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rayswitch.calls import effects as fx
from rayswitch.calls.events import Replacing
from rayswitch.sip.events import AckReceived, CancelReceived, RequestReceived, ResponseReceived
from rayswitch.sip.flow import Flow

TRANSPORT = "INSIDE"
HOSTS = {4: "0.0.0.0", 6: "::"}
SECONDS = 40.0
"""How long a request may take: longer than any transaction behind it (RFC 3261 §17: 64 × T1 = 32 s)."""


def towards(call: str, family: int) -> Flow:
    """The flow to another call, for media of that address family (4 or 6)."""
    address = (HOSTS[family], 5060)
    return Flow(TRANSPORT, address, address, call)


def is_inside(flow: Flow) -> bool:
    """Does it lead to another call?"""
    return flow.transport == TRANSPORT


def stays_inside(effect: Any) -> bool:
    """Is this SIP effect for another call?"""
    return len(effect.server) == 3 if type(effect) is fx.Respond else is_inside(effect.flow)


def crossing(id: str, effect: Any) -> tuple[str, Any]:
    """(whom an effect of call `id` is for, the event that it is there)."""
    return CROSSING[type(effect)](id, effect)


def requested(id: str, effect: fx.SendRequest) -> tuple[str, Any]:
    """A request inside the dialog, or the INVITE that begins one in the place of another."""
    request, server, back = effect.request, ("", id, effect.key), effect.flow._replace(gateway=id)
    if request.to.tag:
        return effect.flow.gateway, RequestReceived(server, request, back)
    caller = request.from_
    return effect.flow.gateway, Replacing(server, request, back, caller.uri.user_decoded or "", caller.display)


def cancelled(id: str, effect: fx.CancelRequest) -> tuple[str, Any]:
    return effect.flow.gateway, CancelReceived(("", id, effect.key), effect.reason)


def acknowledged(id: str, effect: fx.SendAck) -> tuple[str, Any]:
    return effect.flow.gateway, AckReceived(effect.request, effect.flow._replace(gateway=id))


def responded(id: str, effect: fx.Respond) -> tuple[str, Any]:
    """To the call that asked."""
    del id
    _, asker, key = effect.server
    return asker, ResponseReceived(key, effect.response, None)


def repeated(id: str, effect: fx.RepeatAnswer) -> tuple[str, Any]:
    """A 2xx that the other one may have had before its process died."""
    del id
    return effect.flow.gateway, ResponseReceived(0, effect.response, None)


CROSSING: dict[type, Callable[[str, Any], tuple[str, Any]]] = {
    fx.SendRequest: requested,
    fx.CancelRequest: cancelled,
    fx.SendAck: acknowledged,
    fx.Respond: responded,
    fx.RepeatAnswer: repeated,
}
