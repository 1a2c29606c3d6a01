"""Lines and trunks at carriers that go their own way (FEATURES §4): registrars that cannot bear a CSeq that rises,
names that lead to servers that are dead, calls that nobody answers, trunks that are silent, down, busy.

One switch for all. T1 is 0.1 s: a transaction is given up after 6.4 s, later than the four seconds of the failover.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from tests.interop.agent import SDP, Agent
from tests.interop.carrier import REALM, Carrier
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch
from tests.interop.test_sources import Names

SYSTEM_TIMER, OWN_TIMER = 5, 15
SILENCE = 4
LATE = 2.5
"""Seconds that a machine with a load may take longer."""
PLAN = """
extensions:
  - {{number: 101, password: secret-101}}
lines:
  - {{name: auto, registrar: '{bound}', domain: {realm}, user: '4101', secret: line-secret}}
  - {{name: same, registrar: '{bound}', domain: {realm}, user: '4102', secret: line-secret, register_same_dialog: true}}
  - {{name: other, registrar: '{bound}', domain: {realm}, user: '4103', secret: line-secret,
     register_same_dialog: false}}
  - {{name: auto-seen, registrar: '{seen}', domain: {realm}, user: '4111', secret: line-secret}}
  - {{name: same-seen, registrar: '{seen}', domain: {realm}, user: '4112', secret: line-secret,
     register_same_dialog: true}}
  - {{name: other-seen, registrar: '{seen}', domain: {realm}, user: '4113', secret: line-secret,
     register_same_dialog: false}}
  - {{name: brief, registrar: '{brief}', domain: {realm}, user: '4201', secret: line-secret, expires: 60}}
  - {{name: closed, registrar: '{brief}', domain: {realm}, user: '4202', secret: line-secret, max_outgoing: 0}}
  - {{name: named, registrar: {realm}, user: '4301', secret: line-secret}}
  - {{name: system-timer, registrar: '{rings}', domain: {realm}, user: '4401', secret: line-secret}}
  - {{name: own-timer, registrar: '{rings}', domain: {realm}, user: '4402', secret: line-secret, no_answer: 15}}
trunks:
  - {{name: busy, server: '{busy}', options: 0}}
  - {{name: silent, server: '{silent}', options: 0}}
  - {{name: down, server: '{down}', options: 0.5}}
  - {{name: good, server: '{good}', options: 0}}
  - {{name: pair, server: pair.{realm}, options: 0}}
groups:
  - {{name: closed, members: [line/closed]}}
  - {{name: named, members: [line/named]}}
  - {{name: system-timer, members: [line/system-timer]}}
  - {{name: own-timer, members: [line/own-timer]}}
  - {{name: busy, members: [trunk/busy, trunk/good]}}
  - {{name: silent, members: [trunk/silent, trunk/good]}}
  - {{name: down, members: [trunk/down, trunk/good]}}
  - {{name: pair, members: [trunk/pair]}}
called_numbers:
  - {{prefix: '81', route: trunk group, target: closed}}
  - {{prefix: '82', route: trunk group, target: named}}
  - {{prefix: '83', route: trunk group, target: system-timer}}
  - {{prefix: '84', route: trunk group, target: own-timer}}
  - {{prefix: '85', route: trunk group, target: busy}}
  - {{prefix: '86', route: trunk group, target: silent}}
  - {{prefix: '87', route: trunk group, target: down}}
  - {{prefix: '88', route: trunk group, target: pair}}
