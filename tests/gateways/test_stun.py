"""STUN on the SIP port: what is one, and the answer of RFC 5389 to a binding request."""

import os
import socket
import struct

import pytest

from gateways.sip.stun import COOKIE, binding_response, is_stun

TRANSACTION = bytes(range(12))


def message(kind: int, attributes: bytes = b"") -> bytes:
    return struct.pack(">HHI", kind, len(attributes), COOKIE) + TRANSACTION + attributes


def mapped(answer: bytes) -> tuple[str, int]:
    """The address in an XOR-MAPPED-ADDRESS (RFC 5389 §15.2)."""
    kind, length, family, port = struct.unpack_from(">HHHH", answer, 20)
    assert kind == 0x0020 and len(answer) == 24 + length
    mask = struct.pack(">I", COOKIE) + TRANSACTION
    octets = bytes(a ^ b for a, b in zip(answer[28:], mask, strict=False))
    return socket.inet_ntop({1: socket.AF_INET, 2: socket.AF_INET6}[family], octets), port ^ COOKIE >> 16


@pytest.mark.parametrize("source", [("192.0.2.77", 4444), ("2001:db8::1:2", 65535), ("127.0.0.1", 1)])
def test_a_binding_request_gets_the_address_it_came_from(source: tuple[str, int]) -> None:
    answer = binding_response(message(0x0001, b"\x80\x22\0\4test"), source)
    assert answer is not None
    kind, length, cookie = struct.unpack_from(">HHI", answer)
    assert (kind, length, cookie) == (0x0101, len(answer) - 20, COOKIE)
    assert answer[8:20] == TRANSACTION
    assert mapped(answer) == source


@pytest.mark.parametrize("kind", [0x0011, 0x0101, 0x0111, 0x0003])
def test_nothing_else_is_answered(kind: int) -> None:
    assert is_stun(message(kind))
    assert binding_response(message(kind), ("192.0.2.1", 1)) is None


@pytest.mark.parametrize(
    "data", [b"", b"\0\1", message(1)[:19], b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n"]
)
def test_sip_and_stumps_are_no_stun(data: bytes) -> None:
    assert not is_stun(data)


def test_no_octets_raise() -> None:
    for _ in range(2000):
        data = message(0x0001)[:8] + os.urandom(os.urandom(1)[0])
        if is_stun(data):
            binding_response(data, ("192.0.2.1", 1))
