"""SIP over TLS with real sockets: messages both ways, versions, certificates asked for and exchanged while it runs."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateways.sip.certificates import Certificates
from gateways.sip.flows import REMEMBERED, Flows
from gateways.sip.sockets import SipSockets
from gateways.sip.tcp import TcpLimits
from gateways.wheel import Wheel
from rayswitch.config import Listener, Tls
from rayswitch.sip.flow import Flow
from tests.gateways.certificates import Authority
from tests.gateways.loopback import request, run, until
from tests.interop.ports import free_port


class Rig:
    """Sockets that listen for TLS and keep what comes."""

    def __init__(self, wheel: Wheel, tls: Tls) -> None:
        self.certificates = Certificates(tls)
        self.got: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []
        self.port = free_port()
        self.sockets = SipSockets(
            "s0", [Listener("tls", "127.0.0.1", self.port)], lambda data, flow: self.got.append((data, flow)),
            self.failed.append, wheel, TcpLimits(half_open=2), certificates=self.certificates,
        )  # fmt: skip


@asynccontextmanager
async def opened(wheel: Wheel, tls: Tls) -> AsyncIterator[Rig]:
    rig = Rig(wheel, tls)
    await rig.sockets.start()
    try:
        yield rig
    finally:
        await rig.sockets.close()


def client(authority: Authority, own: Path | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority.file))
    if own is not None:
        made.load_cert_chain(own)
    return made


async def connect(rig: Rig, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", rig.port, ssl=context)


def tls_of(authority: Authority, **more: str) -> Tls:
    return Tls(certificate=str(authority.issue("switch")), **more)


def test_messages_go_both_ways_over_one_connection(tmp_path: Path) -> None:
    async def main(wheel: Wheel) -> None:
        authority = Authority(tmp_path)
        async with opened(wheel, tls_of(authority)) as rig:
            reader, writer = await connect(rig, client(authority))
            writer.write(request())
            await until(lambda: rig.got)
            data, flow = rig.got[0]
            assert b" SIP/2.0\r\n" in data and flow.transport == "TLS" and flow.reliable
            assert rig.sockets.connected(flow)
            rig.sockets.send(flow, b"SIP/2.0 200 OK\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"SIP/2.0 200 OK\r\n\r\n"
            assert rig.sockets.counters()["tls_connections"] == 1
            writer.close()
            await until(lambda: rig.failed == [flow])

    run(main)


def test_a_flow_to_a_peer_is_opened_with_tls(tmp_path: Path) -> None:
    async def main(wheel: Wheel) -> None:
        authority = Authority(tmp_path)
        async with opened(wheel, tls_of(authority)) as rig, opened(wheel, tls_of(authority)) as far:
            flow = rig.sockets.flow_to("TLS", ("127.0.0.1", far.port))
            assert flow is not None and flow.transport == "TLS"
            rig.sockets.send(flow, request())
            await until(lambda: far.got)

    run(main)


@pytest.mark.parametrize(("version", "works"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_old_versions_are_refused(tmp_path: Path, version: str, works: bool) -> None:
    async def main(wheel: Wheel) -> None:
        authority = Authority(tmp_path)
        async with opened(wheel, tls_of(authority)) as rig:
            context = client(authority)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OPENSSL_CONF", os.devnull)
                import warnings

                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
            if works:
                _, writer = await connect(rig, context)
                writer.close()
            else:
                with pytest.raises((ssl.SSLError, OSError)):
                    await connect(rig, context)

    run(main)


@pytest.mark.parametrize("clients", ["optional", "required"])
def test_who_is_asked_for_a_certificate_shows_one_of_the_authority(tmp_path: Path, clients: str) -> None:
    async def main(wheel: Wheel) -> None:
        (tmp_path / "other").mkdir()
        authority, other = Authority(tmp_path), Authority(tmp_path / "other")
        async with opened(wheel, tls_of(authority, authorities=str(authority.file), clients=clients)) as rig:
            for own, welcome in (
                (authority.issue("trunk"), True),
                (None, clients == "optional"),
                (other.issue("stranger"), False),
            ):
                had = len(rig.got)
                try:
                    reader, writer = await connect(rig, client(authority, own))
                    writer.write(request())
                    if welcome:
                        await until(lambda had=had: len(rig.got) > had)
                    else:
                        assert await reader.read() == b""
                    writer.close()
                except OSError:
                    assert not welcome
                assert (len(rig.got) > had) == welcome

    run(main)


@pytest.mark.parametrize(
    ("clients", "names", "known"),
    [
        ("required", ("SIP.example.com", "sbc.example.com"), ("sip.example.com", "sbc.example.com")),
        ("optional", ("dns.example.com", "sip:Example.com", "sip:alice@example.com"), ("example.com",)),
        ("optional", ("dns.example.com", "https://example.com/"), ("dns.example.com",)),
        ("required", (), ()),
        ("no", ("sip.example.com",), ()),
    ],
)
def test_the_names_of_a_verified_certificate_are_kept_with_the_connection(
    tmp_path: Path, clients: str, names: tuple[str, ...], known: tuple[str, ...]
) -> None:
    async def main(wheel: Wheel) -> None:
        authority = Authority(tmp_path)
        async with opened(wheel, tls_of(authority, authorities=str(authority.file), clients=clients)) as rig:
            _, writer = await connect(rig, client(authority, authority.issue("trunk", *names)))
            writer.write(request())
            await until(lambda: rig.got)
            flow = rig.got[0][1]
            assert rig.sockets.names(flow) == known and rig.sockets.verifies == (clients != "no")
            writer.close()
            await until(lambda: rig.failed)
            assert rig.sockets.names(flow) == ()

    run(main)


def test_names_of_connections_elsewhere_are_those_that_came_with_the_message() -> None:
    no_sockets: Any = None
    flows = Flows("s0", no_sockets, None)
    flow = Flow("TLS", ("192.0.2.1", 5061), ("192.0.2.9", 40000), "s1", 7)
    assert flows.names(flow) == ()
    flows.lent(flow, ["sip.example.com"])
    assert flows.names(flow) == ["sip.example.com"] and flows.names(flow._replace(connection=8)) == ()
    flows.lent(flow, [])
    assert flows.names(flow) == ()
    for number in range(2 * REMEMBERED):
        flows.lent(flow._replace(connection=number), ["x"])
    assert len(flows.shown) == REMEMBERED


def test_a_new_certificate_is_in_force_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main(wheel: Wheel) -> None:
        authority = Authority(tmp_path)
        async with opened(wheel, tls_of(authority)) as rig:
            path = Path(rig.certificates.tls.certificate)

            async def shown() -> bytes:
                _, writer = await connect(rig, client(authority))
                found: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
                writer.close()
                return found

            first = await shown()
            assert not rig.certificates.refresh() and await shown() == first
            path.write_bytes(path.read_bytes()[:300])  # half written
            with caplog.at_level(logging.WARNING):
                assert not rig.certificates.refresh()
            assert await shown() == first and "stays as it is" in caplog.text
            authority.issue("switch")
            assert rig.certificates.refresh()
            assert await shown() != first

    run(main)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as raised:
        Certificates(Tls(certificate=str(tmp_path / "nowhere.pem")))
    assert "nowhere.pem" in str(raised.value)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        Certificates(Tls(certificate=str(broken)))
