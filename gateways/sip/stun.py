"""STUN binding requests on the SIP port: how a phone keeps its NAT mapping and learns of it (RFC 5626 §4.4.2, 5389)."""

from __future__ import annotations

import socket
import struct

from rayswitch.sip.flow import Address

COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_RESPONSE = 0x0001, 0x0101
XOR_MAPPED_ADDRESS = 0x0020
HEADER = struct.Struct(">HHI12s")


def is_stun(data: bytes) -> bool:
    """Two zero bits, then the magic cookie: nothing a SIP message could begin with."""
    return len(data) >= HEADER.size and data[0] < 4 and data[4:8] == COOKIE.to_bytes(4, "big")


def binding_response(data: bytes, source: Address) -> bytes | None:
    """The answer to a binding request: the address it came from; None for any other STUN message."""
    kind, _, _, transaction = HEADER.unpack_from(data)
    if kind != BINDING_REQUEST:
        return None
    host, port = source
    family, size = (socket.AF_INET6, 16) if ":" in host else (socket.AF_INET, 4)
    mask = COOKIE.to_bytes(4, "big") + transaction
    octets = bytes(a ^ b for a, b in zip(socket.inet_pton(family, host), mask[:size], strict=True))
    value = struct.pack(">xBH", 2 if size == 16 else 1, port ^ (COOKIE >> 16)) + octets
    attribute = struct.pack(">HH", XOR_MAPPED_ADDRESS, len(value)) + value
    return HEADER.pack(BINDING_RESPONSE, len(attribute), COOKIE, transaction) + attribute
