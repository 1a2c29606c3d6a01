"""The shell of the transaction layer with real sockets: barrier, answers without state, owners, large requests."""

import asyncio
import logging
import os
import re
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateways.sip import oversize
from gateways.sip.gateway import SipGateway
from gateways.sip.sockets import SipSockets
from gateways.sip.tcp import TcpLimits
from gateways.wheel import Wheel
from rayswitch.config import Listener
from rayswitch.sip.events import RequestReceived, ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.flow import Address, Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.machine import Timers
from rayswitch.sip.message import Request, Response, parse, respond
from rayswitch.sip.transactions import TransactionLayer
from tests.gateways.loopback import Phone, request, run, until
from tests.interop.ports import free_port

LOCAL = "127.0.0.1"


class Rig(SipGateway):
    """A gateway whose user keeps what it is told."""

    def __init__(self, id: str, wheel: Wheel, listen: Sequence[Listener], peers: "Neighbours | None" = None) -> None:
        def sockets(gateway: SipGateway) -> SipSockets:
            return SipSockets(
                id, listen, gateway.arrived, gateway.flow_failed, wheel, TcpLimits(half_open=2), gateway.refuse
            )

        layer = TransactionLayer(Identifiers(id, os.urandom), Timers(t1=0.05, t2=0.1, t4=0.1))
        super().__init__(id, layer, wheel, wheel.loop.time, sockets, peers)
        self.told: list[Any] = []
        self.user = lambda event, now: self.told.append(event)

    @property
    def address(self) -> tuple[str, int]:
        bound = self.sockets.bound[0]
        return bound.host, bound.port

    async def next(self, kind: type) -> Any:
        """The next event, which is of that kind."""
        await until(lambda: self.told)
        event = self.told.pop(0)
        assert isinstance(event, kind), event
        return event


class Neighbours:
    """Implements Peers in memory: gateways of one process that hand each other raw octets."""

    def __init__(self) -> None:
        self.gateways: dict[str, Rig] = {}
        self.dead: set[str] = set()
        self.sent: list[tuple[str, Flow]] = []
        self.broken = False
        self.out: set[str] = set()
        self.heirs: dict[str, str] = {}
        self.addresses: dict[Address, str] = {}

    def alive(self, owner: str) -> bool:
        return owner in self.gateways and owner not in self.dead

    def alone(self) -> bool:
        return len(self.gateways) < 2

    def owner(self, host: str) -> str:
        return self.heirs.get(host, host)

    def at(self, local: Address) -> str:
        return self.addresses.get(local, "")

    def drained(self, host: str) -> bool:
        return host in self.out

    def leaves(self, host: str) -> bool:
        return False

    def stand_in(self) -> str:
        return next((name for name in self.gateways if name not in self.out), "")

    def forward(self, owner: str, data: bytes, flow: Flow, names: Sequence[str] = ()) -> None:
        self.gateways[owner].forwarded(data, flow, names)

    def send(self, owner: str, flow: Flow, data: bytes) -> None:
        self.sent.append((owner, flow))
        self.gateways[owner].send(flow, data)

    async def cancel(self, data: bytes, flow: Flow) -> bool:
        await asyncio.sleep(0)
        if self.broken:
            raise ConnectionError
        return any(gateway.cancel_forwarded(data, flow) for gateway in self.gateways.values())


@asynccontextmanager
async def opened(wheel: Wheel, *transports: str, host: str = LOCAL) -> AsyncIterator[Rig]:
    """One gateway that listens on one port with these transports."""
    port = free_port(host)
    made = Rig("s0", wheel, [Listener(transport, host, port) for transport in transports or ("udp",)])
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def pair(wheel: Wheel, *transports: str) -> AsyncIterator[tuple[Neighbours, Rig, Rig]]:
    """Two gateways that share a port."""
    room = Neighbours()
    port = free_port()
    for name in ("s0", "s1"):
        listen = [Listener(transport, LOCAL, port) for transport in transports or ("udp",)]
        room.gateways[name] = Rig(name, wheel, listen, room)
        await room.gateways[name].start()
    try:
        yield room, room.gateways["s0"], room.gateways["s1"]
    finally:
        for gateway in room.gateways.values():
            await gateway.close()


