"""Two real phones talk through the switch, and each hears the other's tone: over every transport and
family, with one gateway and two, with calls and registrations in the gateways, in pools, and each a Ray actor
of its own.
"""

import itertools
import time

import pytest

from tests.interop.audio import assert_tone
from tests.interop.phones import Baresip
from tests.interop.switch import DOMAIN, Switch, users
from tests.interop.wire import Wire

SHAPES = [
    pytest.param({"gateways": gateways, "placement": placement}, id=f"{placement}-{gateways}")
    for placement, gateways in (("gateway", 1), ("gateway", 2), ("pool", 2), ("actor", 2))
]
WAYS = [
    pytest.param("ipv4", "udp", id="udp4"),
    pytest.param("ipv4", "tcp", id="tcp4"),
    pytest.param("ipv6", "udp", id="udp6"),
    pytest.param("ipv6", "tcp", id="tcp6"),
]
TALK = 1.5
HOLD = 0.5
IN_FLIGHT = 5
"""Packets that may be under way as the call is put on hold."""
PACKETS = 50
"""A second of them."""
TONE_A, TONE_B = 440, 1000
_numbers = itertools.count(2000, 2)

pytestmark = pytest.mark.parametrize("switch", SHAPES, indirect=True)


def _pair(
    switch: Switch, way_a: tuple[str, str], way_b: tuple[str, str], answer: str = "auto"
) -> tuple[Baresip, Baresip]:
    """Two phones with fresh extensions, each reaching the switch its own way (family, transport)."""
    pair = users(next(_numbers), 2)
    switch.import_users(pair)
    a, b = (
        Baresip(
            user.number,
            user.password,
            getattr(switch, family),
            DOMAIN,
            transport=transport,
            tone=tone,
            answer=mode,
        )
        for user, (family, transport), tone, mode in zip(
            pair, (way_a, way_b), (TONE_A, TONE_B), ("manual", answer), strict=True
        )
    )
    return a, b


def _talk(a: Baresip, b: Baresip) -> None:
    a.register()
    b.register()
    a.dial(b.number)
    a.wait_event("CALL_ESTABLISHED")
    b.wait_event("CALL_ESTABLISHED")
    b.hear(TONE_A, TALK)
    a.hear(TONE_B, TALK)


def _assert_both_heard(a: Baresip, b: Baresip) -> None:
    assert_tone(b.heard(), TONE_A, TALK)
    assert_tone(a.heard(), TONE_B, TALK)


@pytest.mark.parametrize(("family", "transport"), WAYS)
def test_both_hear_each_others_tone(switch: Switch, family: str, transport: str) -> None:
    a, b = _pair(switch, (family, transport), (family, transport))
    with a, b:
        start = time.monotonic()
        _talk(a, b)
        a.hang_up()
        b.wait_event("CALL_CLOSED")
        most = time.monotonic() - start
        switch.await_idle()
        _assert_both_heard(a, b)
    (record,) = switch.records_of([a.number], 1)
    assert (record["dialled"], record["sip_status"]) == (b.number, 200)
    assert TALK <= record["duration"] <= most
    assert record["release_side"] == "a"
    assert record["codec"] == "PCMU"


def test_families_and_transports_mix(switch: Switch) -> None:
    a, b = _pair(switch, ("ipv4", "udp"), ("ipv6", "tcp"))
    with a, b:
        _talk(a, b)
        b.hang_up()
        a.wait_event("CALL_CLOSED")
        switch.await_idle()
        _assert_both_heard(a, b)
    (record,) = switch.records_of([a.number], 1)
    assert record["release_side"] == "b"


def test_hold_and_resume(switch: Switch) -> None:
    """Counted on the wire: this baresip records nothing more of a call once it was on hold."""
    a, b = _pair(switch, ("ipv4", "udp"), ("ipv4", "udp"))
    with a, b, Wire() as wire:
        _talk(a, b)
        a.hold()
        b.wait_log("a=sendonly")
        wire.forget()
        time.sleep(HOLD)  # its length: nothing is to happen in it
        assert wire.count(a.media_ports) <= IN_FLIGHT, "who put the call on hold still hears"
        assert wire.count(b.media_ports) <= IN_FLIGHT, "who was put on hold still hears"
        wire.forget()
        a.resume()
        for phone in (a, b):
            wire.await_count(phone.media_ports, PACKETS)
        a.hang_up()
        b.wait_event("CALL_CLOSED")
        switch.await_idle()
        _assert_both_heard(a, b)


def test_the_caller_gives_up_while_it_rings(switch: Switch) -> None:
    a, b = _pair(switch, ("ipv4", "udp"), ("ipv4", "udp"), answer="manual")
    with a, b:
        a.register()
        b.register()
        a.dial(b.number)
        b.wait_event("CALL_INCOMING")
        a.wait_event("CALL_RINGING")
        a.hang_up()
        b.wait_event("CALL_CLOSED")
        switch.await_idle()
    (record,) = switch.records_of([a.number], 1)
    assert record["sip_status"] == 487
    assert not record["answer"]


def test_the_callee_refuses(switch: Switch) -> None:
    a, b = _pair(switch, ("ipv4", "tcp"), ("ipv4", "tcp"), answer="manual")
    with a, b:
        a.register()
        b.register()
        a.dial(b.number)
        b.wait_event("CALL_INCOMING")
        b.hang_up()
        a.wait_event("CALL_CLOSED")
        switch.await_idle()
    (record,) = switch.records_of([a.number], 1)
    assert record["sip_status"] == 486
