"""The BPF program against an interpreter of a few lines, and what the kernel says of it."""

import ipaddress
import socket

import pytest

from gateways.sip.kernel_filter import (
    ALL,
    IF_EQUAL,
    LOAD,
    MOST,
    NETWORK_HEADER,
    NOTHING,
    RETURN,
    SOURCE,
    Instruction,
    attach,
    program,
)

FOUR = [f"10.0.{number // 250}.{number % 250}" for number in range(400)]
SIX = [f"2001:db8::{number:x}" for number in range(1, 200)] + ["2001:db8:1::1", "2001:db8::1:0:0:1"]


def passes(made: list[Instruction], host: str) -> bool:
    """Run a program for a packet from `host`."""
    address = ipaddress.ip_address(host)
    header = bytes(SOURCE[address.version]) + address.packed
    place = word = 0
    while True:
        code, true, false, operand = made[place]
        place += 1
        if code == LOAD:
            start = operand - NETWORK_HEADER
            word = int.from_bytes(header[start : start + 4], "big")
        elif code == IF_EQUAL:
            place += true if word == operand else false
        else:
            assert code == RETURN and operand in (ALL, NOTHING)
            return operand == ALL


@pytest.mark.parametrize(("hosts", "family"), [(FOUR, 4), (SIX, 6)])
def test_only_the_listed_are_dropped(hosts: list[str], family: int) -> None:
    made = program(hosts + (SIX if family == 4 else FOUR) + ["nonsense"], family)
    assert not any(passes(made, host) for host in hosts)
    assert all(passes(made, host) for host in (["10.1.0.1", "11.0.0.1"] if family == 4 else ["2001:db9::1", "::1"]))
    assert len(made) <= 4096


def test_the_newest_have_room() -> None:
    hosts = [str(ipaddress.ip_address(number)) for number in range(1, 2000)]
    made = program(hosts, 4)
    assert not passes(made, hosts[-1]) and not passes(made, hosts[-MOST[4]]) and passes(made, hosts[0])
    sixes = [str(ipaddress.IPv6Address(number)) for number in range(1, 2000)]
    assert len(program(sixes, 6)) <= 4096


@pytest.mark.parametrize(
    ("host", "family", "many"), [("127.0.0.1", socket.AF_INET, FOUR), ("::1", socket.AF_INET6, SIX)]
)
def test_the_kernel_takes_it_and_obeys(host: str, family: int, many: list[str]) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as made, socket.socket(family, socket.SOCK_DGRAM) as sender:
        made.bind((host, 0))
        made.settimeout(0.5)
        attach(made, [])
        attach(made, [*many, host])
        sender.sendto(b"dropped", made.getsockname())
        attach(made, many)
        sender.sendto(b"passed", made.getsockname())
        assert made.recv(100) == b"passed"
        attach(made, [])
        sender.sendto(b"again", made.getsockname())
        assert made.recv(100) == b"again"
