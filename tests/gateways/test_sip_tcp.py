"""SIP over TCP on loopback: framing, reuse, limits of number and patience, and how connections end."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateways.sip import tcp_connection
from gateways.sip.sockets import SipSockets
from gateways.sip.tcp import TcpLimits
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import BadMessage
from tests.gateways.loopback import HOSTS, request, run, until
from tests.interop.ports import free_port

PATIENT = TcpLimits()
HASTY = TcpLimits(idle=60, half_open=0.2)


class Got:
    """What the sockets told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []
        self.malformed: list[tuple[BadMessage, Flow]] = []


@asynccontextmanager
async def opened(
    wheel: Wheel, host: str = "127.0.0.1", limits: TcpLimits = PATIENT
) -> AsyncIterator[tuple[SipSockets, Got, tuple[str, int]]]:
    got = Got()
    made = SipSockets(
        "s0",
        [Listener("tcp", host, 0)],
        lambda data, flow: got.received.append((data, flow)),
        got.failed.append,
        wheel,
        limits,
        lambda error, flow: got.malformed.append((error, flow)),
    )
    await made.start()
    try:
        yield made, got, (host, made.bound[0].port)
    finally:
        await made.close()


@asynccontextmanager
async def peer(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def closed(reader: asyncio.StreamReader, seconds: float = 5.0) -> bytes:
    """What comes until the connection ends."""
    async with asyncio.timeout(seconds):
        try:
            return await reader.read(-1)
        except ConnectionError:
            return b""


@pytest.mark.parametrize("family", [4, 6])
def test_messages_come_framed_and_the_answer_goes_back_over_the_connection(family: int) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, HOSTS[family]) as (made, got, address), peer(address) as (reader, writer):
            one, two = request(), request("INFO")
            writer.write(one + two[:50])
            await until(lambda: got.received)
            writer.write(two[50:])
            await until(lambda: len(got.received) == 2)
            assert [data for data, _ in got.received] == [one, two]
            flow = got.received[0][1]
            remote = writer.get_extra_info("sockname")[:2]
            assert flow == Flow("TCP", address, remote, "s0", flow.connection)
            made.send(flow, b"back")
            assert await reader.readexactly(4) == b"back"
            assert made.flow_to("TCP", remote) == flow, "reused in the other direction"
            assert made.connected(flow)

    run(main)


def test_octets_that_come_one_by_one() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (_, got, address), peer(address) as (_, writer):
            data = request(Content_Length="3") + b"abc"
            for octet in data:
                writer.write(bytes([octet]))
                await asyncio.sleep(0)
            await until(lambda: got.received)
            assert got.received[0][0] == data

    run(main)


def test_keep_alives_are_answered() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (_, got, address), peer(address) as (reader, writer):
            writer.write(b"\r\n\r\n" + request() + b"\r\n\r\n")
            assert await reader.readexactly(4) == b"\r\n\r\n"
            assert len(got.received) == 1

    run(main)


def test_a_stream_that_cannot_be_followed_is_told_served_up_to_there_and_closed() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, address), peer(address) as (reader, writer):
            good, bad = request(), request(Content_Length="x")
            writer.write(good + bad + request())
            assert await closed(reader) == b""
            assert [data for data, _ in got.received] == [good]
            error, flow = got.malformed[0]
            assert error.status == 400 and error.request is not None
            assert got.failed == [flow] and not made.connected(flow)
            assert made.counters()["tcp_unframed"] == 1

    run(main)


def test_the_answer_to_a_broken_stream_still_goes_out() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, _, address), peer(address) as (reader, writer):
            made.tcp.malformed = lambda error, flow: made.send(flow, b"400")
            writer.write(request(Content_Length="-1"))
            assert await closed(reader) == b"400"

    run(main)


