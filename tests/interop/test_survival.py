"""Processes are killed (kill -9) while fifty calls are up and a thousand extensions are registered."""

import time
from collections.abc import Iterator

import pytest

from tests.interop.agent import Agent
from tests.interop.calls import Conversation, Talk
from tests.interop.processes import await_true
from tests.interop.rtp import Audio
from tests.interop.sipp import register
from tests.interop.switch import DOMAIN, Switch, users

CALLS, REGISTERED = 50, 1_000
SIP_GATEWAY, MEDIA_GATEWAY, SWITCHBOARD = "sip gateway", "media gateway", "switchboard"

PHONES = users(1000, REGISTERED)
CALLERS, CALLEES = users(5000, CALLS + 5, dialled=6000), users(6000, CALLS + 5)


@pytest.fixture(scope="module")
def populated(switch: Switch) -> Switch:
    """The switch with a thousand extensions registered."""
    switch.import_users([*PHONES, *CALLERS, *CALLEES])
    result = register(switch.ipv4, DOMAIN, PHONES)
    assert (result.successful, result.failed) == (REGISTERED, 0), result.errors
    return switch


@pytest.fixture
def conversation(populated: Switch) -> Iterator[Conversation]:
    """Two agents at the switch and their audio."""
    with (
        Audio() as audio,
        Agent(populated.ipv4, DOMAIN) as calling,
        Agent(populated.ipv4, DOMAIN, lambda: audio.add().port) as called,
    ):
        made = Conversation(calling, called, audio)
        yield made
        made.take_leave()


def _fifty(conversation: Conversation) -> list[Talk]:
    talks = conversation.set_up(CALLERS[:CALLS], CALLEES[:CALLS])
    heard = [stream.received for stream in conversation.audio.streams]
    await_true(
        lambda: all(
            stream.received > before + 10 for stream, before in zip(conversation.audio.streams, heard, strict=True)
        ),
        "audio in every call, both ways",
    )
    conversation.audio.measure()
    return talks


def _registered(switch: Switch) -> set[str]:
    return {row["aor"].partition("@")[0] for row in switch.json("registrations")}


def _hang_up_from_either_side(switch: Switch, talks: list[Talk], since: float) -> None:
    """BYE from A in the even calls, from B in the odd ones; the other side hears of it; the records say so."""
    for number, talk in enumerate(talks):
        ending, ended = (talk.near, talk.far) if number % 2 == 0 else (talk.far, talk.near)
        assert ending.bye().status == 200
        assert ended.ended.wait(5), f"call {number}: no BYE came out of the other side"
    switch.await_idle()
    lasted = time.time() - since
    finished = switch.records_of((talk.caller.number for talk in talks), len(talks), since)
    records = {row["caller"]: row for row in finished}
    for number, talk in enumerate(talks):
        record = records[talk.caller.number]
        assert (record["sip_status"], record["dialled"]) == (200, talk.caller.dialled)
        assert record["release_side"] == ("a" if number % 2 == 0 else "b")
        assert 0 < record["duration"] <= lasted + 1
        assert record["end"] == pytest.approx(record["answer"] + record["duration"], abs=0.1)


def test_a_sip_gateway_is_killed(populated: Switch, conversation: Conversation) -> None:
    since = time.time()
    talks = _fifty(conversation)
    before = _registered(populated)
    populated.kill_and_await_restart(SIP_GATEWAY)
    assert _registered(populated) == before
    assert {user.number for user in PHONES} <= before
    assert len(populated.json("calls")) == CALLS
    late = conversation.call(CALLERS[CALLS], CALLEES[0].number)  # to a phone that did not register again
    assert late.near.bye().status == 200
    gap = conversation.audio.longest_gap()
    _hang_up_from_either_side(populated, talks, since)
    assert gap <= 0.2, f"audio stopped for {gap * 1000:.0f} ms"


def test_a_media_gateway_is_killed(populated: Switch, conversation: Conversation) -> None:
    since = time.time()
    talks = _fifty(conversation)
    heard = [stream.received for stream in conversation.audio.streams]
    populated.kill(MEDIA_GATEWAY)
    await_true(
        lambda: all(
            stream.received > before + 25 for stream, before in zip(conversation.audio.streams, heard, strict=True)
        ),
        "audio again in every call",
        timeout=10,
    )
    gap = conversation.audio.longest_gap()
    _hang_up_from_either_side(populated, talks, since)
    assert gap <= 2.0, f"audio stopped for {gap:.2f} s"


def test_the_switchboard_is_killed(populated: Switch, conversation: Conversation) -> None:
    since = time.time()
    talks = _fifty(conversation)
    populated.kill(SWITCHBOARD)
    fresh = users(1000, 200)
    result = register(populated.ipv4, DOMAIN, fresh)
    assert result[:5] == (len(fresh), 0, 0, 0, 0), result.errors
    late = conversation.call(CALLERS[CALLS + 1], CALLEES[1].number)
    assert late.near.bye().status == 200
    await_true(lambda: SWITCHBOARD in {row["role"] for row in _processes(populated)}, "another Switchboard")
    gap = conversation.audio.longest_gap()
    _hang_up_from_either_side(populated, talks, since)
    assert gap <= 0.2, f"audio stopped for {gap * 1000:.0f} ms"
    assert {user.number for user in PHONES} <= _registered(populated)


def _processes(switch: Switch) -> list[dict[str, object]]:
    try:
        rows: list[dict[str, object]] = switch.status()["processes"]
    except AssertionError:  # nobody to ask while it is away
        return []
    return rows
