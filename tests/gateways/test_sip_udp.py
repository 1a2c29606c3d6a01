"""UDP sockets of the SIP gateway on loopback: what comes and goes, from which address, what is dropped."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateways.sip import sockets as sockets_module
from gateways.sip.sockets import SipSockets, is_address, routed
from gateways.sip.udp import RECEIVE_BUFFER, UdpListener
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.flow import Flow
from tests.gateways.loopback import HOSTS, Phone, run, until
from tests.interop.ports import free_port


class Got:
    """What the sockets told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []


@asynccontextmanager
async def opened(wheel: Wheel, *listen: Listener) -> AsyncIterator[tuple[SipSockets, Got]]:
    got = Got()
    made = SipSockets("s0", listen, lambda data, flow: got.received.append((data, flow)), got.failed.append, wheel)
    await made.start()
    try:
        yield made, got
    finally:
        await made.close()


@pytest.mark.parametrize("family", [4, 6])
def test_a_datagram_comes_with_its_flow_and_the_answer_goes_back_over_it(family: int) -> None:
    async def main(wheel: Wheel) -> None:
        host = HOSTS[family]
        async with opened(wheel, Listener("udp", host, 0)) as (made, got):
            phone = Phone(host)
            local = (host, made.bound[0].port)
            phone.send(b"hello", local)
            await until(lambda: got.received)
            data, flow = got.received[0]
            assert (data, flow) == (b"hello", Flow("UDP", local, phone.address))
            made.send(flow, b"there")
            assert await phone.next() == b"there"
            assert not got.failed

    run(main)


@pytest.mark.parametrize(("wildcard", "family"), [("0.0.0.0", 4), ("::", 6)])
def test_a_wildcard_listener_shows_the_address_that_the_kernel_routes_from(wildcard: str, family: int) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, Listener("udp", wildcard, 0)) as (made, got):
            phone = Phone(HOSTS[family])
            phone.send(b"x", (HOSTS[family], made.bound[0].port))
            await until(lambda: got.received)
            flow = got.received[0][1]
            assert flow.local == (HOSTS[family], made.bound[0].port)
            assert made.flow_to("UDP", phone.address) == flow
            made.send(flow, b"y")
            assert await phone.next() == b"y"

    run(main)


def test_ipv6_does_not_take_ipv4_along() -> None:
    async def main(wheel: Wheel) -> None:
        port = free_port()
        async with opened(wheel, Listener("udp", "::", port)) as (_, got):
            Phone("127.0.0.1").send(b"four", ("127.0.0.1", port))
            Phone("::1").send(b"six", ("::1", port))
            await until(lambda: got.received)
            await asyncio.sleep(0.02)
            assert [data for data, _ in got.received] == [b"six"]

    run(main)


def test_listeners_on_several_addresses_with_one_port_each_answer_from_their_own() -> None:
    async def main(wheel: Wheel) -> None:
        port = free_port()
        listen = [Listener("udp", host, port) for host in ("127.0.0.1", "127.0.0.2")]
        async with opened(wheel, *listen) as (made, got):
            for host in ("127.0.0.1", "127.0.0.2"):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
                    phone.bind(("127.0.0.1", 0))
                    phone.connect((host, port))  # only what comes from that address reaches it
                    phone.settimeout(2)
                    phone.send(b"to " + host.encode())
                    await until(lambda: got.received)
                    data, flow = got.received.pop()
                    assert flow.local == (host, port)
                    made.send(flow, data)
                    assert phone.recv(100) == b"to " + host.encode()

    run(main)


def test_the_listener_for_a_new_flow_is_the_one_the_route_leads_out_of() -> None:
    async def main(wheel: Wheel) -> None:
        port = free_port()
        hosts = ("127.0.0.2", "0.0.0.0", "127.0.0.1")
        listen = [Listener("udp", host, port if host != "0.0.0.0" else free_port()) for host in hosts]
        async with opened(wheel, *listen) as (made, _):
            flow = made.flow_to("UDP", ("127.0.0.1", 9))
            assert flow is not None and flow.local == ("127.0.0.1", port)
        async with opened(wheel, *listen[:2]) as (made, _):
            flow = made.flow_to("UDP", ("127.0.0.1", 9))
            assert flow is not None and flow.local == ("127.0.0.1", listen[1].port), "the wildcard before a wrong one"

    run(main)


