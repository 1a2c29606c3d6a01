"""Guessing, searching, floods and lies, from addresses of the loopback network, while honest phones call.

SIPVicious comes from 127.0.0.1, the honest phones from another address.
"""

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.agent import Agent, Message, credentials
from tests.interop.ports import free_port
from tests.interop.processes import await_true, cpu_seconds
from tests.interop.sipp import User
from tests.interop.switch import DOMAIN, Switch, users

VICTIM, CALLER, CALLEE = User("200", "not-in-any-dictionary"), users(5000, 1)[0], users(6000, 1)[0]
HERE, ATTACKER = "127.0.0.9", "127.0.0.1"
PACE = 0.05
"""Seconds between honest calls, which come from one address and are limited like any other."""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Switch]:
    """Two gateways that listen on all addresses."""
    port = free_port()
    settings = {
        "sip": {"listen": f"udp://0.0.0.0:{port}", "gateways": 2},
        "media": {"address": "127.0.0.1", "ports": "20000-21999"},
        "protection": {"source_rate": 1000, "source_burst": 1000},
    }
    with Switch(settings=settings) as switch:
        switch.port = port
        switch.import_users([VICTIM, CALLER, CALLEE])
        yield switch


def _figure(switch: Switch, name: str) -> int:
    """A counter of all SIP gateways together."""
    figures = switch.status()["figures"]
    return sum(figure[name] for host, figure in figures.items() if host[0] == "s")


def _banned(switch: Switch) -> set[str]:
    return {row["address"] for row in switch.json("ban", "list")}


