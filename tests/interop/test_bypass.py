"""`media: bypass`: two phones hear each other, and no packet passes the switch."""

from pathlib import Path

from tests.interop.audio import assert_tone
from tests.interop.phones import Baresip
from tests.interop.switch import DOMAIN, Switch

PLAN = """
extensions:
  - {number: 7101, password: secret-7101, media: bypass}
  - {number: 7102, password: secret-7102, media: bypass}
"""
TONES = {"7101": 440, "7102": 1000}
TALK = 1.5


def test_phones_send_to_each_other(switch: Switch, tmp_path: Path) -> None:
    plan = tmp_path / "pbx.yaml"
    plan.write_text(PLAN)
    switch.command("apply", str(plan))
    with (
        Baresip("7101", "secret-7101", switch.ipv4, DOMAIN, tone=TONES["7101"], answer="manual") as near,
        Baresip("7102", "secret-7102", switch.ipv4, DOMAIN, tone=TONES["7102"]) as far,
    ):
        for phone in (near, far):
            phone.register()
        near.dial("7102")
        for phone in (near, far):
            phone.wait_event("CALL_ESTABLISHED")
        far.hear(TONES["7101"], TALK)
        near.hear(TONES["7102"], TALK)
        near.hang_up()
        far.wait_event("CALL_CLOSED")
        switch.await_idle()
        assert_tone(far.heard(), TONES["7101"], TALK)
        assert_tone(near.heard(), TONES["7102"], TALK)
    (record,) = switch.records_of(["7101"], 1)
    assert (record["sip_status"], record["packets_rx"], record["packets_tx"]) == (200, 0, 0)
