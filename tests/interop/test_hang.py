"""A SIP gateway hangs (SIGSTOP), for good: its calls and registrations go on in the other one, and it is replaced."""

import os
import signal
import time

from tests.interop.agent import Agent
from tests.interop.calls import Conversation
from tests.interop.processes import await_true
from tests.interop.rtp import Audio
from tests.interop.switch import DOMAIN, Switch, users

CALLS = 8
CALLERS, CALLEES = users(5000, CALLS, dialled=6000), users(6000, CALLS)


def test_a_gateway_that_hangs_is_given_up_and_replaced() -> None:
    with (
        Switch(gateways=2, settings={"members": {"host_silent": 2}}) as switch,
        Audio() as audio,
        Agent(switch.ipv4, DOMAIN) as calling,
        Agent(switch.ipv4, DOMAIN, lambda: audio.add().port) as called,
    ):
        switch.import_users([*CALLERS, *CALLEES])
        conversation = Conversation(calling, called, audio)
        talks = conversation.set_up(CALLERS, CALLEES)
        home = switch.json("calls")[0]["host"]
        pid = next(row["pid"] for row in switch.processes() if row["id"] == home)
        begun = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        await_true(
            lambda: {row["id"] for row in switch.processes("sip gateway")} == {"s0", "s1", "s2"} - {home},
            "another gateway in its place",
            timeout=20,
        )
        took = time.monotonic() - begun
        calls = switch.json("calls")
        assert len(calls) == CALLS and home not in {row["host"] for row in calls}
        assert len(switch.json("registrations")) == CALLS
        for talk in talks:
            assert talk.near.bye().status == 200
            assert talk.far.ended.wait(5)
        switch.await_idle()
        assert {row["sip_status"] for row in switch.records_of((user.number for user in CALLERS), CALLS)} == {200}
        again = conversation.call(CALLERS[0], CALLEES[0].number)
        assert again.near.bye().status == 200
        print(f"\nreplaced, with its calls taken over, {took:.1f} s after it hung")
