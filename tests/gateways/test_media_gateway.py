"""The media gateway on loopback: phones are plain sockets here."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateways.media.gateway import MediaGateway

RANGE = range(31000, 31400)
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
HOSTS = {4: "127.0.0.1", 6: "::1"}


class Phone:
    """A socket that sends numbered RTP packets and hears."""

    def __init__(self, family: int = 4, port: int = 0) -> None:
        self.socket = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
        self.socket.bind((HOSTS[family], port))
        self.socket.setblocking(False)
        self.address = list(self.socket.getsockname()[:2])
        self.sequence = 0

    def send(self, port: list[Any], data: bytes = b"") -> bytes:
        """One packet to a port of the gateway."""
        packet = data or struct.pack("!BBHII", 0x80, 0, self.sequence, self.sequence * 160, 1) + bytes(20)
        self.sequence += 1
        self.socket.sendto(packet, (port[1], port[0]))
        return packet

    async def hear(self, seconds: float = 2.0) -> bytes:
        """The next packet; TimeoutError when none comes."""
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.socket, 2048), seconds)

    async def hears_nothing(self) -> bool:
        """For a moment that is much longer than a relayed packet takes."""
        try:
            await self.hear(0.15)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def phones() -> Iterator[Callable[..., Phone]]:
    made: list[Phone] = []

    def phone(family: int = 4, port: int = 0) -> Phone:
        made.append(Phone(family, port))
        return made[-1]

    yield phone
    for each in made:
        each.socket.close()


@asynccontextmanager
async def running(ports: range = RANGE, quarantine: float = 0.05) -> AsyncIterator[MediaGateway]:
    gateway = MediaGateway("m0", HOSTS, ports, time.monotonic, quarantine)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the relay's thread does; fails after two seconds."""
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


async def connect(gateway: MediaGateway, session: str, holder: str, streams: list[list[Any]]) -> None:
    """Connect, and wait until the relay's thread has done it."""
    gateway.connect(session, holder, streams)
    await settled(gateway)


async def settled(gateway: MediaGateway) -> None:
    """Wait until the relay's thread has done what was sent and ordered so far."""
    done = threading.Event()
    gateway.relay.order(done.set)
    await until(done.is_set)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def describe(a: list[Any], a_remote: Any, b: list[Any], b_remote: Any, generation: int = 1) -> list[list[Any]]:
    return [[a, a_remote, b, b_remote, generation]]


Phones = Callable[..., Phone]


@pytest.mark.parametrize("families", [(4, 4), (4, 6), (6, 6)])
def test_relays_both_ways_and_counts(phones: Phones, families: tuple[int, int]) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice, bob = phones(families[0]), phones(families[1])
            (a,), (b,) = gateway.lease(1, families[0], "s0"), gateway.lease(1, families[1], "s0")
            await connect(gateway, "call", "s0", describe(a, alice.address, b, bob.address))
            for _ in range(5):
                packet = alice.send(a)
                assert await bob.hear() == packet
                packet = bob.send(b)
                assert await alice.hear() == packet
            ((of_a, of_b),) = gateway.close_session("call")
            assert (of_a["packets"], of_a["lost"], of_b["packets"]) == (5, 0, 5)
            assert of_a["bytes"] == of_b["bytes"] == 5 * len(packet)
            assert gateway.close_session("call") == []

    run(test)


