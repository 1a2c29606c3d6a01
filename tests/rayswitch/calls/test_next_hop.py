"""Where requests to a registered contact go (RFC 3581, RFC 5626)."""

from __future__ import annotations

import pytest

from rayswitch.calls.next_hop import family, is_natted, registered_flow
from rayswitch.sip.flow import Flow

LOCAL = ("192.0.2.1", 5060)
UDP = Flow("UDP", LOCAL, ("10.0.0.1", 40000))
TCP = Flow("TCP", LOCAL, ("10.0.0.1", 40000), "s0", 3)
V6 = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::9", 40000))


@pytest.mark.parametrize(
    ("contact", "flow", "remote", "natted"),
    [
        ("sip:a@10.0.0.1:5062", UDP, ("10.0.0.1", 5062), False),
        ("sip:a@10.0.0.1", UDP, ("10.0.0.1", 5060), False),
        ("sip:a@10.0.0.1;transport=tcp", UDP, ("10.0.0.1", 40000), False),
        ("sip:a@192.168.1.2:5062", UDP, ("10.0.0.1", 40000), True),
        ("sip:a@phone.example.com", UDP, ("10.0.0.1", 40000), True),
        ("sip:a@10.0.0.1:5062", TCP, ("10.0.0.1", 40000), False),
        ("sip:a@192.168.1.2:5062", TCP, ("10.0.0.1", 40000), False),
        ("sip:a@[2001:DB8::9]:5062", V6, ("2001:db8::9", 5062), False),
        ("tel:123", UDP, ("10.0.0.1", 40000), False),
        ("sip:a@[::", UDP, ("10.0.0.1", 40000), False),
    ],
)
def test_way_back(contact: str, flow: Flow, remote: tuple[str, int], natted: bool) -> None:
    assert registered_flow(contact, flow) == flow._replace(remote=remote)
    assert is_natted(contact, flow) is natted


@pytest.mark.parametrize(
    ("contact", "flow", "nat", "remote", "natted"),
    [
        ("sip:a@10.0.0.1:5062", UDP, "always", ("10.0.0.1", 40000), True),
        ("sip:a@192.168.1.2:5062", UDP, "always", ("10.0.0.1", 40000), True),
        ("sip:a@192.168.1.2:5062", TCP, "always", ("10.0.0.1", 40000), False),
        ("sip:a@192.168.1.2:5062", UDP, "never", ("192.168.1.2", 5062), False),
        ("sip:a@[2001:db8::77]", V6, "never", ("2001:db8::77", 5060), False),
        ("sip:a@[2001:db8::77]", UDP, "never", ("10.0.0.1", 40000), False),
        ("sip:a@phone.example.com", UDP, "never", ("10.0.0.1", 40000), False),
        ("sip:a@192.168.1.2:5062;transport=tcp", UDP, "never", ("10.0.0.1", 40000), False),
        ("sip:a@192.168.1.2:5062", TCP, "never", ("10.0.0.1", 40000), False),
    ],
)
def test_an_extension_may_say_whether_there_is_a_nat(
    contact: str, flow: Flow, nat: str, remote: tuple[str, int], natted: bool
) -> None:
    assert registered_flow(contact, flow, nat) == flow._replace(remote=remote)
    assert is_natted(contact, flow, nat) is natted


def test_family() -> None:
    assert (family(UDP), family(V6)) == (4, 6)
