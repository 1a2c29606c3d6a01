"""Who sends a request: challenges and what counts as proof (RFC 3261 §22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import pytest

from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.directory import Account, Directory
from rayswitch.sip.digest import Nonces, answer, ha1
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response
from tests.rayswitch.sip.station import incoming

REALM = "rayswitch.local"
HERE, ELSEWHERE = ("192.0.2.1", 5060), ("192.0.2.66", 5060)
FLOW = Flow("UDP", ("10.0.0.1", 5060), HERE)


def door(lifetime: float = 60.0) -> Authenticator:
    directory = Directory(REALM)
    hashes = (bytes.fromhex(ha1("100", REALM, "secret", algorithm)) for algorithm in ("MD5", "SHA-256"))
    directory.apply(1, [("100", Account("Alice", *hashes))])
    return Authenticator(REALM, directory, Nonces(b"key", "s0", lifetime), "doortag")


def asked(check: str | Response, header: str) -> list[str]:
    assert isinstance(check, Response)
    return check.get_all(header)


def proof(method: str, rows: list[str], password: str = "secret", user: str = "100", nc: int = 1) -> Request:
    request = incoming(method)
    value = answer(rows, user, password, method, request.uri, "cnonce", nc)
    assert value is not None
    request.add("authorization" if method == "REGISTER" else "proxy-authorization", value)
    return request


@pytest.mark.parametrize(
    ("method", "status", "header"), [("REGISTER", 401, "www-authenticate"), ("INVITE", 407, "proxy-authenticate")]
)
def test_who_says_nothing_is_asked_in_both_algorithms(method: str, status: int, header: str) -> None:
    response = door().check(incoming(method), FLOW, 1.0)
    rows = asked(response, header)
    assert isinstance(response, Response) and response.status == status and response.to.tag == "doortag"
    assert ["MD5" in rows[0], "SHA-256" in rows[1], len(rows)] == [True, True, 2]
    assert not any("stale" in row for row in rows)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize("algorithm", [0, 1])
def test_the_password_proves_the_number(method: str, algorithm: int) -> None:
    gate = door()
    rows = asked(
        gate.check(incoming(method), FLOW, 1.0), "www-authenticate" if method == "REGISTER" else "proxy-authenticate"
    )
    assert gate.check(proof(method, [rows[algorithm]]), FLOW, 2.0) == "100" and gate.failures == 0


@pytest.mark.parametrize(("user", "password"), [("100", "wrong"), ("nobody", "secret")])
def test_wrong_passwords_and_unknown_users_look_the_same(user: str, password: str) -> None:
    gate = door()
    rows = asked(gate.check(incoming(), FLOW, 1.0), "proxy-authenticate")
    again = gate.check(proof("INVITE", rows[:1], password, user), FLOW, 2.0)
    assert not any("stale" in row for row in asked(again, "proxy-authenticate")) and gate.failures == 1


def test_an_old_nonce_and_a_replayed_one_are_stale_for_who_knows_the_password() -> None:
    gate = door(lifetime=10.0)
    rows = asked(gate.check(incoming(), FLOW, 1.0), "proxy-authenticate")
    assert gate.check(proof("INVITE", rows[:1]), FLOW, 2.0) == "100"
    for request, now in ((proof("INVITE", rows[:1]), 3.0), (proof("INVITE", rows[:1], nc=2), 20.0)):
        assert all("stale=true" in row for row in asked(gate.check(request, FLOW, now), "proxy-authenticate"))
    assert not any(
        "stale" in row for row in asked(gate.check(proof("INVITE", rows[:1], "x"), FLOW, 30.0), "proxy-authenticate")
    )


def test_credentials_for_others_are_not_ours_to_judge() -> None:
    gate = door()
    request = incoming()
    request.add(
        "proxy-authorization", 'Digest username="100", realm="elsewhere", nonce="n", uri="sip:x", response="00"'
    )
    request.add("proxy-authorization", "Bearer abc")
    assert isinstance(gate.check(request, FLOW, 1.0), Response) and gate.failures == 0


def test_old_baresip_is_asked_for_md5_alone() -> None:
    rows = asked(door().check(incoming(user_agent="baresip v1.0.0 (x86_64/linux)"), FLOW, 1.0), "proxy-authenticate")
    assert len(rows) == 1 and "MD5" in rows[0]


@pytest.mark.parametrize(
    ("flow", "password", "blamed"),
    [
        (FLOW, "wrong", True),
        (FLOW._replace(remote=("192.0.2.1", 9999)), "wrong", True),
        (FLOW._replace(remote=ELSEWHERE), "wrong", False),  # a nonce sent to one address comes from another: forged?
        (FLOW._replace(remote=ELSEWHERE, transport="TCP"), "wrong", True),  # a connection cannot be forged
        (FLOW, "secret", False),
        (FLOW._replace(remote=ELSEWHERE), "secret", False),  # a phone that moved is let in
    ],
)
def test_only_who_is_really_there_is_blamed(flow: Flow, password: str, blamed: bool) -> None:
    gate = door()
    told: list[tuple[str, str]] = []
    gate.blame = lambda host, user: told.append((host, user))
    rows = asked(gate.check(incoming(), FLOW, 1.0), "proxy-authenticate")
    result = gate.check(proof("INVITE", rows[:1], password), flow, 2.0)
    assert told == ([(flow.remote[0], "100")] if blamed else [])
    assert (result == "100") == (password == "secret")


def test_an_invented_nonce_blames_nobody() -> None:
    gate = door()
    told: list[tuple[str, str]] = []
    gate.blame = lambda host, user: told.append((host, user))
    for nonce in ("", "s0.1.abc", "s0.1." + "0" * 32, "\udcff" * 40):
        row = f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm=MD5'
        gate.check(proof("INVITE", [row], "wrong"), FLOW, 2.0)
    assert told == [] and gate.failures == 4
