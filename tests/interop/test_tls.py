"""Two real phones register over TLS and talk; one over TLS calls one over UDP."""

from pathlib import Path

import pytest

from tests.gateways.certificates import Authority
from tests.interop.audio import assert_tone
from tests.interop.phones import Baresip
from tests.interop.ports import free_port
from tests.interop.switch import DOMAIN, Switch, users

TALK = 1.5


@pytest.mark.parametrize("way_b", ["tls", "udp"])
def test_phones_talk_over_tls(tmp_path: Path, way_b: str) -> None:
    port = free_port()
    settings = {
        "sip": {
            "listen": [f"tls://127.0.0.1:{port}", f"udp://127.0.0.1:{port}"],
            "tls": {"certificate": str(Authority(tmp_path).issue("switch"))},
        }
    }
    alice, bob = users(2000, 2)
    with Switch(settings=settings) as switch:
        switch.import_users([alice, bob])
        where = f"127.0.0.1:{port}"
        with (
            Baresip(alice.number, alice.password, where, DOMAIN, transport="tls", tone=440, answer="manual") as a,
            Baresip(bob.number, bob.password, where, DOMAIN, transport=way_b, tone=1000, answer="auto") as b,
        ):
            a.register()
            b.register()
            assert {row["transport"] for row in switch.json("registrations")} == {"TLS", way_b.upper()}
            a.dial(b.number)
            a.wait_event("CALL_ESTABLISHED")
            b.wait_event("CALL_ESTABLISHED")
            b.hear(440, TALK)
            a.hear(1000, TALK)
            b.hang_up()
            a.wait_event("CALL_CLOSED")
            switch.await_idle()
            assert_tone(b.heard(), 440, TALK)
            assert_tone(a.heard(), 1000, TALK)
