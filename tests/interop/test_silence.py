"""A call whose phones have both fallen silent is ended; one that talks is not."""

from tests.interop.agent import Agent
from tests.interop.calls import Conversation
from tests.interop.rtp import Audio
from tests.interop.switch import DOMAIN, Switch, users

CALLERS, CALLEES = users(5000, 2, dialled=6000), users(6000, 2)
SILENCE = 2.0


def test_a_silent_call_gets_its_bye_on_both_sides_and_a_record() -> None:
    with (
        Switch(settings={"media": {"silence": SILENCE}}) as switch,
        Audio() as audio,
        Agent(switch.ipv4, DOMAIN) as calling,
        Agent(switch.ipv4, DOMAIN, lambda: audio.add().port) as called,
        Agent(switch.ipv4, DOMAIN, lambda: 9) as mute,
    ):
        switch.import_users([*CALLERS, *CALLEES])
        (talk,) = Conversation(calling, called, audio).set_up(CALLERS[:1], CALLEES[:1])
        mute.register(CALLEES[1].number, CALLEES[1].password)
        near = calling.dial(CALLERS[1].number, CALLERS[1].password, CALLEES[1].number, 9)
        far = mute.incoming.get(timeout=5)
        assert near.ended.wait(SILENCE * 3) and far.ended.wait(1)
        (row,) = switch.records_of([CALLERS[1].number], 1)
        assert (row["cause"], row["q850"], row["sip_status"]) == ("No media for 2 s", 41, 408)
        assert row["duration"] >= SILENCE - 0.1
        assert not talk.near.ended.is_set()
        assert talk.near.bye().status == 200