def options(uri: str, body: bytes = b"", method: str = "OPTIONS") -> Request:
    rows = [
        ("max-forwards", "70"),
        ("from", "<sip:us@example.com>;tag=u1"),
        ("to", f"<{uri}>"),
        ("call-id", os.urandom(8).hex()),
        ("cseq", f"1 {method}"),
        ("content-type", "text/plain"),
        ("content-length", str(len(body))),
    ]
    return Request.new(method, uri, rows, body)


def answer_to(data: bytes, status: int = 200) -> bytes:
    asked = parse(data)
    assert isinstance(asked, Request)
    return respond(asked, status, to_tag="them").encode()


# -- one gateway -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_request_reaches_the_user_and_its_answer_the_phone_also_when_it_is_repeated(host: str) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, host=host) as gateway:
            phone, asked = Phone(host), request()
            phone.send(asked, gateway.address)
            event = await gateway.next(RequestReceived)
            gateway.respond(event.server, respond(event.request, 200, to_tag="t"))
            first = await phone.next()
            phone.send(asked, gateway.address)
            assert await phone.next() == first
            assert b"SIP/2.0 200 OK" in first and f"rport={phone.address[1]}".encode() in first
            assert not gateway.told

    run(main)


def test_a_request_of_ours_and_its_response() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("key", options("sip:x@127.0.0.1"), flow)
            asked = await phone.next()
            assert re.search(rb"Via: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=z9hG4bKs0\." % gateway.address[1], asked)
            phone.send(answer_to(asked), gateway.address)
            event = await gateway.next(ResponseReceived)
            assert (event.key, event.response.status) == ("key", 200)

    run(main)


def test_timers_run_until_nobody_answers() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("key", options("sip:x@127.0.0.1"), flow)
            assert (await gateway.next(TimedOut)).key == "key"
            assert len(phone.got) > 5 and len(set(phone.got)) == 1

    run(main)


def test_an_invite_whose_user_is_slow_gets_100_and_others_do_not() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            slow, quick = Phone(), Phone()
            quick.send(request("INVITE"), gateway.address)
            event = await gateway.next(RequestReceived)
            gateway.respond(event.server, respond(event.request, 180, to_tag="t"))
            slow.send(request("INVITE"), gateway.address)
            assert b"SIP/2.0 100 Trying" in await slow.next(1.0)
            assert [data[:11] for data in quick.got] == [b"SIP/2.0 180"]

    run(main)


def test_malformed_requests_are_answered_where_they_can_be_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            for _ in range(20):
                phone.send(request(CSeq="x OPTIONS"), gateway.address)
            await until(lambda: len(phone.got) == 20)
            assert phone.got[0].startswith(b"SIP/2.0 400 ") and b"Call-ID: call-" in phone.got[0]
            for data in (b"\xff" * 40, b"SIP/2.0 200 OK\r\n\r\n", request("ACK", CSeq="0 BYE"), b"x" * 60_000):
                phone.send(data, gateway.address)
            await until(lambda: gateway.malformed == 24)
            assert len(phone.got) == 20 and not gateway.told and not gateway.errors

    with caplog.at_level(logging.WARNING):
        run(main)
    assert sum("malformed message" in record.message for record in caplog.records) <= 2


def test_a_response_that_lacks_headers_moves_no_transaction() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("key", options("sip:x@127.0.0.1"), flow)
            answer = answer_to(await phone.next())
            phone.send(re.sub(rb"To: [^\r]*\r\n", b"", answer), gateway.address)
            await until(lambda: gateway.malformed)
            phone.send(answer, gateway.address)
            assert (await gateway.next(ResponseReceived)).response.to.tag == "them"

    run(main)