class Liar:
    """Sends REGISTERs from an address of the loopback network and reads what comes back."""

    def __init__(self, switch: Switch, host: str) -> None:
        self.server = ("127.0.0.1", switch.port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(1.0)

    def register(self, user: str, password: str = "", challenge: Message | None = None) -> Message | None:
        """One REGISTER, with an answer to `challenge` when there is one; the response, None for silence."""
        host, port = self.socket.getsockname()
        proof = credentials(challenge, "REGISTER", f"sip:{DOMAIN}", user, password) if challenge else ""
        self.socket.sendto(
            (
                f"REGISTER sip:{DOMAIN} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
                f"Call-ID: {secrets.token_hex(8)}\r\nCSeq: 1 REGISTER\r\n{proof}Content-Length: 0\r\n\r\n"
            ).encode(),
            self.server,
        )
        try:
            return Message(self.socket.recv(65535))
        except TimeoutError:
            return None

    def fail(self, user: str = VICTIM.number) -> Message | None:
        """Be asked, answer wrongly; what comes then."""
        return self.register(user, "wrong", self.register(user))


@pytest.fixture
def come(guarded: Switch) -> Iterator[Callable[[str], Liar]]:
    """Makes liars by their address."""
    made: list[Liar] = []

    def coming(host: str) -> Liar:
        made.append(Liar(guarded, host))
        return made[-1]

    yield coming
    for liar in made:
        liar.socket.close()


Come = Callable[[str], Liar]


def _honest_call(near: Agent) -> None:
    assert near.dial(CALLER.number, CALLER.password, CALLEE.number, 9).bye().status == 200
    time.sleep(PACE)


def test_the_fifth_failure_is_the_last_that_is_answered(guarded: Switch, come: Come) -> None:
    liars = [come("127.0.0.3") for _ in range(8)]  # other ports land on other gateways
    for liar in liars[:5]:
        answer = liar.fail()
        assert answer is not None and answer.status == 401
    began = time.monotonic()
    for liar in liars:
        liar.socket.settimeout(0.1)
        while liar.register(VICTIM.number) is not None:
            assert time.monotonic() < began + 1, "a second after the fifth failure he is still heard"
    await_true(lambda: "127.0.0.3" in _banned(guarded), "a ban in the list")
    guarded.command("ban", "lift", "127.0.0.3")
    assert come("127.0.0.3").register(VICTIM.number) is not None


def test_a_ban_outlives_a_restart_and_the_gateways_of_it(guarded: Switch, come: Come) -> None:
    guarded.command("ban", "add", "127.0.0.4", "--for", "1h", "--reason", "test")
    liar = come("127.0.0.4")
    assert liar.register("1") is None
    for _ in range(2):
        guarded.kill_and_await_restart("sip gateway")
        assert liar.register("1") is None
    guarded.command("ban", "lift", "127.0.0.4")
    assert liar.register("1") is not None


def test_a_forged_source_gets_no_bystander_banned(guarded: Switch, come: Come) -> None:
    liar, bystander = come("127.0.0.5"), come("127.0.0.6")
    challenge = liar.register(VICTIM.number)
    assert challenge is not None
    for _ in range(10):  # what the liar writes into his packets: the other one's address, and nonces he was given
        bystander.register(VICTIM.number, "wrong", challenge)
        bystander.register(VICTIM.number, "wrong")
    assert not {"127.0.0.5", "127.0.0.6"} & _banned(guarded)
    assert bystander.register(VICTIM.number) is not None


def test_sipvicious_finds_nothing_and_is_banned(guarded: Switch, tmp_path: Path) -> None:
    failures = _figure(guarded, "authentication_failures")
    words = tmp_path / "words"
    words.write_text("".join(f"guess{number}\n" for number in range(200)) + VICTIM.password + "\n")
    with Agent(guarded.ipv4, DOMAIN, address=HERE) as near, Agent(guarded.ipv4, DOMAIN, address=HERE) as far:
        far.register(CALLEE.number, CALLEE.password)
        searching = _sipvicious("svwar", "--force", "-e", "100-300", "-m", "REGISTER", f"udp://{guarded.ipv4}")
        while searching.poll() is None:
            _honest_call(near)
        found = searching.communicate()[0]
        assert "found nothing" in found, found
        guessing = _sipvicious("svcrack", "-u", VICTIM.number, "-d", str(words), f"udp://{guarded.ipv4}")
        while guessing.poll() is None and ATTACKER not in _banned(guarded):
            _honest_call(near)
        began = time.monotonic()
        while guessing.poll() is None and time.monotonic() < began + 3:
            _honest_call(near)
        guessing.terminate()
        assert VICTIM.password not in guessing.communicate()[0]
    await_true(lambda: ATTACKER in _banned(guarded), "a ban in the list")
    assert 5 <= _figure(guarded, "authentication_failures") - failures <= 10
    guarded.command("ban", "lift", "--all")


def _sipvicious(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [command[0], "-P", str(free_port()), *command[1:]],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_flood_hurts_nobody_and_a_banned_one_costs_next_to_nothing(
    guarded: Switch, capsys: pytest.CaptureFixture[str]
) -> None:
    packet = f"OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.7:9;branch=z9hG4bK1\r\n\r\n".encode()
    with Agent(guarded.ipv4, DOMAIN, address=HERE) as near, Agent(guarded.ipv4, DOMAIN, address=HERE) as far:
        far.register(CALLEE.number, CALLEE.password)
        limited = _figure(guarded, "limited")
        _flood(guarded, packet, 30_000, lambda: _honest_call(near))
        assert _figure(guarded, "limited") > limited
        guarded.command("ban", "add", "127.0.0.7")
        pids = guarded.pids("sip gateway")
        before, count = cpu_seconds(pids), 200_000
        _flood(guarded, packet, count, lambda: None)
        each = (cpu_seconds(pids) - before) / count * 1e6
        _honest_call(near)
    with capsys.disabled():
        print(f"\na dropped packet of a banned address costs {each:.2f} µs of CPU")
    assert each <= 2.0
    guarded.command("ban", "lift", "--all")


def _flood(switch: Switch, packet: bytes, count: int, meanwhile: object) -> None:
    """`count` packets from 127.0.0.7 as fast as they go; calls `meanwhile` ten times in between."""
    assert callable(meanwhile)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.7", 0))
        for number in range(count):
            out.sendto(packet, ("127.0.0.1", switch.port))
            if number % (count // 10) == 0:
                meanwhile()
