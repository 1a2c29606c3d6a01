"""PostgreSQL stops, or stands still, under calls and registrations; a gateway is killed meanwhile; a start without it.

The outage is scaled down to AWAY seconds here; `python -m benchmarks.outage` makes it the full minute.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.interop.agent import Agent
from tests.interop.outage import PHONES, check, live_through, log_lines, people
from tests.interop.postgres import PASSWORD, Postgres
from tests.interop.processes import await_true
from tests.interop.sipp import register
from tests.interop.switch import DOMAIN, Switch

AWAY = 4.0
CALLER, CALLED = PHONES[-1], PHONES[-2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def switch(postgres: Postgres) -> Iterator[Switch]:
    settings = {"store": postgres.new_database(), "registration": {"max_contacts": 1}}
    with Switch(settings=settings) as switch:
        people(switch)
        yield switch


def calm(switch: Switch) -> None:
    await_true(lambda: not switch.status()["alarms"], "no alarm", 15)


@pytest.mark.parametrize(("away", "again"), [(Postgres.stop, Postgres.start), (Postgres.freeze, Postgres.thaw)])
def test_nothing_fails_and_nothing_is_lost(
    switch: Switch, postgres: Postgres, away: Callable[[Postgres], None], again: Callable[[Postgres], None]
) -> None:
    before = len(log_lines(switch, "s0", "alarm: "))
    outage = live_through(switch, lambda: away(postgres), lambda: again(postgres), AWAY)
    check(switch, outage, AWAY)
    assert len(log_lines(switch, "s0", "alarm: ")) == before + 1
    assert len(log_lines(switch, "s0", "alarm over after")) == before + 1


def test_a_gateway_that_is_killed_meanwhile_has_everything_again(switch: Switch, postgres: Postgres) -> None:
    """What was registered and answered before the outage and during it; and its call ends with one record."""
    early, late = PHONES[:200], PHONES[2000:2100]
    assert register(switch.ipv4, DOMAIN, early).failed == 0
    began = time.time()
    with Agent(switch.ipv4, DOMAIN) as calling, Agent(switch.ipv4, DOMAIN, lambda: 40000) as called:
        called.register(CALLED.number, CALLED.password)
        calls = [calling.dial(CALLER.number, CALLER.password, CALLED.number, 40002)]
        postgres.stop()
        assert register(switch.ipv4, DOMAIN, late).failed == 0
        calls.append(calling.dial(CALLER.number, CALLER.password, CALLED.number, 40002))
        switch.kill_and_await_restart("sip gateway")
        assert switch.status()["alarms"]
        registered = {row["aor"].partition("@")[0] for row in switch.json("registrations")}
        assert registered >= {user.number for user in (*early, *late)}
        assert len(switch.json("calls")) == 2
        calls.append(calling.dial(CALLER.number, CALLER.password, CALLED.number, 40002))
        assert [call.bye().status for call in calls] == [200, 200, 200]
        called.register(CALLED.number, CALLED.password, expires=0)
        postgres.start()
        calm(switch)
    records = switch.records_of([CALLER.number], 3, began)
    assert [row["sip_status"] for row in records] == [200, 200, 200]
    stored = postgres.sql("SELECT count(*) FROM binding", "test1")
    assert int(stored) == len(switch.json("registrations"))


def test_a_switch_starts_without_the_database_with_what_it_knew(switch: Switch, postgres: Postgres) -> None:
    number = PHONES[0]
    assert register(switch.ipv4, DOMAIN, [number]).failed == 0
    switch.stop()
    postgres.stop()
    switch.start()
    assert "starting with what this machine knew last" in switch.output()
    assert register(switch.ipv4, DOMAIN, [PHONES[1]]).failed == 0
    registered = {row["aor"].partition("@")[0] for row in switch.json("registrations")}
    assert {number.number, PHONES[1].number} <= registered
    assert {alarm["host"] for alarm in switch.status()["alarms"]} == {"s0", "sw"}
    shown = switch.command("status")
    assert "ALARM s0 since" in shown and "cannot be reached" in shown
    postgres.start()
    calm(switch)


def test_the_password_is_nowhere_to_be_seen(switch: Switch) -> None:
    shown = [*switch.left_over().values(), switch.output(), switch.command("status")]
    logs = [path.read_text(errors="replace") for path in (switch.folder / "data" / "log").iterdir()]
    assert len(logs) > 3
    assert not any(PASSWORD in text for text in (*shown, *logs))