def test_answers_without_a_transaction_go_where_the_via_says() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            gateway.doorkeeper = lambda request, flow, now: respond(request, 401, to_tag="door")
            sender, listener = Phone(), Phone()
            via = f"UDP 127.0.0.1:{listener.address[1]}"
            sender.send(request(via=via), gateway.address)
            assert b"SIP/2.0 401" in await listener.next()
            sender.send(request(via=via, Max_Forwards="many"), gateway.address)
            assert b"SIP/2.0 400" in await listener.next()
            sender.send(request(via=via + ";rport"), gateway.address)
            assert b"SIP/2.0 401" in await sender.next()
            assert not gateway.layer.machines and not gateway.told

    run(main)


def test_the_ack_of_an_answer_without_a_transaction_ends_here() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            gateway.door_tag = "door"
            phone = Phone()
            phone.send(request("ACK", to_tag="door"), gateway.address)
            phone.send(request(), gateway.address)
            await gateway.next(RequestReceived)

    run(main)


def test_no_exception_of_the_user_leaves(caplog: pytest.LogCaptureFixture) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:

            def fail(event: Any, now: float) -> None:
                raise RuntimeError("user")

            gateway.user = fail
            phone = Phone()
            for _ in range(100):
                phone.send(request(), gateway.address)
            await until(lambda: gateway.errors == 100)
            gateway.request("key", options("sip:127.0.0.1:1"), Flow("TCP", gateway.address, (LOCAL, 1), "s0", 77))
            gateway.user = lambda event, now: gateway.told.append(event)
            phone.send(request(), gateway.address)
            await gateway.next(RequestReceived)

    with caplog.at_level(logging.WARNING):
        run(main)
    assert 1 <= sum("could not be handled" in record.message for record in caplog.records) <= 2


def test_stun_and_keep_alives() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            for data in (b"\r\n\r\n", b"\r\n", b"\0", b""):
                phone.send(data, gateway.address)
            transaction = bytes(range(12))
            phone.send(struct.pack(">HHI", 0x0011, 0, 0x2112A442) + transaction, gateway.address)  # an indication
            phone.send(struct.pack(">HHI", 0x0001, 0, 0x2112A442) + transaction, gateway.address)
            answer = await phone.next()
            assert answer[:8] == struct.pack(">HHI", 0x0101, 12, 0x2112A442) and answer[8:20] == transaction
            kind, length, family, port = struct.unpack(">HHHH", answer[20:28])
            assert (kind, length, family) == (0x0020, 8, 1)
            assert port ^ 0x2112 == phone.address[1]
            assert bytes(a ^ b for a, b in zip(answer[28:], b"\x21\x12\xa4\x42", strict=True)) == b"\x7f\0\0\1"
            assert not phone.got and not gateway.malformed

    run(main)


def test_who_is_not_admitted_is_not_even_parsed() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            friend, stranger = Phone(), Phone("127.0.0.2")
            gateway.admits = lambda host, now: host == friend.address[0]
            stranger.send(request(CSeq="broken"), gateway.address)
            friend.send(request(), gateway.address)
            await gateway.next(RequestReceived)
            assert gateway.denied == 1 and not gateway.malformed and not stranger.got

    run(main)


def test_who_is_blocked_is_stopped_by_the_kernel() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            friend, stranger = Phone(), Phone("127.0.0.2")
            gateway.sockets.block({"127.0.0.2", "2001:db8::1"})
            stranger.send(request(), gateway.address)
            friend.send(request(), gateway.address)
            await gateway.next(RequestReceived)
            assert gateway.received == 1 and gateway.counters()["kernel_drops"] == 1
            gateway.sockets.block(set())
            stranger.send(request(), gateway.address)
            await gateway.next(RequestReceived)

    run(main)


