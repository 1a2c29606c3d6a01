"""The dial plan in force: lists, levels, changed numbers; limits over two gateways, also after these were killed."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.agent import SDP, Agent, Message
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch

PLAN = """
extensions:
  - {number: 101, password: secret-101, max_outgoing_calls: 2}
  - {number: 102, password: secret-102, max_calls: 1}
  - {number: 103, password: secret-103, levels: [3]}
called_numbers:
  - {prefix: '8', route: extension, transition: ["delete 0 1"]}
  - {prefix: '83', route: extension, level: 3, transition: ["delete 0 2"]}
  - {prefix: '99', route: reject, status: 404, note: Not in service}
caller_numbers:
  - {prefix: '103', transition: ["replace 0 1 5550"]}
blocks:
  - {caller: '102', called: '101', rate: 100}
"""
NUMBERS = ("101", "102", "103")


@pytest.fixture(scope="module", params=["gateway", "pool"])
def switch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with Switch(gateways=2, placement=request.param) as made:
        file = tmp_path_factory.mktemp("plan") / "pbx.yaml"
        file.write_text(PLAN)
        made.command("apply", str(file))
        yield made


@pytest.fixture(scope="module")
def phones(switch: Switch) -> Iterator[dict[str, Agent]]:
    """A phone for each number; they land on either gateway."""
    with ExitStack() as stack:
        agents = {number: stack.enter_context(Agent(switch.ipv4, DOMAIN, lambda: 9)) for number in NUMBERS}
        for number, agent in agents.items():
            agent.register(number, f"secret-{number}")
        yield agents


def refused(phone: Agent, number: str, dialled: str) -> Message:
    uri = f"sip:{dialled}@{DOMAIN}"
    return phone.authenticated(
        "INVITE", uri, number, f"secret-{number}", f"<{uri}>", body=SDP.format(address="127.0.0.1", port=9)
    )


def test_lists_levels_and_routes(phones: dict[str, Agent]) -> None:
    assert refused(phones["102"], "102", "101").first == "SIP/2.0 403 Call blocked"
    assert refused(phones["101"], "101", "991").first == "SIP/2.0 404 Not in service"
    assert refused(phones["101"], "101", "83102").first == "SIP/2.0 403 Call level 3 needed"
    call = phones["103"].dial("103", "secret-103", "83102", 9)
    assert call.bye().status == 200
    call = phones["101"].dial("101", "secret-101", "8103", 9)
    assert call.bye().status == 200


def test_an_address_stands_for_a_password(switch: Switch, phones: dict[str, Agent], tmp_path: Path) -> None:
    """A phone that never registers calls without being asked, and is called where it always is."""
    with Agent(switch.ipv4, DOMAIN, lambda: 9, address="127.0.0.79") as door:
        file = tmp_path / "door.yaml"
        tied = f"  - {{number: 104, password: unused, address: 'udp://127.0.0.79:{door.port}'}}"
        file.write_text(PLAN.replace("called_numbers:", f"{tied}\ncalled_numbers:"))
        switch.command("apply", str(file))
        uri, caller = f"sip:991@{DOMAIN}", f"<sip:104@{DOMAIN}>;tag=door"
        numbers = itertools.count(1)

        def answered() -> int:
            return door.transact("INVITE", uri, caller, f"<{uri}>", f"door-{next(numbers)}", 1).status

        await_true(lambda: answered() == 404, "it is not asked for a password", pause=0.2)
        call = door.dial("104", "not asked", "103", 9)
        there = phones["103"].incoming.get(timeout=5)
        assert call.bye().status == 200 and there.ended.wait(5)
        call = phones["103"].dial("103", "secret-103", "104", 9)
        there = door.incoming.get(timeout=5)
        assert call.bye().status == 200 and there.ended.wait(5)


def test_limits_hold_over_all_gateways_and_are_given_back(switch: Switch, phones: dict[str, Agent]) -> None:
    first = phones["101"].dial("101", "secret-101", "102", 9)
    full = refused(phones["103"], "103", "102")
    assert full.status == 486 and full.get("reason") == 'Q.850;cause=17;text="Too many calls of this extension"'
    second = phones["101"].dial("101", "secret-101", "103", 9)
    assert refused(phones["101"], "101", "103").first == "SIP/2.0 403 Too many calls of this extension"
    assert first.bye().status == 200
    third = phones["103"].dial("103", "secret-103", "102", 9)
    for call in (second, third):
        assert call.bye().status == 200
    switch.await_idle()


def test_a_limit_holds_after_every_gateway_was_killed(switch: Switch, phones: dict[str, Agent]) -> None:
    call = phones["101"].dial("101", "secret-101", "102", 9)
    killed = set(switch.pids("sip gateway"))
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    await_true(lambda: switch.status()["ready"] and killed.isdisjoint(switch.pids("sip gateway")), "new gateways", 20)
    await_true(lambda: refused(phones["103"], "103", "102").status == 486, "the call is counted again")
    assert call.bye().status == 200
    switch.await_idle()
    call = phones["103"].dial("103", "secret-103", "102", 9)
    assert call.bye().status == 200


def test_the_command_explains_what_the_switch_does(switch: Switch, tmp_path: Path) -> None:
    found = switch.json("route", "103", "83102")
    assert found["route"]["name"] == f"102@{DOMAIN}" and found["route"]["caller"] == "555003"
    assert found["route"]["limits"] == [[f"102@{DOMAIN}", False, 1, None]]
