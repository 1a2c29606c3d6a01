"""SIP messages, flows, events and effects cross a link as they are."""

import inspect
from types import ModuleType
from typing import Any

import pytest

from actors import vocabulary
from actors.wire import decode, encode, parameters_of
from rayswitch.calls import effects, events
from rayswitch.calls.routing import route
from rayswitch.sip import events as sip_events
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response, parse, respond

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
    b"f: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
    b"X-Odd: caf\xe9\r\nContent-Length: 3\r\n\r\nv=0"
)
FLOW = Flow("TCP", ("127.0.0.1", 5060), ("::1", 40000), "s1", 7)


def invite() -> Request:
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message


def test_messages_keep_every_byte() -> None:
    request = invite()
    back = decode(encode([request, respond(request, 180, to_tag="t")]))
    assert isinstance(back[0], Request)
    assert back[0].encode() == request.encode()
    assert isinstance(back[1], Response)
    assert (back[1].status, back[1].to.tag) == (180, "t")


def test_flows_come_back_as_flows() -> None:
    back = decode(encode({"flow": FLOW}))["flow"]
    assert isinstance(back, Flow)
    assert back == FLOW


def classes(module: ModuleType) -> list[type]:
    return [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]


LOCAL = {
    effects.StartTimer,
    effects.FindRoute,
    effects.Admit,
    effects.Seize,
    effects.FindAccount,
    effects.Shun,
    effects.Hold,
    effects.Free,
    effects.Locate,
    effects.ReserveMedia,
    effects.ConnectMedia,
    effects.ReleaseMedia,
    effects.SaveCall,
    effects.Record,
    effects.Ended,
    effects.SaveBindings,
    effects.Reply,
    effects.KeepAlive,
}
"""What the host of an entity does itself: it never crosses a link."""


@pytest.mark.parametrize(
    "cls",
    [
        cls
        for module in (sip_events, events, effects, route)
        for cls in classes(module)
        if cls not in LOCAL and not issubclass(cls, tuple)
    ],
)
def test_every_event_and_sip_effect_has_a_place(cls: type) -> None:
    names = parameters_of(cls)
    values: dict[str, Any] = {name: [name] for name in names}
    values |= {name: value for name, value in (("request", invite()), ("flow", FLOW)) if name in names}
    back = decode(encode(cls(**values)))
    assert type(back) is cls
    for name in names:
        got = getattr(back, name)
        assert got.encode() == INVITE if name == "request" else got == values[name]


def test_codes_are_for_good() -> None:
    assert {first: row[0].__name__ for first, row in vocabulary.ROWS.items()} == {
        20: "Ask",
        30: "RequestReceived",
        40: "Invited",
        60: "Respond",
        80: "Dialled",
    }
