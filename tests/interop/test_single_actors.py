"""Each call and each registration a Ray actor of its own: named so in Ray, warm when needed, alive after kill -9."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop import ray_view
from tests.interop.agent import Agent
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch, users

pytestmark = pytest.mark.parametrize("switch", [{"placement": "actor"}], indirect=True, ids=["actor"])
CALLER, CALLEE, *OTHERS = users(300, 10)
COLD = 0.3
"""Seconds; Ray needs more for a new actor on a machine with nothing else to do."""
JOURNALLED = 0.5
"""Seconds after which an answered call is in the journal for sure (its window is 25 ms)."""
AOR = f"{CALLEE.number}@{DOMAIN}"


@pytest.fixture(scope="module")
def warm(switch: Switch) -> Switch:
    switch.import_users([CALLER, CALLEE, *OTHERS])
    switch.await_warm()
    return switch


@pytest.fixture
def phones(warm: Switch) -> Iterator[tuple[Agent, Agent]]:
    """One that calls, and one that is called and has an actor."""
    with Agent(warm.ipv4, DOMAIN) as caller, Agent(warm.ipv4, DOMAIN, lambda: 30_000) as callee:
        assert callee.register(CALLEE.number, CALLEE.password).status == 200
        await_true(lambda: process(warm, f"registration/{AOR}, busy"), "an actor for the registration", 20)
        yield caller, callee
        callee.register(CALLEE.number, CALLEE.password, expires=0)  # or the next one's calls ring here, too


def process(switch: Switch, role: str) -> dict[str, Any] | None:
    return next(iter(switch.processes(role)), None)


def pid(switch: Switch, role: str) -> int | None:
    return next((int(row["pid"]) for row in switch.processes(role)), None)


def dial(caller: Agent) -> Any:
    return caller.dial(CALLER.number, CALLER.password, CALLEE.number, 30_002)


def test_ray_has_them_by_name(warm: Switch, phones: tuple[Agent, Agent]) -> None:
    caller, _ = phones
    call = dial(caller)
    entities = {f"{row['kind']}/{row['key']}": row for row in warm.json("actors")}
    assert sorted(row["kind"] for row in entities.values()) == ["call", "registration"]
    assert all(row["messages"] > 0 and row["age"] >= 0 and len(row["node"]) == 56 for row in entities.values())
    pids = {row["id"]: row["pid"] for row in warm.processes()}
    known = {row["name"]: row for row in ray_view.actors(warm) if row["state"] == "ALIVE"}
    for name, entity in entities.items():
        assert known[name]["pid"] == pids[entity["host"]]
    assert call.bye().status == 200
    (name,) = (name for name in entities if name.startswith("call/"))
    await_true(lambda: not process(warm, name), "the end of its process")
    assert [row["state"] for row in ray_view.actors(warm) if row["name"] == name] == ["DEAD"]


def test_a_call_from_the_warm_pool_waits_for_no_process(warm: Switch, phones: tuple[Agent, Agent]) -> None:
    warm.await_warm()
    took = []
    for _ in range(3):
        idle = {int(row["pid"]) for row in warm.processes("call/") if ", idle" in row["role"]}
        begun = time.monotonic()
        call = dial(phones[0])
        took.append(time.monotonic() - begun)
        (entity,) = (row for row in warm.json("actors") if row["kind"] == "call")
        assert pid(warm, f"call/{entity['key']}, busy") in idle
        assert call.bye().status == 200
    assert min(took) < COLD, took
    warm.await_warm()


@pytest.mark.parametrize("whose", ["call", "registration"])
def test_kill_9_of_its_process(warm: Switch, phones: tuple[Agent, Agent], whose: str) -> None:
    caller, callee = phones
    since = time.time()
    warm.await_warm()
    call = dial(caller)
    other = callee.incoming.get(timeout=5)
    time.sleep(JOURNALLED)
    name = f"call/{call.remote.partition('tag=')[2].rpartition('.')[0]}" if whose == "call" else f"registration/{AOR}"
    found = process(warm, f"{name}, busy")
    assert found is not None
    os.kill(found["pid"], signal.SIGKILL)
    begun = time.monotonic()
    if whose == "registration":
        second = dial(caller)
        assert second.bye().status == 200
    assert call.bye().status == 200
    assert time.monotonic() - begun < 3
    assert other.ended.wait(5)
    records = warm.records_of([CALLER.number], 1 + (whose == "registration"), since)
    assert {row["sip_status"] for row in records} == {200}
    if whose == "registration":
        await_true(lambda: pid(warm, f"{name}, busy") not in (None, found["pid"]), "the actor again")


def test_more_calls_than_actors_overflow_into_the_pool(warm: Switch, phones: tuple[Agent, Agent]) -> None:
    caller, _ = phones
    calls = [dial(caller) for _ in range(8)]
    homes = {row["host"][0] for row in warm.json("calls")}
    assert homes == {"a", "c"}
    for call in calls:
        assert call.bye().status == 200
    warm.await_idle()
