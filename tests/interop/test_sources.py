"""Who calls from outside: a trunk by its name, its port, its certificate, its password; and a stranger.

Each caller is an address of the loopback network. All trunks lead to a number that nobody has: who is known is answered
404, and the record of his call names the trunk.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Self

import pytest

from tests.gateways.certificates import Authority
from tests.interop.agent import Message, credentials
from tests.interop.ports import free_port
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch
from tests.name_server import NameServer

NAMED, MOVED, SBC, CERTIFIED, DIGEST, STRANGER, SCANNER = (f"127.0.0.{number}" for number in range(61, 68))
FOREIGN = "carrier.test"
PLAN = """
trunks:
  - {{name: named, server: '{name}', options: 0, target: '999'}}
  - {{name: sbc-a, server: '{sbc}:5070', options: 0, target: '999'}}
  - {{name: sbc-b, server: '{sbc}:5072', options: 0, target: '999'}}
  - {{name: certified, server: '127.0.0.1:9', options: 0, target: '999', certificate: sip.peer.test}}
"""
PROVED = (
    "  - {name: pbx, server: '127.0.0.1:9', options: 0, target: '999', incoming_user: pbx, incoming_secret: hush}\n"
)
numbers = iter(range(70000, 80000))


class Caller:
    """Sends INVITEs from one socket; `way` is udp, tcp or tls."""

    def __init__(
        self, to: int, host: str, port: int = 0, way: str = "udp", context: ssl.SSLContext | None = None
    ) -> None:
        self.way = way
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if way == "udp" else socket.SOCK_STREAM)
        self.socket.settimeout(5)
        self.socket.bind((host, port))
        self.socket.connect(("127.0.0.1", to))
        if context is not None:
            self.socket = context.wrap_socket(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def invite(self, user: str = "", domain: str = FOREIGN, proof: str = "") -> Message:
        """The final answer, which is acknowledged."""
        host, port = self.socket.getsockname()
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        rows = (
            f"Via: SIP/2.0/{self.way.upper()} {host}:{port};branch={branch}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{user or next(numbers)}@{domain}>;tag=1\r\nCall-ID: {branch}\r\n"
            f"Contact: <sip:a@{host}:{port}>\r\n"
        )
        uri = f"sip:1@{DOMAIN}"
        first = f"INVITE {uri} SIP/2.0\r\n{rows}To: <{uri}>\r\nCSeq: 1 INVITE\r\n{proof}Content-Length: 0\r\n\r\n"
        self.socket.sendall(first.encode())
        answer = self.read()
        while answer.status < 200 or branch not in answer.get("via"):
            answer = self.read()
        ack = f"ACK {uri} SIP/2.0\r\n{rows}To: {answer.get('to')}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
        self.socket.sendall(ack.encode())
        return answer

    def read(self) -> Message:
        """One message; none of those that come here has a body."""
        if self.way == "udp":
            return Message(self.socket.recv(65535))
        data = b""
        while b"\r\n\r\n" not in data:
            got = self.socket.recv(1)
            if not got:
                raise ConnectionResetError
            data += got
        return Message(data)


class Names:
    """A name server in a thread of its own, whose answers are good for a second."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = NameServer({(FOREIGN, "A"): [NAMED]}, ttl=1, negative=1)
        self.address = self.loop.run_until_complete(self.server.start())
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def switch(names: Names, authority: Authority) -> Iterator[Switch]:
    """Two gateways."""
    port = free_port()
    tls = {"certificate": str(authority.issue("switch")), "authorities": str(authority.file), "clients": "optional"}
    sip = {
        "listen": [f"{way}://127.0.0.1:{port + (way == 'tls')}" for way in ("udp", "tcp", "tls")],
        "gateways": 2,
        "tls": tls,
        "name_servers": [f"127.0.0.1:{names.address[1]}"],
    }
    with Switch(settings={"sip": sip}) as running:
        running.port = port
        plan(running)
        yield running


def plan(switch: Switch, more: str = "") -> None:
    file = switch.folder / "pbx.yaml"
    file.write_text(PLAN.format(name=f"{FOREIGN}:5060", sbc=SBC) + more)
    switch.command("apply", str(file))


