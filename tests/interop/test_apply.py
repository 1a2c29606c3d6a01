"""A plan is applied to a running switch: what it says is in force within a second, on all gateways."""

import socket
import time
from pathlib import Path

from tests.interop.agent import Agent
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch

PLAN = """
extensions:
  - {{number: {number}, password: {password}}}
addresses:
  - {{network: 127.0.0.77, action: {action}}}
"""
THERE = "127.0.0.77"


def apply(switch: Switch, folder: Path, **values: str) -> float:
    """The seconds that the command took."""
    file = folder / "pbx.yaml"
    file.write_text(PLAN.format(**values))
    began = time.monotonic()
    switch.command("apply", str(file))
    return time.monotonic() - began


def dropped(switch: Switch) -> int:
    figures = switch.status()["figures"]
    return sum(figure["rejected"] for host, figure in figures.items() if host[0] == "s")


def test_gateways_have_it_within_a_second(tmp_path: Path) -> None:
    with Switch(gateways=2) as switch:
        assert apply(switch, tmp_path, number="7001", password="first", action="accept") < 5
        with Agent(switch.ipv4, DOMAIN) as phone, Agent(switch.ipv4, DOMAIN, address=THERE) as other:
            phone.register("7001", "first")
            other.register("7001", "first")
            apply(switch, tmp_path, number="7001", password="second", action="reject")
            began = time.monotonic()
            phone.register("7001", "second")
            before = dropped(switch)
            host, port = switch.ipv4.split(":")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bad:
                bad.bind((THERE, 0))
                bad.sendto(b"OPTIONS sip:x SIP/2.0\r\n\r\n", (host, int(port)))
                await_true(lambda: dropped(switch) > before, "the packet is dropped", 1.0)
            assert time.monotonic() - began < 1.5
