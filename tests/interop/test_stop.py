"""The end of a switch, and starts that must fail: nothing is left behind."""

import signal
import socket
import subprocess
import time

from tests.interop.agent import Agent
from tests.interop.calls import Conversation
from tests.interop.processes import await_true
from tests.interop.rtp import Audio
from tests.interop.switch import DOMAIN, Switch, executable, users

CALLS = 10


def _assert_free(switch: Switch) -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(family, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, switch.port))


def test_sigterm_ends_calls_with_bye_and_records_and_leaves_nothing() -> None:
    callers, callees = users(1000, CALLS), users(2000, CALLS)
    with Switch() as switch:
        switch.import_users([*callers, *callees])
        with (
            Audio() as audio,
            Agent(switch.ipv4, DOMAIN) as calling,
            Agent(switch.ipv4, DOMAIN, lambda: audio.add().port) as called,
        ):
            talks = Conversation(calling, called, audio).set_up(callers, callees)
            took = switch.stop()
            for talk in talks:
                assert talk.near.ended.is_set()
                assert talk.far.ended.is_set()
        assert took < 5, f"{took:.1f} s"
        _assert_free(switch)
        records = switch.cdrs()  # from the store: the switch is down
        assert {row["caller"] for row in records} == {user.number for user in callers}
        assert all(row["sip_status"] == 200 and row["end"] and row["duration"] >= 0 for row in records)
        assert {row["release_side"] for row in records} == {""}  # neither a nor b: the switch


def test_down_ends_it_as_well() -> None:
    with Switch() as switch:
        began = time.monotonic()
        switch.command("down")
        assert switch.process.wait(10) == 0
        assert time.monotonic() - began < 7
        await_true(lambda: not switch.left_over(), "nothing left", timeout=2)
        _assert_free(switch)


def test_ctrl_c_and_a_second_start_keeps_registrations() -> None:
    phones = users(3000, 3)
    with Switch() as switch:
        switch.import_users(phones)
        with Agent(switch.ipv4, DOMAIN) as agent:
            for phone in phones:
                agent.register(phone.number, phone.password)
            switch.process.send_signal(signal.SIGINT)
            assert switch.process.wait(10) == 0
            await_true(lambda: not switch.left_over(), "nothing left", timeout=2)
            assert switch.start() < 10
            assert len(switch.json("registrations")) == len(phones)
            call = agent.dial(phones[0].number, phones[0].password, phones[1].number, 9)
            assert call.bye().status == 200


def test_two_switches_live_side_by_side() -> None:
    pair = users(4000, 2)
    with Switch() as one, Switch() as other:
        for switch in (one, other):
            switch.import_users(pair)
        assert not set(one.pids()) & set(other.pids())
        one.stop()
        with Agent(other.ipv4, DOMAIN) as agent:
            agent.register(pair[1].number, pair[1].password)
            call = agent.dial(pair[0].number, pair[0].password, pair[1].number, 9)
            assert call.bye().status == 200


def _refused_start(switch: Switch) -> str:
    """What `up` prints when it must refuse: one message, exit code 2, nothing left running."""
    done = subprocess.run(
        [executable(), "up", "-c", str(switch.config)],
        cwd=switch.folder,
        env=switch.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2, done
    assert not switch.left_over()
    message = done.stderr.strip()
    assert message.count("\n") == 0, message
    assert "ready:" not in done.stdout
    return message


def test_a_busy_port_is_named() -> None:
    switch = Switch()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind(("127.0.0.1", switch.port))
        message = _refused_start(switch)
    assert str(switch.port) in message
    switch.clean_up()


def test_a_bad_value_and_an_unknown_key_are_named() -> None:
    for text, words in (
        ("sip:\n  gateways: two\n", ("switch.yaml:2", "sip.gateways", "two")),
        ("domain: example.com\nsipp: 1\n", ("switch.yaml:2", "sipp")),
    ):
        switch = Switch()
        switch.config.write_text(text)
        message = _refused_start(switch)
        for word in words:
            assert word in message
        switch.clean_up()