def status(switch: Switch, host: str, port: int = 0, user: str = "") -> int:
    """What one INVITE over UDP is answered."""
    with Caller(switch.port, host, port) as caller:
        return caller.invite(user).status


def came_by(switch: Switch, *callers: str) -> list[str]:
    """The trunks that these came by."""
    found = {row["caller"]: str(row["came_by"]) for row in switch.records_of(callers, len(callers))}
    return [found[caller] for caller in callers]


def on_all_gateways(switch: Switch, host: str) -> set[int]:
    """Other source ports land on other gateways."""
    return {status(switch, host) for _ in range(12)}


def test_by_name_on_all_gateways_as_long_as_the_name_leads_there(switch: Switch, names: Names) -> None:
    await_true(lambda: on_all_gateways(switch, NAMED) == {404}, "the name is looked up", 5)
    assert on_all_gateways(switch, MOVED) == {403}
    names.server.zone[FOREIGN, "A"] = [MOVED]
    await_true(lambda: on_all_gateways(switch, MOVED) == {404}, "the other address is known", 5)
    assert on_all_gateways(switch, NAMED) == {403}
    switch.kill_and_await_restart("sip gateway")
    await_true(lambda: on_all_gateways(switch, MOVED) == {404}, "it is known after a restart", 5)
    assert status(switch, MOVED, user="4000") == 404
    assert came_by(switch, "4000") == ["trunk/named"]


def test_two_at_one_address_by_port(switch: Switch) -> None:
    for port, user in ((5070, "4001"), (5072, "4002"), (0, "4003")):
        assert status(switch, SBC, port, user) == 404
    assert came_by(switch, "4001", "4002", "4003") == ["trunk/sbc-a", "trunk/sbc-b", "trunk/sbc-a"]


def test_by_certificate_from_anywhere(switch: Switch, authority: Authority) -> None:
    for own, user, expected in (
        (authority.issue("peer", "sip.peer.test"), "4004", 404),
        (authority.issue("other", "sip.other.test"), "4005", 403),
    ):
        context = ssl.create_default_context(cafile=str(authority.file))
        context.check_hostname = False
        context.load_cert_chain(own)
        with Caller(switch.port + 1, CERTIFIED, way="tls", context=context) as caller:
            assert caller.invite(user).status == expected
    assert came_by(switch, "4004") == ["trunk/certified"]


def test_by_password_from_anywhere(switch: Switch) -> None:
    plan(switch, PROVED)
    uri = f"sip:1@{DOMAIN}"
    for way, user in (("udp", "4006"), ("tcp", "4007")):
        with Caller(switch.port, DIGEST, way=way) as caller:
            asked = caller.invite()
            assert asked.status == 407
            assert caller.invite(proof=credentials(asked, "INVITE", uri, "pbx", "guess")).status == 403
            assert caller.invite(user, proof=credentials(asked, "INVITE", uri, "pbx", "hush")).status == 404
    assert came_by(switch, "4006", "4007") == ["trunk/pbx"] * 2
    plan(switch)


def test_a_stranger_is_refused_and_banned_where_nobody_could_have_forged_him(switch: Switch) -> None:
    assert [status(switch, STRANGER) for _ in range(8)] == [403] * 8
    with Caller(switch.port, STRANGER) as other:
        assert other.invite("100", DOMAIN).status == 407
    assert STRANGER not in banned(switch)
    with Caller(switch.port, SCANNER, way="tcp") as caller:
        for number in range(4):
            refused = caller.invite(f"{5000 + number}")
            assert refused.status == 403 and "Unknown peer" in refused.get("reason")
        with pytest.raises(OSError):
            caller.invite()
    await_true(lambda: SCANNER in banned(switch), "a ban in the list")
    with Caller(switch.port, SCANNER) as other, pytest.raises(TimeoutError):
        other.socket.settimeout(0.5)
        other.invite()
    (row,) = switch.records_of([f"5000@{FOREIGN}"], 1)
    assert (row["sip_status"], row["cause"], row["came_by"]) == (403, "Unknown peer", "")


def banned(switch: Switch) -> set[str]:
    return {row["address"] for row in switch.json("ban", "list")}