def test_rtcp_goes_to_the_next_port(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            rtcp_a, bob = phones(), phones()
            rtcp_b = phones(4, bob.address[1] + 1)
            a, b = gateway.lease(2, 4, "s0")
            await connect(gateway, "call", "s0", describe(a, None, b, bob.address))
            rtcp_a.send([a[0] + 1, a[1]], b"\x80\xc8\0\0report")
            assert await rtcp_b.hear() == b"\x80\xc8\0\0report"

    run(test)


def test_the_first_source_is_the_peer_and_nobody_else(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice, mallory, bob, claimed = phones(), phones(), phones(), phones()
            a, b = gateway.lease(2, 4, "s0")
            await connect(gateway, "call", "s0", describe(a, claimed.address, b, bob.address))
            packet = bob.send(b)
            assert await claimed.hear() == packet, "before it was heard: where it said it is"
            packet = alice.send(a)
            assert await bob.hear() == packet
            mallory.send(a)
            assert await bob.hears_nothing()
            packet = bob.send(b)
            assert await alice.hear() == packet, "after: where it is"
            assert await claimed.hears_nothing()

    run(test)


def test_only_a_signalled_change_opens_the_latch(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            old, new, bob = phones(), phones(), phones()
            a, b = gateway.lease(2, 4, "s0")
            await connect(gateway, "call", "s0", describe(a, old.address, b, bob.address, 1))
            old.send(a)
            await bob.hear()
            await connect(gateway, "call", "s0", describe(a, new.address, b, bob.address, 1))
            new.send(a)
            assert await bob.hears_nothing(), "the same generation is no signalled change"
            await connect(gateway, "call", "s0", describe(a, new.address, b, bob.address, 1))
            packet = bob.send(b)
            assert await old.hear() == packet

            third = phones()
            await connect(gateway, "call", "s0", describe(a, third.address, b, bob.address, 2))
            packet = bob.send(b)
            assert await third.hear() == packet, "until it is heard from: where it said it is"
            old.send(a)
            assert await bob.hears_nothing(), "the former phone may still be sending"
            packet = third.send(a)
            assert await bob.hear() == packet
            packet = bob.send(b)
            assert await third.hear() == packet

    run(test)


def test_hold_and_back_again_keeps_the_latch(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            behind_nat, bob = phones(), phones()
            a, b = gateway.lease(2, 4, "s0")
            private = ["127.0.0.9", 4000]
            await connect(gateway, "call", "s0", describe(a, private, b, bob.address, 1))
            behind_nat.send(a)
            await bob.hear()
            await connect(gateway, "call", "s0", describe(a, None, b, bob.address, 2))
            await connect(gateway, "call", "s0", describe(a, private, b, bob.address, 3))
            packet = bob.send(b)
            assert await behind_nat.hear() == packet

    run(test)


def test_a_restarted_gateway_takes_its_ports_back(phones: Phones) -> None:
    async def test() -> None:
        alice, bob = phones(), phones()
        async with running() as gateway:
            a, b = gateway.lease(2, 4, "s0")
            plan = describe(a, alice.address, b, bob.address)
            await connect(gateway, "call", "s0", plan)
            alice.send(a)
            await bob.hear()
        async with running() as gateway:
            await connect(gateway, "call", "s0", plan)
            free = gateway.status()["ports_free"]
            assert free == len(RANGE) // 2 - 2
            packet = alice.send(a)
            assert await bob.hear() == packet
            assert {a[0], b[0]}.isdisjoint(port for port, _ in gateway.lease(free, 4, "s1"))

    run(test)


def test_exhausted_and_given_back() -> None:
    async def test() -> None:
        async with running(range(31500, 31506)) as gateway:
            assert len(gateway.lease(5, 4, "s0")) == 3
            assert gateway.lease(1, 4, "s0") == []
            assert gateway.status()["ports_leased"] == 3
            gateway.released("s0")
            assert gateway.lease(1, 4, "s0") == [], "they rest"
            await until(lambda: gateway.status()["ports_free"] == 3)
            assert len(gateway.lease(3, 6, "s0")) == 3
        async with running(range(31500, 31506)) as gateway:
            assert gateway.lease(1, 5, "s0") == []

    run(test)


def test_a_port_of_another_program_is_passed_over() -> None:
    async def test() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 31503))
            async with running(range(31500, 31506)) as gateway:
                assert sorted(port for port, _ in gateway.lease(3, 4, "s0")) == [31500, 31504]
                await connect(gateway, "call", "s0", describe([31502, "127.0.0.1"], None, [31500, "127.0.0.1"], None))
                assert gateway.close_session("call") == []

    run(test)


def test_a_holder_that_came_back_names_its_sessions() -> None:
    async def test() -> None:
        async with running() as gateway:
            for name, holder in (("kept", "s0"), ("over", "s0"), ("foreign", "s1")):
                a, b = gateway.lease(2, 4, holder)
                await connect(gateway, name, holder, describe(a, None, b, None))
            gateway.released("s0")
            gateway.holding("s0", ["kept"])
            assert sorted(gateway.sessions) == ["foreign", "kept"]

    run(test)


def test_another_port_may_take_over_a_side(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice, bob, bob6 = phones(), phones(), phones(6)
            a, b = gateway.lease(2, 4, "s0")
            (b6,) = gateway.lease(1, 6, "s0")
            await connect(gateway, "call", "s0", describe(a, alice.address, b, bob.address, 1))
            alice.send(a)
            await bob.hear()
            await connect(gateway, "call", "s0", describe(a, alice.address, b6, bob6.address, 2))
            packet = alice.send(a)
            assert await bob6.hear() == packet
            packet = bob6.send(b6)
            assert await alice.hear() == packet
            await until(lambda: gateway.pool.claim(b[0]))

    run(test)


def test_no_packet_and_no_address_stops_the_relay(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice, bob = phones(), phones()
            a, b = gateway.lease(2, 4, "s0")
            for remote in (["::1", 4000], ["pc.example", 4000], ["127.0.0.1", 0], [b[1], b[0]], [a[1], a[0]]):
                await connect(gateway, "call", "s0", describe(a, alice.address, b, remote))
                alice.send(a)
                await settled(gateway)
            await connect(gateway, "call", "s0", describe(a, alice.address, b, bob.address, 2))
            for junk in (b"\0", b"\r\n\r\n", b"\x80" * 11, b"\xff" * 1400):
                alice.send(a, junk)
                assert await bob.hear() == junk
            await connect(gateway, "call", "s0", [])
            gateway.give_back([1, a[0]])
            packet = bob.send(b)
            assert await alice.hear() == packet
            assert gateway.status()["sessions"] == 1

    run(test)


def test_sessions_come_and_go_under_traffic(phones: Phones) -> None:
    async def test() -> None:
        async with running(quarantine=0.0) as gateway:
            alice, bob = phones(), phones()
            for turn in range(50):
                a, b = gateway.lease(2, 4, "s0")
                await connect(gateway, f"call{turn}", "s0", describe(a, alice.address, b, bob.address))
                for _ in range(5):
                    alice.send(a)
                    bob.send(b)
                gateway.close_session(f"call{turn}")
            await until(lambda: not gateway.relay.halves)
            assert gateway.relay.thread.is_alive()
            assert gateway.status()["ports_free"] == len(RANGE) // 2

    run(test)


def test_round_trips_are_taken_from_reports_that_pass(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice, bob = phones(), phones()
            a, b = gateway.lease(2, 4, "s0")
            up = [*alice.address[:1], alice.address[1] - 1], [*bob.address[:1], bob.address[1] - 1]
            await connect(gateway, "call", "s0", describe(a, up[0], b, up[1]))
            report = struct.pack("!BBHIQIII", 0x80, 200, 6, 1, 0xABCD1234 << 16, 0, 0, 0)
            alice.send([a[0] + 1, a[1]], report)
            assert await bob.hear() == report
            heard = time.monotonic()
            await asyncio.sleep(0.02)
            kept = int((time.monotonic() - heard) * 65536)
            bob.send([b[0] + 1, b[1]], struct.pack("!BBHIIIIIII", 0x81, 201, 7, 2, 1, 0, 0, 0, 0xABCD1234, kept))
            await alice.hear()
            ((of_a, of_b),) = gateway.close_session("call")
            assert of_a["round_trip"] is None
            assert 0.0 <= of_b["round_trip"] < 20.0, "what bob kept is not part of the way"

    run(test)


def test_what_nobody_got_is_counted_as_dropped(phones: Phones) -> None:
    async def test() -> None:
        async with running() as gateway:
            alice = phones()
            a, b = gateway.lease(2, 4, "s0")
            await connect(gateway, "call", "s0", describe(a, alice.address, b, None))
            for _ in range(3):
                alice.send(a)
            await until(lambda: gateway.status()["dropped"] == 3)
            ((of_a, of_b),) = gateway.close_session("call")
            assert (of_a["packets"], of_b["packets"]) == (3, 0)
            await until(lambda: not gateway.relay.halves)
            assert gateway.status()["dropped"] == 3, "those of sessions that are over, too"

    run(test)


def test_a_session_in_which_nobody_says_anything(phones: Callable[..., Phone]) -> None:
    async def body(gateway: MediaGateway) -> None:
        now = 0.0
        gateway.clock = lambda: now
        near, far = phones(), phones()
        a, b = gateway.lease(2, 4, "s0")
        streams = [[a, near.address, b, far.address, 1]]
        gateway.connect("quiet", "s0", streams)
        assert gateway.silent(300) == []
        now = 299.0
        assert gateway.silent(300) == []
        now = 301.0
        assert gateway.silent(300) == [("s0", "quiet")]
        near.send(a)
        await far.hear()
        assert gateway.silent(300) == []
        now = 700.0
        assert gateway.silent(300) == [("s0", "quiet")]
        gateway.connect("quiet", "s0", streams)  # off hold, say
        assert gateway.silent(300) == []
        gateway.close_session("quiet")
        now = 2000.0
        assert gateway.silent(300) == []

    async def main() -> None:
        async with running() as gateway:
            await body(gateway)

    asyncio.run(main())
