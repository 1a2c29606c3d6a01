"""Sources that the kernel throws away before they cost us anything: a classic BPF program on a listening socket.

It compares the source address of each packet with a list, on a UDP socket for every datagram and on a TCP listener for
every attempt to connect.  The list is short (`MOST`), the newest bans; whoever is not on it is stopped by the guard.
What is dropped here counts among the drops of the socket (see `UdpListener.drops`).
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Iterable

MOST = {4: 500, 6: 250}
"""Addresses by family; a program has at most 4096 instructions."""
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NETWORK_HEADER = 0xFFF00000
"""Offsets from here on are into the IP header (SKF_NET_OFF, linux/filter.h)."""
SOURCE = {4: 12, 6: 8}
"""Where the source address stands in it."""
ALL, NOTHING = 0xFFFFFFFF, 0

Instruction = tuple[int, int, int, int]
"""Code, how many to skip when true, when false, operand."""


def program(hosts: Iterable[str], family: int) -> list[Instruction]:
    """Drop what comes from `hosts`, numeric addresses of `family` (4 or 6; others are left out)."""
    made: list[Instruction] = []
    if family == 4:
        made.append((LOAD, 0, 0, NETWORK_HEADER + SOURCE[4]))
    for words in [words for host in hosts if (words := words_of(host, family))][-MOST[family] :]:
        made += one(words) if family == 6 else [(IF_EQUAL, 0, 1, words[0]), (RETURN, 0, 0, NOTHING)]
    return [*made, (RETURN, 0, 0, ALL)]


def one(words: tuple[int, ...]) -> list[Instruction]:
    """Drop when all four words of an IPv6 address fit."""
    made: list[Instruction] = []
    for index, word in enumerate(words):
        left = 2 * (len(words) - 1 - index) + 1  # instructions of this address that follow the comparison
        made.append((LOAD, 0, 0, NETWORK_HEADER + SOURCE[6] + 4 * index))
        made.append((IF_EQUAL, 0, left, word))
    return [*made, (RETURN, 0, 0, NOTHING)]


def words_of(host: str, family: int) -> tuple[int, ...] | None:
    """The address as 32-bit numbers; None for one of another family."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return struct.unpack(f"!{len(address.packed) // 4}I", address.packed) if address.version == family else None


def attach(made: socket.socket, hosts: Iterable[str]) -> None:
    """Have `made` drop what comes from `hosts` from now on; OSError when the kernel does not want to."""
    family = 6 if made.family == socket.AF_INET6 else 4
    instructions = program(hosts, family)
    if len(instructions) <= 2:  # nobody
        try:
            made.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        except OSError:
            return  # there was none
        return
    octets = b"".join(struct.pack("HBBI", *each) for each in instructions)
    buffer = ctypes.create_string_buffer(octets, len(octets))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(instructions), ctypes.addressof(buffer)))
