"""Everything that crosses a link by name: SIP messages and flows, events, effects, asks.

A SIP message travels as its bytes, which is what it mostly is on both sides (headers that nobody touched
are never split), and is parsed lazily again. A flow travels as its fields; the same few flows come again
and again, so both ways are cached. The codes below are for good: add at the end of a row, never renumber.
"""

from functools import lru_cache
from typing import Any

from actors.entity import Ask
from actors.wire import decode, encode, register
from rayswitch.calls import effects, events
from rayswitch.calls.routing import route
from rayswitch.sip import events as sip_events
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response, parse

__all__ = ["ROWS"]

FLOWS = 4096

ROWS: dict[int, tuple[type, ...]] = {
    20: (Ask,),
    30: (
        sip_events.RequestReceived,
        sip_events.CancelReceived,
        sip_events.CancelUnmatched,
        sip_events.AckReceived,
        sip_events.ResponseReceived,
        sip_events.TimedOut,
        sip_events.Unreachable,
    ),
    40: (
        events.Invited,
        events.TimerFired,
        events.Located,
        events.MediaReserved,
        events.MediaRefused,
        events.MediaFigures,
        events.MediaGatewayRestarted,
        events.Release,
        events.RegisterReceived,
        events.LookedUp,
        events.Routed,
        events.Admitted,
        events.MemberSeized,
        events.MemberRefused,
        events.AccountFound,
        events.MediaSilent,
        events.Relocated,
        events.Replacing,
    ),
    60: (
        effects.Respond,
        effects.SendRequest,
        effects.CancelRequest,
        effects.SendAck,
        effects.RepeatAnswer,
    ),
    80: (route.Dialled, route.Route, route.Place),
}
"""First code of a row: the classes that have it and the following codes."""


@lru_cache(FLOWS)
def _flow_bytes(flow: Flow) -> bytes:
    return encode([flow.transport, *flow.local, *flow.remote, flow.gateway, flow.connection])


@lru_cache(FLOWS)
def _flow_of(data: bytes) -> Flow:
    transport, host, port, remote_host, remote_port, gateway, connection = decode(data)
    return Flow(transport, (host, port), (remote_host, remote_port), gateway, connection)


def _message_bytes(message: Any) -> bytes:
    data: bytes = message.encode()
    return data


register(Request, 10, _message_bytes, parse)
register(Response, 11, _message_bytes, parse)
register(Flow, 12, _flow_bytes, _flow_of)
for _first, _classes in ROWS.items():
    for _code, _class in enumerate(_classes, _first):
        register(_class, _code)
