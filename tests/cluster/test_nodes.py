"""Machines of a running cluster go and come: cut off, back, taken out of service, the head started anew."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest

from tests.cluster.launch import Launch
from tests.cluster.machines import Machine
from tests.interop.agent import Agent, Call
from tests.interop.processes import await_true
from tests.interop.rtp import Audio, Stream

PASSWORD = "secret"
CALLEE, CALLER, BUSY_CALLEE, BUSY_CALLER = "301", "302", "303", "304"
TAKEOVER_SECONDS = 5.0
BACK_SECONDS = 40.0
RATE = 20
"""Calls a second, at most: more would use up the ports of a node, which rest for two seconds after each call."""


class Talk(NamedTuple):
    """A call that is up: its two ends and what they hear."""

    near: Call
    far: Call
    audio: Audio
    streams: tuple[Stream, Stream]

    def aim(self) -> None:
        """Send to where the other side wants it now."""
        for end, stream in zip((self.near, self.far), self.streams, strict=True):
            stream.remote = (end.latest.media_address, end.remote_port)

    def is_heard(self) -> bool:
        return all(stream.received > 25 for stream in self.streams)


@pytest.fixture(scope="module")
def people(launch: Launch) -> Launch:
    for number in (CALLEE, CALLER, BUSY_CALLEE, BUSY_CALLER):
        launch.rayswitch("extension", "add", number, "--password", PASSWORD)
    return launch


@contextmanager
def phones(launch: Launch, by: Machine) -> Iterator[tuple[Audio, Agent, Agent]]:
    """The one that is called is registered by that machine, and the other one calls by it."""
    here = launch.machines.gateway
    with ExitStack() as stack:
        audio = stack.enter_context(Audio())
        called, calling = (
            stack.enter_context(
                Agent(f"{by.address}:5060", "rayswitch.local", lambda: audio.add(here).port, here, follows=True)
            )
            for _ in range(2)
        )
        called.register(CALLEE, PASSWORD)
        yield audio, called, calling


def talk(launch: Launch, audio: Audio, called: Agent, calling: Agent) -> Talk:
    """A call with audio both ways."""
    mine = audio.add(launch.machines.gateway)
    near = calling.dial(CALLER, PASSWORD, CALLEE, mine.port)
    far = called.incoming.get(timeout=5)
    theirs = next(stream for stream in audio.streams if stream.port == far.local_port)
    made = Talk(near, far, audio, (mine, theirs))
    made.aim()
    await_true(made.is_heard, "audio both ways")
    return made


class Traffic:
    """One short call after the other by the address of a machine, each hung up at once, from a thread of its own."""

    def __init__(self, launch: Launch, by: Machine) -> None:
        here, there = launch.machines.gateway, f"{by.address}:5060"
        self.agents = [Agent(there, "rayswitch.local", address=here, follows=True) for _ in range(2)]
        self.calls = 0
        self.failed: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, name="traffic")

    def __enter__(self) -> Self:
        for agent in self.agents:
            agent.__enter__()
        self.agents[0].register(BUSY_CALLEE, PASSWORD)
        self.thread.start()
        return self

    def run(self) -> None:
        called, calling = self.agents
        while not self.over.wait(1 / RATE):
            try:
                near = calling.dial(BUSY_CALLER, PASSWORD, BUSY_CALLEE, 30_000)
                far = called.incoming.get(timeout=5)
                assert near.bye().status == 200 and far.ended.wait(5)
            except Exception as error:
                self.failed.append(repr(error))
            self.calls += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()
        for agent in self.agents:
            agent.__exit__(kind, error, trace)


def nodes(launch: Launch) -> dict[str, dict[str, Any]]:
    """By address."""
    return {row["address"]: row for row in json.loads(launch.rayswitch("nodes", "--json"))}


def whole(launch: Launch) -> bool:
    """Are there all gateways, each of them up?"""
    rows = nodes(launch)
    return len(rows) == launch.count and all(
        row["state"] == "up" and sorted(host[0] for host in row["hosts"]) == ["m", "s"] for row in rows.values()
    )


def ended(launch: Launch, made: Talk, since: float) -> dict[str, Any]:
    """Hung up by the caller; the record."""
    assert made.near.bye().status == 200
    assert made.far.ended.wait(5)
    found: list[dict[str, Any]] = []

    def written() -> bool:
        found[:] = json.loads(launch.rayswitch("cdr", "--json", "--number", CALLEE, "-n", "1"))
        return bool(found) and found[0]["start"] >= since and found[0]["end"] is not None

    await_true(written, "its record")
    return found[0]


def test_a_node_that_is_cut_off_is_taken_over_and_comes_back_clean(people: Launch) -> None:
    launch, (lost, other) = people, people.workers
    await_true(lambda: whole(launch), "both nodes", BACK_SECONDS, 0.3)
    since = time.time()
    with phones(launch, lost) as (audio, called, calling):
        made = talk(launch, audio, called, calling)
        assert lost.address in made.near.target
        audio.measure()
        begun = time.monotonic()
        lost.unplug()
        for end in (made.near, made.far):
            assert end.moved.wait(TAKEOVER_SECONDS), "this phone was not told where the call is now"
            assert other.address in end.target
            assert end.latest.media_address == other.address
        took = time.monotonic() - begun
        made.aim()
        heard = [stream.received for stream in made.streams]
        await_true(
            lambda: all(one.received > before + 25 for one, before in zip(made.streams, heard, strict=True)),
            "audio by the other node",
        )
        gap = audio.longest_gap()
        with Agent(f"{other.address}:5060", "rayswitch.local", address=launch.machines.gateway, follows=True) as new:
            again = talk(launch, audio, called, new)
            assert ended(launch, again, since)["sip_status"] == 200
        record = ended(launch, made, since)
        assert (record["sip_status"], record["release_side"]) == (200, "a")
        print(f"\ncut off: both phones told after {took:.1f} s, audio gap {gap:.1f} s")
        lost.plug()
        launch.start_ray(lost)
        await_true(lambda: whole(launch), "the node is back", BACK_SECONDS, 0.3)
        called.register(CALLEE, PASSWORD)
        rows = json.loads(launch.rayswitch("registrations", "--json"))
        assert sum(row["aor"].startswith(f"{CALLEE}@") for row in rows) == 1, "nobody else has it, too"
        assert ended(launch, talk(launch, audio, called, calling), since)["sip_status"] == 200
        print(f"back after {time.monotonic() - begun:.0f} s")


def test_a_node_is_taken_out_of_service_while_people_talk(people: Launch) -> None:
    launch, (first, second) = people, people.workers
    since = time.time()
    with phones(launch, second) as (audio, called, calling):
        made = talk(launch, audio, called, calling)
        begun = time.monotonic()
        with Traffic(launch, second) as traffic:
            await_true(lambda: traffic.calls > 5, "calls by that node")
            output = launch.rayswitch("drain", second.address, "--deadline", "1")
            before = traffic.calls
            await_true(lambda: traffic.calls > before + 5, "calls by the address of a drained node")
        assert traffic.failed == []
        assert output.endswith("empty\n")
        assert nodes(launch)[second.address]["state"] == "leaving"
        assert first.address in made.near.target and first.address in made.far.target
        made.aim()
        again = talk(launch, audio, called, calling)  # by the address of the node that takes nothing new
        assert first.address in again.near.target
        for one in (again, made):
            assert ended(launch, one, since)["sip_status"] == 200
        assert "in service" in launch.rayswitch("undrain", second.address)
        await_true(lambda: whole(launch), "both nodes", BACK_SECONDS, 0.3)
        print(f"\ndrained in {time.monotonic() - begun:.1f} s, none of {traffic.calls} calls failed")


def test_calls_go_on_while_the_head_is_away(people: Launch) -> None:
    launch, (first, _) = people, people.workers
    since = time.time()
    with phones(launch, first) as (audio, called, calling):
        made = talk(launch, audio, called, calling)
        for pid, line in launch.head.processes().items():
            if "/gcs_server " in line or "/raylet/raylet " in line:
                os.kill(pid, signal.SIGKILL)
        await_true(lambda: not any("Switchboard" in line for line in launch.actors()), "the end of the Switchboard")
        audio.measure()
        again = talk(launch, audio, called, calling)
        assert again.near.bye().status == 200 and again.far.ended.wait(5)
        called.register(CALLEE, PASSWORD)
        begun = time.monotonic()
        launch.start_ray(launch.head)
        await_true(lambda: launch.attempt("nodes").returncode == 0 and whole(launch), "the Switchboard", 60, 0.5)
        took = time.monotonic() - begun
        assert audio.longest_gap() < 0.2
        assert ended(launch, made, since)["sip_status"] == 200
        assert json.loads(launch.rayswitch("status", "--json"))["ready"] is True
        print(f"\nthe head is back {took:.0f} s after its start began")