def test_what_is_new_is_refused_while_too_much_waits() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            phone = Phone()
            accepted = request()
            phone.send(accepted, gateway.address)
            invite = await gateway.next(RequestReceived)
            gateway.loaded(64, 0.64, 100)  # ten milliseconds each
            for _ in range(2):
                gateway.overload.late(1.0)
            phone.send(accepted, gateway.address)  # a repetition of what was taken
            phone.send(request(), gateway.address)
            await until(lambda: phone.got)
            assert phone.got[0].startswith(b"SIP/2.0 503 Overloaded") and b"Retry-After: " in phone.got[0]
            assert not gateway.told and gateway.counters()["overloaded"] == 1
            gateway.respond(invite.server, respond(invite.request, 486, to_tag="x"))
            await until(lambda: any(b" 486 " in data for data in phone.got))
            gateway.loaded(1, 0.0, 0)
            gateway.overload.late(0.0)
            phone.send(request(), gateway.address)
            await gateway.next(RequestReceived)

    run(main)


def test_traces_show_both_directions_without_secrets() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel) as gateway:
            seen: list[tuple[str, str]] = []
            gateway.trace.add(lambda now, direction, flow, text: seen.append((direction, text)))
            gateway.trace.add(lambda now, direction, flow, text: [][0])
            phone = Phone()
            credentials = (
                'Digest username="100",\r\n realm="r", nonce="secret1", uri="sip:r",\r\n\t'
                'response="secret2", cnonce="se\\"cret3", opaque=secret4'
            )
            phone.send(request(Authorization=credentials), gateway.address)
            event = await gateway.next(RequestReceived)
            rows = [
                ("www-authenticate", 'Digest realm="r", nonce="secret5", algorithm=MD5'),
                ("authentication-info", 'nextnonce="secret6", rspauth="secret7"'),
            ]
            gateway.respond(event.server, respond(event.request, 401, to_tag="t", headers=rows))
            assert b"secret5" in await phone.next()
            assert [direction for direction, _ in seen] == ["in", "out"]
            assert all('realm="r"' in text and "secret" not in text and 'cret3"' not in text for _, text in seen)
            assert 'username="100"' in seen[0][1] and "algorithm=MD5" in seen[1][1]
            assert len(gateway.trace) == 1, "who fails is shown nothing more"

    run(main)


# -- TCP, and large requests -------------------------------------------------------------------------------------------


def test_a_broken_stream_is_answered_400_before_it_is_closed() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, "tcp") as gateway:
            reader, writer = await asyncio.open_connection(*gateway.address)
            writer.write(request(via="TCP 127.0.0.1:5999", Content_Length="x"))
            answer = await asyncio.wait_for(reader.read(-1), 5)
            assert answer.startswith(b"SIP/2.0 400 ") and gateway.malformed == 1
            writer.close()

    run(main)


def test_a_request_over_a_connection_that_is_gone_opens_a_new_one_to_its_uri() -> None:
    async def main(wheel: Wheel) -> None:
        heard = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer_to(asked))
            heard.set()
            await reader.read(-1)
            writer.close()

        server = await asyncio.start_server(serve, LOCAL, 0)
        async with opened(wheel, "tcp") as gateway:
            gone = Flow("TCP", gateway.address, (LOCAL, 40000), "s0", 999)
            port = server.sockets[0].getsockname()[1]
            gateway.request("key", options(f"sip:x@127.0.0.1:{port};transport=tcp"), gone)
            event = await gateway.next(ResponseReceived)
            assert event.response.status == 200 and event.flow.remote == (LOCAL, port) and heard.is_set()
        server.close()

    run(main)


@pytest.mark.parametrize("uri", ["sip:x@example.com", "sip:x@1.2.3.4.5", "sip:x@127.0.0.1:1"])
def test_a_request_that_cannot_be_sent_anywhere_is_unreachable(uri: str) -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, "tcp") as gateway:
            gateway.request("key", options(uri), Flow("TCP", gateway.address, (LOCAL, 40000), "s0", 999))
            assert (await gateway.next(Unreachable)).key == "key"

    run(main)


def test_a_large_request_goes_by_tcp_and_says_so_in_its_via() -> None:
    async def main(wheel: Wheel) -> None:
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer_to(heard[0] + await reader.readexactly(1200)))
            await reader.read(-1)
            writer.close()

        phone = Phone()
        server = await asyncio.start_server(serve, *phone.address)
        async with opened(wheel, "udp", "tcp") as gateway:
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("large", options("sip:x@127.0.0.1", bytes(1200)), flow)
            event = await gateway.next(ResponseReceived)
            assert (event.key, event.flow.transport) == ("large", "TCP")
            assert b"Via: SIP/2.0/TCP 127.0.0.1:%d;" % gateway.address[1] in heard[0]
            gateway.request("small", options("sip:x@127.0.0.1", bytes(700)), flow)
            assert b"SIP/2.0/UDP" in await phone.next()
        server.close()

    run(main)


