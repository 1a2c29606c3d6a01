"""Flows as plain data."""

import pytest

from rayswitch.sip.flow import Flow


@pytest.mark.parametrize(("transport", "reliable"), [("UDP", False), ("TCP", True), ("TLS", True), ("WS", True)])
def test_only_udp_needs_retransmissions(transport: str, reliable: bool) -> None:
    """RFC 3261 §17"""
    assert Flow(transport, ("192.0.2.1", 5060), ("192.0.2.2", 5060)).reliable is reliable


def test_a_flow_comes_back_from_the_lists_a_codec_makes_of_it() -> None:
    flow = Flow("TCP", ("2001:db8::1", 5060), ("2001:db8::2", 40000), "s1", 7)
    plain = ["TCP", ["2001:db8::1", 5060], ["2001:db8::2", 40000], "s1", 7]
    assert Flow.of(plain) == flow
    assert hash(Flow.of(plain)) == hash(flow)
