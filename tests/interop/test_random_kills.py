"""Twenty times in a row any process of a switch is killed (kill -9), chosen at random, while calls come and go.

Nothing that was promised is lost: registrations, answered calls, records. A process that is not Ray's is back within
2 s; a raylet takes the actors of its machine along and all is back within 10 s. A supervisor is started again as a
service manager would.
"""

import os
import random
import signal
import threading
import time
from typing import Any, NamedTuple

import pytest

from tests.interop.agent import Agent
from tests.interop.calls import Conversation, Talk
from tests.interop.processes import await_true
from tests.interop.rtp import Audio
from tests.interop.sipp import User, register
from tests.interop.switch import DOMAIN, Switch, users

ROUNDS, CALLS, REGISTERED = 20, 10, 200
PHONES = users(1000, REGISTERED)
CALLERS, CALLEES = users(5000, CALLS + 1, dialled=6000), users(6000, CALLS + 1)
VISITOR, HOST = users(7000, 1, dialled=7500)[0], users(7500, 1)[0]
WITH_ALL_ACTORS = ("ray raylet", "ray agent (idle)")
"""Whose death takes the actors of the machine along."""
JOURNALLED = 0.5
"""Seconds after which an answered call is in the journal for sure (its window is 25 ms)."""
RESTARTED = 40.0
"""Seconds within which a call that ended in the last moment of its machine has its end in the record: it is asked for
in the first 4.5 s after a restart, and again when that was cut short by the next kill."""


class Visit(NamedTuple):
    """A short call of the traffic: when it was answered and how long it lasted, by its caller's clock."""

    answered: float
    lasted: float


class Traffic(threading.Thread):
    """Short calls, one after the other, until told to stop. What cannot be set up while a process is away is counted; a
    call that was answered has to end with 200.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__(daemon=True)
        self.agent = agent
        self.ending = threading.Event()
        self.visits: list[Visit] = []
        self.refused = 0
        self.lost: list[tuple[float, str]] = []

    def run(self) -> None:
        while not self.ending.wait(0.05):
            try:
                call = self.agent.dial(VISITOR.number, VISITOR.password, HOST.number, 9)
            except AssertionError:
                self.refused += 1
                continue
            answered = time.time()
            self.ending.wait(0.3)
            try:
                status = call.bye().status
                assert status == 200, f"BYE: {status}"
            except AssertionError as error:
                self.lost.append((answered, str(error)))
            else:
                self.visits.append(Visit(answered, time.time() - answered))


def _service(agent: Agent, caller: User, callee: User) -> bool:
    """Can one register and call now?"""
    try:
        agent.register(callee.number, callee.password)
        return agent.dial(caller.number, caller.password, callee.number, 9).bye().status == 200
    except AssertionError:
        return False


def _victims(switch: Switch) -> list[dict[str, Any]]:
    """Every process, once all are there and nothing is being started."""
    rows: list[dict[str, Any]] = []

    def complete() -> bool:
        try:
            status = switch.status()
        except AssertionError:
            return False
        rows[:] = status["processes"]
        return bool(status["ready"]) and all(row["role"] != "helper" for row in rows)

    await_true(complete, "a switch that is ready", 20, pause=0.1)
    return rows


@pytest.mark.parametrize("seed", [1])
def test_any_process_is_killed_twenty_times(capsys: pytest.CaptureFixture[str], seed: int) -> None:
    dice = random.Random(seed)
    with (
        Switch() as switch,
        Audio() as audio,
        Agent(switch.ipv4, DOMAIN) as calling,
        Agent(switch.ipv4, DOMAIN, lambda: audio.add().port) as called,
        Agent(switch.ipv4, DOMAIN) as guest,
    ):
        switch.import_users([*PHONES, *CALLERS, *CALLEES, VISITOR, HOST])
        assert register(switch.ipv4, DOMAIN, PHONES).failed == 0
        guest.register(HOST.number, HOST.password)
        conversation = Conversation(calling, called, audio)
        began = time.time()
        talks = conversation.set_up(CALLERS[:CALLS], CALLEES[:CALLS])
        traffic = Traffic(guest)
        traffic.start()
        kills = []
        lines = []
        for number in range(ROUNDS):
            victims = _victims(switch)
            victim = dice.choice(victims)
            gateway = next(row["id"] for row in victims if row["role"] == "sip gateway")
            audio.measure()
            killed = time.time()
            os.kill(victim["id"], signal.SIGKILL)
            if victim["role"] == "supervisor":
                switch.process.wait()
                switch.start()
            if victim["role"] in WITH_ALL_ACTORS:
                _await_end(gateway)  # it may outlive its raylet by a moment
            kills.append((killed, time.time()))
            while not _service(calling, CALLERS[CALLS], CALLEES[CALLS]):
                assert time.time() < killed + 15, f"no service after {victim['role']} was killed"
            back = time.time() - killed
            _victims(switch)
            gap = audio.longest_gap()
            lines.append(f"{number + 1:2d} {victim['role']:18s} service after {back:5.2f} s, audio gap {gap:5.2f} s")
            with capsys.disabled():
                print("\n" + lines[-1], end="", flush=True)
            assert back <= (10 if victim["role"] in WITH_ALL_ACTORS else 2), lines
            bound = {row["aor"].partition("@")[0] for row in switch.json("registrations")}
            assert {user.number for user in PHONES} <= bound
            assert len([row for row in switch.json("calls") if row["caller"] != VISITOR.number]) == CALLS
        traffic.ending.set()
        traffic.join()
        _end(talks)
        switch.await_idle(40)
        _right_records(switch, talks, traffic, kills, began)
        with capsys.disabled():
            print(f"\n{len(traffic.visits)} calls of the traffic ended right, {traffic.refused} could not be set up")


def _await_end(pid: int) -> None:
    await_true(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of process {pid}")


def _end(talks: list[Talk]) -> None:
    for talk in talks:
        assert talk.near.bye().status == 200
        assert talk.far.ended.wait(5), "no BYE came out of the other side"


def _right_records(
    switch: Switch, talks: list[Talk], traffic: Traffic, kills: list[tuple[float, float]], began: float
) -> None:
    """One record for every answered call, with the times its caller had."""
    for answered, why in traffic.lost:
        near = [(kill - answered, death - answered) for kill, death in kills if abs(kill - answered) < 5]
        assert any(kill <= JOURNALLED and death >= -0.1 for kill, death in near), f"{why}, kills around it: {near}"
    records = switch.records_of([talk.caller.number for talk in talks], CALLS, began)
    assert len(records) == CALLS
    assert all(row["sip_status"] == 200 and row["release_side"] == "a" for row in records)
    rows = [row for row in switch.cdrs() if row["caller"] == VISITOR.number and row["answer"]]
    for visit in traffic.visits:
        mine = [row for row in rows if abs(row["answer"] - visit.answered) < 1.0]
        ended = visit.answered + visit.lasted
        slack = RESTARTED if any(kill - JOURNALLED < ended < death + 0.1 for kill, death in kills) else 1.0
        assert any(-1.0 < row["duration"] - visit.lasted < slack and row["sip_status"] == 200 for row in mine), visit