def test_a_large_request_goes_by_udp_when_tcp_is_refused_and_that_is_remembered() -> None:
    async def main(wheel: Wheel) -> None:
        phone = Phone()
        async with opened(wheel, "udp", "tcp") as gateway:
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            for _ in range(2):
                gateway.request("key", options("sip:x@127.0.0.1", bytes(1500)), flow)
                asked = await phone.next()
                assert b"SIP/2.0/UDP" in asked
                phone.send(answer_to(asked), gateway.address)
                await gateway.next(ResponseReceived)
            assert list(gateway.oversize.refused) == [phone.address]
            assert next(gateway.sockets.tcp.numbers) == 2, "tried once"
            phone.got.clear()

    run(main)


def test_a_refusal_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(wheel: Wheel) -> None:
        monkeypatch.setattr(oversize, "FORGET_SECONDS", 0.02)
        async with opened(wheel, "udp", "tcp") as gateway:
            remote = (LOCAL, 9)
            flow = gateway.sockets.flow_to("UDP", remote)
            assert flow is not None
            large = options("sip:x@127.0.0.1", bytes(1500))
            assert await gateway.oversize.flow_for(flow) == flow
            assert not gateway.oversize.applies(large, flow)
            await asyncio.sleep(0.03)
            assert gateway.oversize.applies(large, flow)

    run(main)


def test_a_large_request_without_a_tcp_listener_goes_by_udp() -> None:
    async def main(wheel: Wheel) -> None:
        phone = Phone()
        async with opened(wheel, "udp") as gateway:
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("key", options("sip:x@127.0.0.1", bytes(1500)), flow)
            assert b"SIP/2.0/UDP" in await phone.next()

    run(main)


def test_a_cancel_for_an_invite_that_waits_for_its_connection_is_not_lost() -> None:
    async def main(wheel: Wheel) -> None:
        phone = Phone()
        async with opened(wheel, "udp", "tcp") as gateway:
            flow = gateway.sockets.flow_to("UDP", phone.address)
            assert flow is not None
            gateway.request("key", options("sip:x@127.0.0.1", bytes(1500), "INVITE"), flow)
            gateway.cancel("key", "SIP;cause=200")
            gateway.cancel("key")
            invite = await phone.next()
            assert invite.startswith(b"INVITE ")
            phone.send(answer_to(invite, 180), gateway.address)
            await until(lambda: any(data.startswith(b"CANCEL ") for data in phone.got))
            cancel = next(data for data in phone.got if data.startswith(b"CANCEL "))
            assert b"Reason: SIP;cause=200" in cancel
            assert not gateway.opening

    run(main)


# -- two gateways ------------------------------------------------------------------------------------------------------


def test_responses_reach_the_gateway_that_asked_wherever_they_land() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (_, s0, s1):
            for gateway in (s0, s1):
                for key in range(12):  # many source ports: the kernel spreads the answers
                    phone = Phone()
                    flow = gateway.sockets.flow_to("UDP", phone.address)
                    assert flow is not None
                    gateway.request(key, options("sip:x@127.0.0.1"), flow)
                    phone.send(answer_to(await phone.next()), gateway.address)
                    assert (await gateway.next(ResponseReceived)).key == key
            assert s0.forwarded_away and s1.forwarded_away
            assert not s0.told and not s1.told

    run(main)


