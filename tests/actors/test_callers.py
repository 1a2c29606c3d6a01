"""Who a new INVITE is from: by certificate, address and password; and what a stranger is told."""

from __future__ import annotations

import itertools
import os
from types import SimpleNamespace
from typing import Any

import pytest

from actors.callers import Callers, Source
from gateways.sip.complaints import Complaints
from gateways.wheel import Timer
from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.directory import Account, Directory
from rayswitch.lines.resolving import Server
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.digest import Nonces, answer, ha1
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, Response, parse
from rayswitch.store.writes import add_cdr

DOMAIN = "example.com"
OURS = ("192.0.2.1", 5060)
UDP = Flow("UDP", OURS, ("198.51.100.9", 5070))
TCP = UDP._replace(transport="TCP", gateway="s0", connection=1)
TLS = TCP._replace(transport="TLS")
numbers = itertools.count(1)

PBX = Trunk(name="pbx", server="sip:203.0.113.5", incoming_user="pbx", incoming_secret="hush", target="100")
CARRIER = Line(name="carrier", user="4100", registrar="sip:carrier.test")
CERTIFIED = Trunk(name="certified", server="sip:203.0.113.6", certificate="sip.peer.test")


class Rig:
    """Callers of a gateway, where 198.51.100.9 has proved to be `names`."""

    def __init__(self, *records: Line | Trunk) -> None:
        self.names: tuple[str, ...] = ()
        self.rows: list[dict[str, Any]] = []
        self.blamed: list[tuple[str, str]] = []
        self.timers: list[Timer] = []
        directory = Directory(DOMAIN)
        hashes = (bytes.fromhex(ha1("alice", DOMAIN, "secret", name)) for name in ("MD5", "SHA-256"))
        directory.apply(1, [("alice", Account("Alice", *hashes))])
        self.authenticator = Authenticator(DOMAIN, directory, Nonces(b"k" * 16, "s0", 300), "door")
        self.authenticator.blame = lambda host, user: self.blamed.append((host, user))
        gateway: Any = SimpleNamespace(
            flows=SimpleNamespace(names=lambda flow: self.names),
            complaints=Complaints(),
            clock=lambda: 1.0,
            layer=SimpleNamespace(ids=Identifiers("s0", os.urandom)),
            sockets=SimpleNamespace(verifies=True),
            wheel=SimpleNamespace(start=self.start),
        )
        self.gateway = gateway
        self.callers = Callers(self.authenticator, directory, gateway)
        self.callers.wall = lambda: 1e9
        self.callers.write = self.rows.extend
        self.callers.changed([(type(record), (record.name,), record) for record in records])

    def start(self, delay: float, act: Any, *args: Any) -> Timer:
        self.timers.append(Timer(act, args))
        return self.timers[-1]

    def fire(self) -> None:
        """All timers that nobody has cancelled."""
        for timer in self.timers:
            if timer.callback is not None:
                timer.callback(*timer.args)
        self.timers.clear()

    def come(self, made: Request, flow: Flow = UDP) -> Source | str | int:
        """Who it is, or the status that he is answered, at the door or behind it."""
        if not made.has("proxy-authorization"):
            response = self.callers.question(made, flow, 1.0)
            if response is not None:
                return response.status
        found = self.callers.who(made, flow, 1.0)
        return found.status if isinstance(found, Response) else found

    def proving(
        self, user: str, password: str, host: str = DOMAIN, method: str = "INVITE", flow: Flow = UDP
    ) -> Request:
        """With the right nonce."""
        rows = self.authenticator.challenge(invite("x"), flow, 1.0, stale=False).get_all("proxy-authenticate")
        made = invite(user, host, method)
        value = answer(rows, user, password, method, made.uri, "cn")
        assert value is not None
        made.add("authorization" if method == "REGISTER" else "proxy-authorization", value)
        return made


def invite(user: str, host: str = DOMAIN, method: str = "INVITE", to: str = "555") -> Request:
    rows = [
        ("via", f"SIP/2.0/UDP 198.51.100.9:5070;branch=z9hG4bK{next(numbers)}"),
        ("from", f"<sip:{user}@{host}>;tag=a"),
        ("to", f"<sip:{to}@{DOMAIN}>"),
        ("call-id", f"c{next(numbers)}"),
        ("cseq", f"1 {method}"),
        ("max-forwards", "70"),
    ]
    made = parse(Request.new(method, f"sip:{to}@{DOMAIN}", rows).encode())
    assert isinstance(made, Request)
    return made