def test_who_says_nothing_of_use_is_cut_off() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, limits=HASTY) as (made, got, address):
            began = time.monotonic()
            async with (
                peer(address) as (silent, _),
                peer(address) as (dripping, drip),
                peer(address) as (pinging, ping),
            ):

                async def write(writer: asyncio.StreamWriter, *parts: bytes) -> None:
                    for part in parts:
                        if writer.is_closing():
                            return
                        writer.write(part)
                        await asyncio.sleep(0.01)

                drops = [bytes([octet]) for octet in request()]
                writing = [write(drip, *drops), write(ping, *[b"\r\n\r\n"] * 100)]
                await asyncio.gather(closed(silent), closed(dripping), closed(pinging), *writing)
            assert time.monotonic() - began > 0.15
            assert made.counters()["tcp_timed_out"] == 3
            assert len(got.failed) == 3

    run(main)


def test_a_message_that_was_begun_must_be_finished() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, limits=HASTY) as (_, got, address), peer(address) as (reader, writer):
            writer.write(request() + request()[:30])
            began = time.monotonic()
            await closed(reader)
            assert time.monotonic() - began > 0.15
            assert len(got.received) == 1

    run(main)


def test_idle_connections_are_closed_and_others_kept() -> None:
    async def main(wheel: Wheel) -> None:
        async with (
            opened(wheel, limits=TcpLimits(idle=0.6, half_open=0.2)) as (made, got, address),
            peer(address) as (idle, first),
            peer(address) as (_, second),
        ):
            first.write(request())
            second.write(request())
            closing = asyncio.create_task(closed(idle))
            while not closing.done():
                second.write(b"\r\n\r\n")
                await asyncio.sleep(0.05)
            assert len(got.received) == 2
            assert made.counters()["tcp_connections"] == 1

    run(main)


@pytest.mark.parametrize("limits", [TcpLimits(connections=2), TcpLimits(per_source=2)])
def test_one_connection_too_many_is_refused_and_room_is_given_back(limits: TcpLimits) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, limits=limits) as (made, got, address):
            async with peer(address), peer(address) as (_, second):
                await until(lambda: len(made.tcp.connections) == 2)
                async with peer(address) as (third, _):
                    assert await closed(third) == b""
                assert made.counters()["tcp_refused"] == 1
                second.close()
                await until(lambda: len(made.tcp.connections) == 1)
                async with peer(address) as (_, fourth):
                    fourth.write(request())
                    await until(lambda: got.received)
            await until(lambda: not made.tcp.connections)
            assert not made.tcp.sources and not made.tcp.by_remote

    run(main)


def test_connections_that_we_open_count() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, limits=TcpLimits(connections=1)) as (made, _, address), peer(address):
            await until(lambda: made.tcp.connections)
            assert made.flow_to("TCP", ("127.0.0.1", 9)) is None

    run(main)


@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_is_made_on_demand_and_what_was_sent_before_it_stands_arrives(family: int) -> None:
    async def main(wheel: Wheel) -> None:
        wildcard, host = {4: "0.0.0.0", 6: "::"}[family], HOSTS[family]
        heard: list[bytes] = []
        sources: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sources.append(writer.get_extra_info("peername")[0])
            heard.append(await reader.readexactly(6))
            writer.write(request())
            await reader.read(-1)
            writer.close()

        server = await asyncio.start_server(serve, host, 0)
        async with opened(wheel, wildcard) as (made, got, address):
            remote = server.sockets[0].getsockname()[:2]
            flow = made.flow_to("TCP", remote)
            assert flow is not None
            assert flow.local == (host, address[1]), "where we listen, at the address the peer can reach"
            made.send(flow, b"one")
            made.send(flow, b"two")
            await until(lambda: got.received)
            assert heard == [b"onetwo"] and sources == [host]
            assert got.received[0][1] == flow == made.flow_to("TCP", remote)
        server.close()

    run(main)