def test_requests_go_by_their_tag_and_their_nonce() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (_, s0, s1):
            tag = s1.layer.ids.tag(s1.layer.ids.call(), 1)
            nonce = f'Digest username="1", realm="r", nonce="s1.{"a" * 12}.{"b" * 24}", uri="sip:r", response="x"'
            for _ in range(12):
                Phone().send(request("INFO", to_tag=tag), s0.address)
                Phone().send(request("REGISTER", Authorization=nonce), s0.address)
                Phone().send(request("INVITE", Proxy_Authorization=nonce), s0.address)
            await until(lambda: len(s1.told) == 36)
            assert not s0.told and s0.forwarded_away

    run(main)


def test_what_belongs_to_nobody_or_to_a_host_that_is_no_live_gateway_stays_where_it_landed() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (room, s0, s1):
            room.dead.add("s1")
            flow = Flow("UDP", s0.address, (LOCAL, 9))
            for tag in (
                s0.layer.ids.tag(s0.layer.ids.call(), 1),
                s1.layer.ids.tag(s1.layer.ids.call(), 1),
                "c0.0123456789ab.1",
                "anything",
            ):
                s0.arrived(request("INFO", to_tag=tag), flow)
                await s0.next(RequestReceived)
            s0.arrived(request("REGISTER"), flow)
            await s0.next(RequestReceived)
            assert not s1.told and not s0.forwarded_away

    run(main)


def test_what_begins_at_a_gateway_that_is_drained_is_served_by_another() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (room, s0, s1):
            room.out.add("s0")
            flow = Flow("UDP", s0.address, (LOCAL, 9))
            nonce = f'Digest username="1", realm="r", nonce="s0.{"a" * 12}.{"b" * 24}", uri="sip:r", response="x"'
            for asked in (request("REGISTER"), request("INVITE"), request("INVITE", Proxy_Authorization=nonce)):
                s0.arrived(asked, flow)
                await s1.next(RequestReceived)
            s0.arrived(request("INFO", to_tag=s0.layer.ids.tag(s0.layer.ids.call(), 1)), flow)
            await s0.next(RequestReceived)
            s1.arrived(request("INVITE", Proxy_Authorization=nonce), flow)
            await s1.next(RequestReceived)
            assert not s0.told and not s1.told

    run(main)


def test_what_the_sender_has_proved_goes_with_what_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel, "tcp") as (room, s0, s1):
            room.out.add("s0")
            monkeypatch.setattr(s0.sockets, "names", lambda flow: ("sip.example.com",))
            flow = Flow("TCP", s0.address, (LOCAL, 9), "s0", 7)
            s0.arrived(request("INVITE"), flow)
            event = await s1.next(RequestReceived)
            assert s1.flows.names(event.flow) == ("sip.example.com",)

    run(main)


def test_what_names_a_dead_gateway_is_its_heirs() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (room, s0, s1):
            room.heirs["s7"] = "s1"
            flow = Flow("UDP", s0.address, (LOCAL, 9))
            for gateway in (s0, s1):
                gateway.arrived(request("INFO", to_tag="s7.0123456789ab.1"), flow)
                await s1.next(RequestReceived)
            assert not s0.told

    run(main)


def test_a_datagram_leaves_from_the_address_that_its_peer_knows() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (room, s0, _):
            phone = Phone()
            there = Flow("UDP", ("192.0.2.1", 5060), phone.address)
            room.addresses[there.local] = "s1"
            assert s0.flows.reach(there) == there
            s0.request("key", options("sip:x@127.0.0.1"), there)
            assert b"Via: SIP/2.0/UDP 192.0.2.1:5060" in await phone.next()
            assert room.sent[0] == ("s1", there)
            room.addresses.clear()
            mine = Flow("UDP", s0.address, phone.address)
            assert s0.flows.reach(there) == mine
            s0.request("key", options("sip:x@127.0.0.1"), there)
            asked = await phone.next()
            assert b"Via: SIP/2.0/UDP 127.0.0.1:%d" % s0.address[1] in asked

    run(main)