"""
BUSY = "503 Service Unavailable"


@pytest.fixture(scope="module")
def there() -> Iterator[SimpleNamespace]:
    """The carriers, by name, and the name server that leads to three of them."""
    with ExitStack() as stack:

        def at(number: int, **habits: object) -> Carrier:
            return stack.enter_context(Carrier(f"127.0.0.{number}", **habits))  # type: ignore[arg-type]

        found = SimpleNamespace(
            bound=at(70, picky="bound", grants=2),
            seen=at(71, picky="seen", grants=2),
            brief=at(72, least=90),
            dead=at(73, out="silent"),
            full=at(74, out=BUSY),
            works=at(75),
            rings=at(76, calls="rings"),
            busy=at(77, calls=BUSY),
            silent=at(78, calls="silent"),
            down=at(79, out="silent"),
            good=at(80),
            names=Names(),
        )
        stack.callback(found.names.close)
        yield found


@pytest.fixture(scope="module")
def switch(there: SimpleNamespace) -> Iterator[Switch]:
    """With all lines and trunks; nothing is awaited."""
    zone: dict[tuple[str, str], list[str]] = {
        (REALM, "NAPTR"): [
            f'20 1 "s" "SIP+D2T" "" _sip._tcp.{REALM}.',
            f'10 1 "s" "SIP+D2U" "" _carrier._udp.{REALM}.',
        ],
        (f"_carrier._udp.{REALM}", "SRV"): [
            f"30 0 {there.works.port} works.{REALM}.",
            f"20 5 {there.full.port} full.{REALM}.",
            f"10 5 {there.dead.port} dead.{REALM}.",
        ],
        (f"_sip._udp.pair.{REALM}", "SRV"): [
            f"10 0 {there.busy.port} busy.{REALM}.",
            f"20 0 {there.good.port} good.{REALM}.",
        ],
        **{(f"{name}.{REALM}", "A"): [getattr(there, name).host] for name in ("works", "full", "dead", "busy", "good")},
    }
    there.names.server.zone.update(zone)
    there.names.server.ttl = 60
    servers = {name: one.server for name, one in vars(there).items() if isinstance(one, Carrier)}
    sip = {"t1": 0.1, "name_servers": [f"127.0.0.1:{there.names.address[1]}"]}
    with Switch(settings={"sip": sip, "call": {"no_answer": SYSTEM_TIMER}}) as running:
        file = running.folder / "pbx.yaml"
        file.write_text(PLAN.format(realm=REALM, **servers))
        running.command("apply", str(file))
        yield running


@pytest.fixture(scope="module")
def caller(switch: Switch) -> Iterator[Agent]:
    """Extension 101."""
    with Agent(switch.ipv4, DOMAIN) as agent:
        agent.register("101", "secret-101")
        yield agent


def states(switch: Switch) -> dict[str, str]:
    return {row["line"].partition("/")[2]: row["state"] for row in switch.json("lines")}


def detail(switch: Switch, line: str) -> str:
    return next(str(row["detail"]) for row in switch.json("lines") if row["line"] == f"line/{line}")


def refused(caller: Agent, number: str) -> tuple[int, float]:
    """The status that a call to `number` comes to, and after how many seconds."""
    began = time.monotonic()
    uri = f"sip:{number}@{DOMAIN}"
    body = SDP.format(address="127.0.0.1", port=9)
    answer = caller.authenticated("INVITE", uri, "101", "secret-101", f"<{uri}>", body=body)
    return answer.status, time.monotonic() - began


def answered(caller: Agent, number: str) -> float:
    """Seconds until a call to `number` was answered; it is ended."""
    began = time.monotonic()
    call = caller.dial("101", "secret-101", number, 9)
    took = time.monotonic() - began
    assert call.bye().status == 200
    return took


def went_by(switch: Switch, dialled: str) -> str:
    """The line or trunk that took the call."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [str(row["went_by"]) for row in switch.cdrs() if row["dialled"] == dialled]
        return bool(found)

    await_true(is_there, f"a record of the call to {dialled}", pause=0.2)
    assert len(found) == 1
    return found[0]


def statuses(carrier: Carrier, user: str) -> list[int]:
    return [one.status for one in carrier.got("REGISTER", user)]


def call_ids(carrier: Carrier, user: str) -> list[str]:
    return [one.request.get("call-id") for one in carrier.got("REGISTER", user)]