def test_a_connection_leaves_from_the_address_that_is_listened_on() -> None:
    async def main(wheel: Wheel) -> None:
        sources: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sources.append(writer.get_extra_info("peername")[0])
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with opened(wheel, "127.0.0.2") as (made, _, _):
            assert made.flow_to("TCP", server.sockets[0].getsockname()) is not None
            await until(lambda: sources)
            assert sources == ["127.0.0.2"]
        server.close()

    run(main)


def test_a_refused_connection_is_told_once() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, _):
            flow = made.flow_to("TCP", ("127.0.0.1", free_port()))
            assert flow is not None
            made.send(flow, b"x")
            await until(lambda: got.failed)
            await asyncio.sleep(0.02)
            assert got.failed == [flow] and not made.connected(flow)
            made.send(flow, b"y")
            assert got.failed == [flow, flow], "and again to whoever sends over it"

    run(main)


def test_a_peer_that_hangs_up_is_told() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (_, got, address):
            async with peer(address) as (_, writer):
                writer.write(request())
                await until(lambda: got.received)
            await until(lambda: got.failed == [got.received[0][1]])

    run(main)


def test_a_peer_that_does_not_read_is_cut_off() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, address), peer(address) as (_, writer):
            writer.write(request())
            await until(lambda: got.received)
            flow = got.received[0][1]
            for _ in range(1000):
                made.send(flow, bytes(60_000))
                if got.failed:
                    break
            assert got.failed == [flow] and made.counters()["tcp_choked"] == 1

    run(main)


def test_what_waits_for_a_connection_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(wheel: Wheel) -> None:
        monkeypatch.setattr(tcp_connection, "SEND_LIMIT", 1000)
        async with opened(wheel) as (made, got, address):
            flow = made.flow_to("TCP", address)
            assert flow is not None
            for _ in range(11):
                made.send(flow, bytes(100))
            assert got.failed == [flow]
            await asyncio.sleep(0.05)  # the connection comes about all the same, and is given up
            await until(lambda: not made.tcp.connections)

    run(main)


def test_a_keep_alive_behind_the_end_is_not_answered() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, address), peer(address) as (reader, writer):

            def hang_up(data: bytes, flow: Flow) -> None:
                for connection in list(made.tcp.connections.values()):
                    connection.abort()

            made.tcp.receive = hang_up
            writer.write(request() + b"\r\n\r\n" + request())
            assert await closed(reader) == b""
            assert len(got.failed) == 1

    run(main)


def test_closing_writes_what_is_queued_and_gives_the_port_back() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, address), peer(address) as (reader, writer):
            writer.write(request())
            await until(lambda: got.received)
            size = 900_000
            made.send(got.received[0][1], bytes(size))
            reading = asyncio.create_task(closed(reader))
            await made.close()
            assert len(await reading) == size
            assert not got.failed, "nobody is told of losses at the end"
            with socket.socket() as again:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(address)

    run(main)


def test_closing_does_not_wait_long_for_one_who_does_not_read() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (made, got, address):
            with socket.create_connection(address) as deaf:
                deaf.sendall(request())
                await until(lambda: got.received)
                flow = got.received[0][1]
                transport = made.tcp.connections[flow.connection].transport
                assert transport is not None
                while transport.get_write_buffer_size() < 100_000:
                    made.send(flow, bytes(60_000))
                assert not got.failed
                began = time.monotonic()
                await made.close()
                assert 0.9 < time.monotonic() - began < 5

    run(main)


def test_two_gateways_share_a_listener() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as (_, one, address):
            two = Got()
            other = SipSockets(
                "s1",
                [Listener("tcp", *address)],
                lambda data, flow: two.received.append((data, flow)),
                two.failed.append,
                wheel,
            )
            await other.start()
            writers = [(await asyncio.open_connection(*address))[1] for _ in range(40)]
            for writer in writers:
                writer.write(request())
            await until(lambda: len(one.received) + len(two.received) == 40)
            assert {flow.gateway for _, flow in one.received} == {"s0"}
            assert {flow.gateway for _, flow in two.received} == {"s1"}
            for writer in writers:
                writer.close()
            await other.close()

    run(main)