def test_what_was_handed_over_is_answered_from_there_and_cannot_break_it() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (_, s0, s1):
            phone = Phone()
            flow = Flow("UDP", s0.address, phone.address)
            tag = s1.layer.ids.tag(s1.layer.ids.call(), 1)
            s0.arrived(request("INFO", to_tag=tag), flow)
            event = await s1.next(RequestReceived)
            s1.respond(event.server, respond(event.request, 200))
            assert b"SIP/2.0 200" in await phone.next()
            s0.arrived(request("INFO", to_tag=tag, Max_Forwards="many"), flow)
            assert b"SIP/2.0 400" in await phone.next()
            s1.forwarded(b"nonsense", flow)
            assert (s0.malformed, s1.malformed) == (0, 2)

    run(main)


def test_a_connection_of_another_gateway_is_sent_over_through_it() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel, "tcp") as (room, s0, s1):
            tag = {gateway.id: gateway.layer.ids.tag(gateway.layer.ids.call(), 1) for gateway in (s0, s1)}
            reader, writer = await asyncio.open_connection(*s0.address)
            writer.write(request(via="TCP 127.0.0.1:5999"))
            await until(lambda: s0.told or s1.told)
            holder, other = (s0, s1) if s0.told else (s1, s0)
            flow = holder.told.pop().flow
            assert flow.gateway == holder.id
            writer.write(request("INFO", via="TCP 127.0.0.1:5999", to_tag=tag[other.id]))
            event = await other.next(RequestReceived)
            other.respond(event.server, respond(event.request, 200))
            assert b"SIP/2.0 200" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            other.request("key", options("sip:x@127.0.0.1"), flow)
            asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            writer.write(answer_to(asked))
            assert (await other.next(ResponseReceived)).key == "key"
            assert room.sent == [(holder.id, flow)] * 2
            writer.close()

    run(main)


def test_a_connection_that_died_with_its_gateway_is_replaced() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel, "tcp") as (room, s0, _):
            room.dead.add("s1")
            server = await asyncio.start_server(lambda reader, writer: writer.close(), LOCAL, 0)
            port = server.sockets[0].getsockname()[1]
            s0.request("key", options(f"sip:x@127.0.0.1:{port}"), Flow("TCP", s0.address, (LOCAL, 5), "s1", 3))
            assert (await s0.next(Unreachable)).key == "key", "this server hangs up, but was called"
            assert next(s0.sockets.tcp.numbers) == 2
            server.close()

    run(main)


def test_a_cancel_finds_its_invite_on_another_gateway_and_else_is_answered_481() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (_, s0, s1):
            phone = Phone()
            flow = Flow("UDP", s0.address, phone.address)
            invite = request("INVITE")
            cancel = invite.replace(b"INVITE sip", b"CANCEL sip").replace(b"1 INVITE", b"1 CANCEL")
            s1.arrived(invite, flow)
            server = (await s1.next(RequestReceived)).server
            s0.arrived(cancel, flow)
            assert b"SIP/2.0 200" in await phone.next()
            await until(lambda: s1.told)
            assert s1.told.pop().server == server
            s0.arrived(request("CANCEL"), flow)
            await until(lambda: any(b"SIP/2.0 481" in data for data in phone.got))

    run(main)


def test_a_cancel_is_answered_although_the_others_cannot_be_asked() -> None:
    async def main(wheel: Wheel) -> None:
        async with pair(wheel) as (room, s0, _):
            room.broken = True
            phone = Phone()
            s0.arrived(request("CANCEL"), Flow("UDP", s0.address, phone.address))
            assert b"SIP/2.0 481" in await phone.next()
            assert s0.errors == 1

    run(main)


def test_counters_and_listeners() -> None:
    async def main(wheel: Wheel) -> None:
        async with opened(wheel, "udp", "tcp") as gateway:
            port = gateway.address[1]
            assert gateway.listeners() == [f"udp://127.0.0.1:{port}", f"tcp://127.0.0.1:{port}"]
            phone = Phone()
            phone.send(request(), gateway.address)
            event = await gateway.next(RequestReceived)
            gateway.respond(event.server, Response.new(200, None, [("via", event.request.get("via") or "")]))
            counters = gateway.counters()
            assert (counters["received"], counters["sent"], counters["kernel_drops"]) == (1, 1, 0)
            assert counters["transactions"] == 1

    run(main)