def test_two_gateways_share_a_port_and_nobody_else_gets_it() -> None:
    async def main(wheel: Wheel) -> None:
        port = free_port()
        async with (
            opened(wheel, Listener("udp", "127.0.0.1", port)) as (_, one),
            opened(wheel, Listener("udp", "127.0.0.1", port)) as (_, two),
        ):
            phones = [Phone() for _ in range(40)]
            for phone in phones:
                phone.send(b"x", ("127.0.0.1", port))
            await until(lambda: len(one.received) + len(two.received) == 40)
            assert one.received and two.received
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", port))
            stranger.close()

    run(main)


def test_what_cannot_be_bound_is_named_and_leaves_nothing_open() -> None:
    async def main(wheel: Wheel) -> None:
        port, taken = free_port(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(("127.0.0.1", 0))
        listen = [Listener("udp", "127.0.0.1", port), Listener("udp", "127.0.0.1", taken.getsockname()[1])]
        made = SipSockets("s0", listen, lambda data, flow: None, lambda flow: None, wheel)
        with pytest.raises(OSError, match=str(taken.getsockname()[1])):
            await made.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))
        taken.close()

    run(main)


def test_kernel_drops_are_counted() -> None:
    async def main(wheel: Wheel) -> None:
        listener = UdpListener("127.0.0.1", 0, lambda data, flow: None, lambda remote: "127.0.0.1", lambda *load: None)
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert listener.drops() == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for _ in range(100):
                phone.sendto(bytes(1000), ("127.0.0.1", listener.port))
        waiting = 0
        while True:
            try:
                listener.socket.recvfrom(2000)
            except BlockingIOError:
                break
            waiting += 1
        assert listener.drops() == 100 - waiting > 0
        listener.socket.close()

    run(main)


def test_the_receive_buffer_is_large_and_told() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, Listener("udp", "127.0.0.1", 0)) as (made, _):
            limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
            assert made.counters()["receive_buffer"] >= min(limit, RECEIVE_BUFFER)

    run(main)


@pytest.mark.parametrize("size", [0, 1, 65_000])
def test_datagrams_of_any_size(size: int) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, Listener("udp", "127.0.0.1", 0)) as (made, got):
            phone = Phone()
            phone.send(bytes(size), ("127.0.0.1", made.bound[0].port))
            await until(lambda: got.received)
            assert len(got.received[0][0]) == size

    run(main)


def test_what_cannot_be_sent_is_told() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, Listener("udp", "127.0.0.1", 0)) as (made, got):
            local = ("127.0.0.1", made.bound[0].port)
            too_large = Flow("UDP", local, ("127.0.0.1", 9))
            made.send(too_large, bytes(70_000))
            other_family = Flow("UDP", ("::1", 5060), ("::1", 9))
            made.send(other_family, b"x")
            assert got.failed == [too_large, other_family]
            assert made.counters()["unsent"] == 1

    run(main)


def test_a_flow_of_another_time_goes_out_of_what_listens_now() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, Listener("udp", "127.0.0.1", 0)) as (made, got):
            phone = Phone()
            made.send(Flow("UDP", ("127.0.0.9", 1), phone.address), b"x")
            assert await phone.next() == b"x"
            assert not got.failed

    run(main)


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "999.1.1.1", "1", "", "::g", "fe80::1%lo", "１.２.３.４"])
def test_only_numeric_addresses_are_sent_to(host: str) -> None:
    assert not is_address((host, 5060))


@pytest.mark.parametrize(("address", "right"), [(("::1", 1), True), (("10.0.0.1", 65535), True), (("::1", 0), False)])
def test_a_port_belongs_to_an_address(address: tuple[str, int], right: bool) -> None:
    assert is_address(address) is right


def test_a_host_without_a_route_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(remote: str) -> str:
        raise OSError(101, "Network is unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(sockets_module, "route", unreachable)
        assert (routed("192.0.2.1"), routed("2001:db8::1")) == ("127.0.0.1", "::1")
    assert routed("127.0.0.1") == "127.0.0.1"