# -- known by the way they came --------------------------------------------------------------------------------------


def test_a_server_behind_a_name_is_known_once_it_is_looked_up_and_no_longer_than_that() -> None:
    rig = Rig(CARRIER)
    assert rig.come(invite("4711", "carrier.test")) == 403
    rig.callers.sources.learn("sip:carrier.test", [Server("UDP", "198.51.100.9", 5060)])
    assert rig.come(invite("4711", "carrier.test")) == Source("line/carrier", "555")
    rig.callers.sources.learn("sip:carrier.test", [Server("UDP", "198.51.100.8", 5060)])
    assert rig.come(invite("4711", "carrier.test")) == 403


def test_a_verified_certificate_is_known_from_any_address_over_tls_alone() -> None:
    rig = Rig(CERTIFIED)
    rig.names = ("sip.peer.test",)
    assert rig.come(invite("4711", "peer.test"), TLS) == Source("trunk/certified", "555")
    assert rig.come(invite("4711", "peer.test"), TCP) == 403
    assert rig.come(invite("4711", "peer.test"), UDP._replace(remote=("203.0.113.6", 5060))) == 403
    rig.names = ("other.test",)
    assert rig.come(invite("4711", "peer.test"), TLS) == 403


def test_what_is_no_record_of_lines_changes_nothing() -> None:
    rig = Rig(CARRIER)
    rig.callers.changed([(Directory, ("x",), None)])
    assert list(rig.callers.sources.records) == ["line/carrier"]


# -- known by what they prove ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [DOMAIN, "pbx.test", "198.51.100.9"])
def test_a_trunk_proves_itself_by_digest_whoever_is_in_from(host: str) -> None:
    rig = Rig(PBX)
    assert rig.come(invite("4711", host)) == 407
    made = rig.proving("pbx", "hush", host)
    made.set("from", f"<sip:4711@{host}>;tag=a")
    assert rig.come(made) == Source("trunk/pbx", "100")
    assert not rig.blamed


def test_the_password_of_a_trunk_registers_nobody() -> None:
    rig = Rig(PBX)
    result = rig.authenticator.check(rig.proving("pbx", "hush", method="REGISTER"), UDP, 1.0)
    assert isinstance(result, Response) and result.status == 401


def test_an_extension_of_the_same_name_goes_first() -> None:
    rig = Rig(Trunk(name="t", incoming_user="alice", incoming_secret="hush"))
    assert rig.come(rig.proving("alice", "secret")) == "alice"
    assert rig.come(rig.proving("alice", "hush")) == 407


def test_a_trunk_that_is_removed_proves_nothing() -> None:
    rig = Rig(PBX)
    made = rig.proving("pbx", "hush")
    rig.callers.changed([(Trunk, ("pbx",), None)])
    assert rig.come(made) == 407 and not rig.authenticator.peers


# -- strangers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "stranger"),
    [
        (DOMAIN, False),
        ("EXAMPLE.com.", False),
        ("192.0.2.1", False),
        ("198.51.100.9", False),
        ("203.0.113.77", False),
        ("[2001:db8::1]", False),
        ("localhost", False),
        ("anonymous.invalid", False),
        ("other.test", True),
        ("pbx.example.com", True),
        ("example.com.other.test", True),
    ],
)
@pytest.mark.parametrize("user", ["alice", "nobody", "%61lice"])
def test_only_another_domain_makes_a_stranger_and_never_the_user(user: str, host: str, stranger: bool) -> None:
    rig = Rig()
    assert rig.come(invite(user, host)) == (403 if stranger else 407)
    assert rig.come(rig.proving(user, "wrong", host)) == (403 if stranger else 407)


def test_who_wants_to_be_nobody_is_asked() -> None:
    assert Rig().come(invite("anonymous", "other.test")) == 407


def test_a_tel_uri_is_no_domain() -> None:
    made = invite("x")
    made.set("from", "<tel:+4930123>;tag=a")
    assert Rig().come(made) == 407


