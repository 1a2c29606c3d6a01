"""The disk of the data folder fills up under a running switch: a small file system that the test mounts (as root)."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.agent import Agent
from tests.interop.processes import await_true
from tests.interop.sipp import register
from tests.interop.switch import DOMAIN, Switch, users

SIZE = "64m"
PHONES = users(1000, 300)
CALLER, CALLED = PHONES[-1], PHONES[-2]


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    assert os.geteuid() == 0, "this test mounts a file system: run it as root"
    switch = Switch()
    data = switch.folder / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(data)], check=True)
    try:
        with switch:
            switch.import_users(PHONES)
            yield switch
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)
        switch.clean_up()


def fill(path: Path) -> None:
    """Take every byte there is."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass


def alarms(switch: Switch) -> str:
    return " | ".join(f"{alarm['what']}. {alarm['remedy']}" for alarm in switch.status()["alarms"])


def test_calls_and_registrations_go_on_and_nothing_is_lost(switch: Switch) -> None:
    ballast = switch.folder / "data" / "ballast"
    began = time.time()
    with Agent(switch.ipv4, DOMAIN) as calling, Agent(switch.ipv4, DOMAIN, lambda: 40000) as called:
        called.register(CALLED.number, CALLED.password)
        calls = [calling.dial(CALLER.number, CALLER.password, CALLED.number, 40002)]
        fill(ballast)
        assert register(switch.ipv4, DOMAIN, PHONES[:200], rate=100).failed == 0
        await_true(lambda: "the disk is full" in alarms(switch), "the alarm")
        assert "Free space on the disk of the database" in alarms(switch)
        calls.append(calling.dial(CALLER.number, CALLER.password, CALLED.number, 40002))
        switch.kill_and_await_restart("sip gateway")
        assert len(switch.json("calls")) == 2
        registered = {row["aor"].partition("@")[0] for row in switch.json("registrations")}
        assert registered >= {user.number for user in PHONES[:200]}
        assert [call.bye().status for call in calls] == [200, 200]
        called.register(CALLED.number, CALLED.password, expires=0)
        ballast.unlink()
        await_true(lambda: not switch.status()["alarms"], "no alarm", 15)
    records = switch.records_of([CALLER.number], 2, began)
    assert [row["sip_status"] for row in records] == [200, 200]
