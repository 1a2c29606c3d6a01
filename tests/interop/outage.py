"""The database goes away under calls and registrations, and comes back: what that costs, and what was lost.

Calls and registrations run for a moment before, through all of it, and for a moment after.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.interop.ports import free_port
from tests.interop.processes import await_true
from tests.interop.sipp import Result, Sipp, User, register
from tests.interop.switch import DOMAIN, Switch, users

__all__ = ["Outage", "check", "live_through", "log_lines", "people"]

CALLERS, CALLEES, PHONES = users(1000, 200, dialled=2000), users(2000, 200), users(3000, 3000)
CALL_RATE, HOLD = 20, 1500
REGISTER_RATE = 50
LEAD = 2.0


class Outage(NamedTuple):
    """What became of the calls and registrations; `alarms` while the database was away, `waiting` the records that
    waited then, `back` the seconds until everything was in the database afterwards."""

    made: Result
    taken: Result
    registered: Result
    alarms: list[dict[str, Any]]
    waiting: int
    back: float
    began: float


def people(switch: Switch) -> None:
    """Make the extensions."""
    switch.import_users([*CALLERS, *CALLEES, *PHONES])


def live_through(switch: Switch, away: Callable[[], None], again: Callable[[], None], seconds: float) -> Outage:
    """Take the database away for so many seconds, with calls and registrations under way all the time."""
    length = seconds + 2 * LEAD
    began = time.time()
    port = free_port()
    assert register(switch.ipv4, DOMAIN, CALLEES, port=port).failed == 0
    with (
        Sipp("callee", switch.ipv4, domain=DOMAIN, port=port, timeout=round(length) + 60) as callee,
        _running("caller", switch, CALLERS, round(CALL_RATE * length), CALL_RATE) as caller,
        _running("register", switch, PHONES, round(REGISTER_RATE * length), REGISTER_RATE) as phones,
    ):
        time.sleep(LEAD)
        away()
        gone = time.monotonic()
        try:
            await_true(lambda: switch.status()["alarms"], "an alarm")
            time.sleep(max(0.0, gone + seconds - time.monotonic()))
            status = switch.status()
        finally:
            again()
        back = time.monotonic()
        await_true(lambda: not _troubled(switch), "no alarm and nothing left in the journals", 30 + seconds)
        took = time.monotonic() - back
        made, registered = caller.result(), phones.result()
        switch.await_idle()
        taken = callee.stop()
    waiting = sum(figure.get("journal", 0) for figure in status["figures"].values())
    return Outage(made, taken, registered, status["alarms"], waiting, took, began)


@contextmanager
def _running(scenario: str, switch: Switch, who: list[User], count: int, rate: int) -> Iterator[Sipp]:
    timeout = round(count / rate) + 60
    with Sipp(
        scenario, switch.ipv4, domain=DOMAIN, users=who, calls=count, rate=rate, hold=HOLD, timeout=timeout
    ) as sipp:
        yield sipp


def _troubled(switch: Switch) -> bool:
    status = switch.status()
    return bool(status["alarms"]) or any(figure.get("journal") for figure in status["figures"].values())


def check(switch: Switch, outage: Outage, seconds: float) -> None:
    """Nothing failed, nothing was lost, nothing is there twice, and the operator knew."""
    length = seconds + 2 * LEAD
    for result, count in ((outage.made, CALL_RATE * length), (outage.registered, REGISTER_RATE * length)):
        assert (result.successful, result.failed, result.unexpected) == (round(count), 0, 0), result.errors[:2000]
    assert outage.taken.failed == 0, outage.taken.errors[:2000]
    gateway = next(alarm for alarm in outage.alarms if alarm["host"] == "s0")
    assert gateway["since"] > outage.began and "Bring the database back" in gateway["remedy"]
    assert outage.waiting > seconds * CALL_RATE
    rows = [row for row in switch.json("cdr", "-n", "0", "--legs") if row["start"] >= outage.began - 1]
    times = Counter((row["call_id"], row["leg"]) for row in rows)
    assert max(times.values()) == 1
    legs = Counter(leg for _, leg in times)
    assert (legs["call"], legs["a"], legs["b1"]) == (outage.made.successful,) * 3
    assert {row["sip_status"] for row in rows if row["leg"] == "call"} == {200}


def log_lines(switch: Switch, host: str, text: str) -> list[str]:
    """Lines of a process's log that hold `text`."""
    log = switch.folder / "data" / "log" / f"{host}.log"
    return [line for line in log.read_text().splitlines() if text in line]
