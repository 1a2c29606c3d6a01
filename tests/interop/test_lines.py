"""Lines at a real registrar (Kamailio): registered, called over, called by; a trunk beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.kamailio import Kamailio
from tests.interop.agent import SDP, Agent
from tests.interop.ports import free_port
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch

THERE = "127.0.0.50"
REALM = "carrier.example"
PLAN = """
extensions:
  - {{number: 101, password: secret-101}}
  - {{number: 102, password: secret-102}}
lines:
  - {{name: one, registrar: '{there}:{port}', domain: {realm}, user: '4100', secret: {secret}, target: '102',
     max_incoming: 1}}
trunks:
  - {{name: live, server: '{there}:{port}', options: 1, user: '4100', secret: line-secret, domain: {realm},
     caller: account, number_format: 'user=phone', assert_identity: asserted}}
groups:
  - {{name: outside, members: [line/one]}}
  - {{name: by-trunk, members: [trunk/live]}}
called_numbers:
  - {{prefix: '8', route: trunk group, target: by-trunk, transition: ["delete 0 1"]}}
"""


@pytest.fixture(scope="module")
def carrier() -> Iterator[Kamailio]:
    """With a line's account and a subscriber."""
    port = free_port(THERE)
    with Kamailio([f"udp:{THERE}:{port}"], REALM, [("4100", "line-secret"), ("4711", "secret-4711")]) as running:
        yield running


@pytest.fixture(scope="module", params=[{"gateways": 2}, {"placement": "pool"}], ids=["gateway", "pool"])
def switch(
    request: pytest.FixtureRequest, carrier: Kamailio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Switch]:
    with Switch(**request.param, settings={"sip": {"t1": 0.05}}) as running:
        plan(running, carrier, tmp_path_factory.mktemp("plan"), "line-secret")
        await_true(lambda: states(running)["line/one"] == "up", "the line is registered")
        yield running


def plan(switch: Switch, carrier: Kamailio, folder: Path, secret: str) -> None:
    file = folder / "pbx.yaml"
    port = carrier.listen[0].rpartition(":")[2]
    file.write_text(PLAN.format(there=THERE, port=port, realm=REALM, secret=secret))
    switch.command("apply", str(file))


def states(switch: Switch) -> dict[str, str]:
    return {row["line"]: row["state"] for row in switch.json("lines")}


@pytest.fixture
def people(switch: Switch, carrier: Kamailio) -> Iterator[tuple[Agent, Agent, Agent]]:
    """Extensions 101 and 102, and 4711 at the carrier."""
    at_carrier = carrier.listen[0].removeprefix("udp:")
    with ExitStack() as stack:
        near, other = (stack.enter_context(Agent(switch.ipv4, DOMAIN, lambda: 9)) for _ in range(2))
        far = stack.enter_context(Agent(at_carrier, REALM, lambda: 9, address="127.0.0.51"))
        near.register("101", "secret-101")
        other.register("102", "secret-102")
        far.register("4711", "secret-4711")
        yield near, other, far
        other.register("102", "secret-102", expires=0)
        near.register("101", "secret-101", expires=0)
        far.register("4711", "secret-4711", expires=0)
        switch.await_idle()


@pytest.mark.parametrize("prefix", ["9", "8"], ids=["the line", "the trunk"])
def test_a_call_goes_out(switch: Switch, people: tuple[Agent, Agent, Agent], prefix: str) -> None:
    near, _, far = people
    call = near.dial("101", "secret-101", f"{prefix}4711", 9)
    theirs = far.incoming.get(timeout=5)
    assert call.bye().status == 200
    assert theirs.ended.wait(5)
    record = switch.records_of(["101"], 1)[-1]
    assert (record["dialled"], record["sip_status"]) == (f"{prefix}4711", 200)
    assert (record["came_by"], record["went_by"]) == ("", {"9": "line/one", "8": "trunk/live"}[prefix])


def test_a_call_comes_in(switch: Switch, people: tuple[Agent, Agent, Agent]) -> None:
    _, other, far = people
    call = far.dial("4711", "secret-4711", "4100", 9)
    theirs = other.incoming.get(timeout=5)
    uri = f"sip:4100@{REALM}"
    one_too_many = far.authenticated(
        "INVITE", uri, "4711", "secret-4711", f"<{uri}>", body=SDP.format(address="127.0.0.1", port=9)
    )
    assert one_too_many.status in (500, 503)
    assert call.bye().status == 200
    assert theirs.ended.wait(5)
    records = switch.records_of(["4711"], 2)
    assert sorted(row["sip_status"] for row in records) == [200, 503]
    assert {(row["caller"], row["dialled"], row["came_by"]) for row in records} == {("4711", "102", "line/one")}


def test_a_number_that_the_carrier_does_not_know(people: tuple[Agent, Agent, Agent]) -> None:
    near, _, _ = people
    uri = f"sip:94712@{DOMAIN}"
    answer = near.authenticated(
        "INVITE", uri, "101", "secret-101", f"<{uri}>", body=SDP.format(address="127.0.0.1", port=9)
    )
    assert answer.status in (404, 480)


def test_a_wrong_secret_is_told_and_a_right_one_is_enough(switch: Switch, carrier: Kamailio, tmp_path: Path) -> None:
    plan(switch, carrier, tmp_path, "wrong")
    await_true(lambda: states(switch)["line/one"] == "down", "the line is down")
    await_true(lambda: "wrong user or secret" in str(switch.json("lines")), "why")
    assert any(alarm["what"].startswith("line/one") for alarm in switch.status()["alarms"])
    plan(switch, carrier, tmp_path, "line-secret")
    await_true(lambda: states(switch)["line/one"] == "up", "the line is registered")