def test_nobody_answers(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    await_true(lambda: states(switch)["own-timer"] == states(switch)["system-timer"] == "up", "they are registered")
    with ThreadPoolExecutor() as both:
        calls = [both.submit(refused, caller, number) for number in ("8300", "8400")]
    for call, user, expected in zip(calls, ("8300", "8400"), (SYSTEM_TIMER, OWN_TIMER), strict=True):
        status, took = call.result()
        assert status == 408
        assert expected - 0.2 <= took <= expected + LATE
        (invited,), (cancelled,) = there.rings.got("INVITE", user), there.rings.got("CANCEL", user)
        assert expected - 0.2 <= cancelled.at - invited.at <= expected + LATE


def test_auto_is_refused_once(switch: Switch, there: SimpleNamespace) -> None:
    there.bound.await_got("REGISTER", "4101", 8)
    assert statuses(there.bound, "4101")[:8] == [401, 200, 400, 200, 200, 200, 200, 200]
    first, *others = call_ids(there.bound, "4101")
    assert others[:2] == [first] * 2 and len({first, *others}) == len(others) - 1
    there.seen.await_got("REGISTER", "4111", 8)
    assert statuses(there.seen, "4111")[:4] == [401, 400, 200, 401]
    assert 400 not in statuses(there.seen, "4111")[2:]
    assert states(switch)["auto"] == states(switch)["auto-seen"] == "up"
    log = "".join(file.read_text() for file in (switch.folder / "data" / "log").glob("*.log"))
    for line in ("auto", "auto-seen"):
        told = [row for row in log.splitlines() if f"line/{line}: " in row and "new Call-ID for every REGISTER" in row]
        assert len(told) == 1


def test_a_new_call_id_for_each_is_never_refused(switch: Switch, there: SimpleNamespace) -> None:
    for carrier, user, line in ((there.bound, "4103", "other"), (there.seen, "4113", "other-seen")):
        carrier.await_got("REGISTER", user, 6)
        assert set(statuses(carrier, user)) == {401, 200}
        assert len(set(call_ids(carrier, user))) == len(call_ids(carrier, user))
        assert {one.request.get("cseq") for one in carrier.got("REGISTER", user)} == {"1 REGISTER"}
        assert states(switch)[line] == "up"


def test_the_same_call_id_for_each_is_down_and_says_why(switch: Switch, there: SimpleNamespace) -> None:
    for carrier, user, line in ((there.bound, "4102", "same"), (there.seen, "4112", "same-seen")):
        await_true(lambda line=line: states(switch)[line] == "down", f"{line} is down")  # type: ignore[misc]
        assert len(set(call_ids(carrier, user))) == 1
        assert statuses(carrier, user)[-1] == 400
        why = detail(switch, line)
        assert "Invalid CSeq number" in why and "register_same_dialog: auto" in why


def test_an_imported_file_makes_it_a_new_call_id(switch: Switch, there: SimpleNamespace) -> None:
    file = switch.folder / "mss_var_param.ini"
    file.write_text("[sip]\ngVarSipRegSameDialog=0\n")
    before = {user: len(there.bound.got("REGISTER", user)) for user in ("4101", "4102")}
    assert "~ lines same: register_same_dialog true → false" in switch.command("import", str(file))
    await_true(lambda: states(switch)["same"] == states(switch)["same-seen"] == "up", "they are registered")
    for user, count in before.items():
        there.bound.await_got("REGISTER", user, count + 6)
        new = call_ids(there.bound, user)[count:]
        assert len(set(new)) == len(new)
        assert 400 not in statuses(there.bound, user)[count:]
        assert "0" not in {one.request.get("expires") for one in there.bound.got("REGISTER", user)}


def test_longer_when_that_is_too_brief(switch: Switch, there: SimpleNamespace) -> None:
    await_true(lambda: states(switch)["brief"] == "up", "it is registered")
    asked = [(one.request.get("expires"), one.status) for one in there.brief.got("REGISTER", "4201")][:3]
    assert asked == [("60", 401), ("60", 423), ("90", 200)]


def test_a_line_that_is_closed(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    await_true(lambda: states(switch)["closed"] == "up", "it is registered")
    assert refused(caller, "8100")[0] == 503
    assert there.brief.got("INVITE") == []


def test_by_name_past_servers_that_are_dead_or_full(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    await_true(lambda: states(switch)["named"] == "up", "it is registered", 15)
    tried = [carrier.got("REGISTER")[0] for carrier in (there.dead, there.full, there.works)]
    assert [one.status for one in tried] == [0, 503, 401]
    assert [one.at for one in tried] == sorted(one.at for one in tried)
    assert tried[0].request.first == f"REGISTER sip:{REALM} SIP/2.0"
    answered(caller, "8200")
    assert there.works.await_got("INVITE")[0].request.first == f"INVITE sip:8200@{REALM} SIP/2.0"
    assert not there.dead.got("INVITE") and not there.full.got("INVITE")


def test_the_first_trunk_is_busy(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    assert answered(caller, "8500") < LATE
    assert len(there.busy.got("INVITE", "8500")) == len(there.good.got("INVITE", "8500")) == 1
    assert went_by(switch, "8500") == "trunk/good"


def test_the_first_server_of_a_trunk_is_busy(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    """RFC 3263 §4.3: the call goes to the second one at once, and the next call does so from the beginning."""
    await_true(
        lambda: any(row["line"] == "trunk/pair" and row["server"] for row in switch.json("lines")), "its name is known"
    )
    assert answered(caller, "8800") < LATE
    assert len(there.busy.got("INVITE", "8800")) == len(there.good.got("INVITE", "8800")) == 1
    assert went_by(switch, "8800") == "trunk/pair"
    answered(caller, "8801")
    assert not there.busy.got("INVITE", "8801") and len(there.good.got("INVITE", "8801")) == 1


def test_the_first_trunk_is_silent(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    call = caller.dial("101", "secret-101", "8600", 9)
    there.silent.wake()
    (invited,), (second,) = there.silent.got("INVITE", "8600"), there.good.got("INVITE", "8600")
    assert SILENCE - 0.2 <= second.at - invited.at <= SILENCE + LATE
    there.silent.await_got("CANCEL", "8600")
    assert call.bye().status == 200
    assert went_by(switch, "8600") == "trunk/good"


def test_the_first_trunk_is_down(switch: Switch, there: SimpleNamespace, caller: Agent) -> None:
    await_true(lambda: states(switch)["down"] == "down", "three OPTIONS have been in vain", 30)
    assert answered(caller, "8700") < LATE
    assert len(there.good.got("INVITE", "8700")) == 1
    assert not there.down.got("INVITE")
    assert went_by(switch, "8700") == "trunk/good"
