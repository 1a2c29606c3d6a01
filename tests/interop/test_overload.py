"""Three times what a gateway can take: it refuses quickly what is too much and serves the rest as if nothing were."""

import threading

import pytest

from tests.interop.ports import free_port
from tests.interop.sipp import Result, Sipp, User, percentile, register
from tests.interop.switch import DOMAIN, Switch, users

CALLERS, CALLEES = users(1000, 500, dialled=2000), users(2000, 500)
RATE, SECONDS = 1800, 4
"""A gateway on one of the two cores that it shares with SIPp takes some 600 calls a second."""
GROWTH = 150 << 20


def test_three_times_the_capacity(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "media": {"address": "127.0.0.1", "ports": "20000-31999"},
        "protection": {"source_rate": 0},
    }
    with Switch(settings=settings) as switch:
        switch.import_users([*CALLERS, *CALLEES])
        port = free_port()
        assert register(switch.ipv4, DOMAIN, CALLEES, port=port).failed == 0
        memory = _memory(switch)
        most = [memory]
        with Sipp("callee", switch.ipv4, domain=DOMAIN, port=port) as callee:
            made = _calls(switch, CALLERS, most)
            switch.await_idle(30)
            after = _one_more(switch)
            taken = callee.stop()
        figures = [figure for host, figure in switch.status()["figures"].items() if host[0] == "s"]
        refused = sum(figure["overloaded"] for figure in figures)
    accepted = len(made.response_times)
    with capsys.disabled():
        print(
            f"\n{RATE} calls/s for {SECONDS} s: {accepted} accepted, 180 after {made.percentile(0.99):.3f} s (p99); "
            f"{len(made.refusal_times)} refused, 503 after {percentile(made.refusal_times, 0.99):.3f} s (p99); "
            f"memory at most {(max(most) - memory) >> 20} MB more"
        )
    assert (made.failed, made.unexpected) == (0, 0), made.errors[:3000]
    assert accepted + len(made.refusal_times) == made.successful == RATE * SECONDS
    assert refused >= len(made.refusal_times) > 0
    assert accepted > RATE * SECONDS / 10, "it does not spend all its time on refusing"
    assert (taken.successful, taken.failed) == (accepted + 20, 0), taken.errors[:3000]
    assert made.percentile(0.99) < 0.75 and percentile(made.refusal_times, 0.99) < 0.75
    assert max(most) - memory < GROWTH
    assert (after.successful, after.failed) == (20, 0), "and afterwards all is as before"


def _memory(switch: Switch) -> int:
    return sum(row["memory"] for row in switch.status()["processes"])


def _calls(switch: Switch, callers: list[User], most: list[int]) -> Result:
    """All the calls; memory is watched meanwhile."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            most.append(_memory(switch))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with Sipp(
            "caller_refusable", switch.ipv4, domain=DOMAIN, users=callers, calls=RATE * SECONDS, rate=RATE, hold=300,
            limit=20_000,
        ) as caller:  # fmt: skip
            return caller.result()
    finally:
        over.set()
        watcher.join()


def _one_more(switch: Switch) -> Result:
    with Sipp("caller", switch.ipv4, domain=DOMAIN, users=CALLERS, calls=20, rate=20) as caller:
        return caller.result()