@pytest.mark.parametrize(("flow", "counted"), [(UDP, False), (TCP, True), (TLS, True)])
def test_a_stranger_is_refused_and_counted_where_he_cannot_be_forged(
    flow: Flow, counted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    made = invite("4711", "other.test")
    response = rig.callers.question(made, flow, 1.0)
    assert response is not None and response.status == 403 and response.to.tag == "door"
    assert "Q.850;cause=21" in (response.get("reason") or "")
    assert rig.blamed == ([("198.51.100.9", "sip:4711@other.test")] if counted else [])
    assert rig.callers.strangers == 1 and "'sip:4711@other.test' from 198.51.100.9" in caplog.text
    rows = [(row["leg"], row["caller"], row["dialled"], row["sip_status"], row["q850"]) for row in rig.rows]
    assert rows == ([(leg, "4711@other.test", "555", 403, 21) for leg in ("call", "a")] if counted else [])
    for row in rig.rows:
        assert add_cdr(row) and row["cause"] == "Unknown peer" and row["start"] == row["end"] == 1e9


def test_strangers_are_told_and_recorded_once_a_second_for_an_address(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    for _ in range(10):
        assert rig.come(invite("4711%00" * 99, "other.test"), TCP) == 403
    assert rig.callers.strangers == len(rig.blamed) == 10
    assert len(caplog.records) == 1 and len(caplog.text) < 400 and len(rig.rows) == 2


@pytest.mark.parametrize(
    ("asked", "flow", "counted"), [(UDP, UDP, True), (UDP._replace(remote=("192.0.2.66", 5060)), UDP, False)]
)
def test_wrong_credentials_of_a_stranger_count_if_the_nonce_was_his(asked: Flow, flow: Flow, counted: bool) -> None:
    rig = Rig(PBX)
    assert rig.come(invite("4711", "other.test"), asked) == 407
    assert rig.come(rig.proving("pbx", "guess", "other.test", flow=asked), flow) == 403
    assert rig.come(rig.proving("nobody", "guess", "other.test", flow=asked), flow) == 403
    assert len(rig.blamed) == (2 if counted else 0) and bool(rig.rows) == counted


def test_a_stranger_on_a_connection_who_never_answers_counts_as_often_as_he_was_asked() -> None:
    rig = Rig(PBX)
    for number in range(3):
        assert rig.come(invite(f"47{number}", "other.test"), TCP) == 407
    assert rig.come(invite("4711", "other.test"), UDP) == 407
    assert len(rig.timers) == 1 and not rig.blamed
    rig.fire()
    assert rig.blamed == [("198.51.100.9", f"sip:47{number}@other.test") for number in range(3)]
    assert not rig.callers.asked


def test_a_peer_that_proves_itself_may_be_asked_many_times() -> None:
    rig = Rig(PBX)
    for _ in range(200):
        assert rig.come(invite("4711", "other.test"), TCP) == 407
    assert rig.come(rig.proving("pbx", "hush", "other.test"), TCP) == Source("trunk/pbx", "100")
    rig.fire()
    assert not rig.blamed and not rig.callers.asked


def test_a_certificate_that_nobody_is_asked_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(CERTIFIED)
    assert not caplog.text
    rig.gateway.sockets.verifies = False
    rig.callers.changed([(Trunk, ("certified",), CERTIFIED)])
    assert "sip.tls.clients is `no`" in caplog.text


def test_credentials_for_another_realm_are_none() -> None:
    rig = Rig()
    made = invite("4711", "other.test")
    made.add("proxy-authorization", 'Digest username="a", realm="elsewhere", nonce="n", uri="sip:x", response="00"')
    assert rig.come(made, TCP) == 403 and len(rig.blamed) == 1


def test_an_extension_with_a_strange_from_that_shows_its_password_is_served() -> None:
    rig = Rig()
    made = rig.proving("alice", "secret", "other.test")
    assert rig.come(made) == "alice"
    assert rig.come(made) == 407, "stale is no wrong password"
    assert not rig.blamed


def test_nobody_is_counted_while_a_name_is_not_known() -> None:
    rig = Rig(CARRIER)
    whereabouts: Any = SimpleNamespace(unknown={"sip:carrier.test"})
    rig.callers.whereabouts = whereabouts
    response = rig.callers.question(invite("4711", "carrier.test"), TCP, 1.0)
    assert response is not None and response.status == 503 and response.get("retry-after")
    assert rig.come(invite("alice"), TCP) == 407
    whereabouts.unknown.clear()
    assert rig.come(invite("4711", "carrier.test"), TCP) == 403
    assert len(rig.blamed) == 1
