"""Registrations as entities: durable before the answer, awake after a restart, reached from anywhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import registration as registration_module
from actors.host import Host
from actors.journal import Journal
from actors.link import Links
from actors.placement import Placement
from actors.registration import Location, RegistrationShell
from gateways.wheel import Wheel
from rayswitch.calls.events import LookedUp, RegisterReceived, TimerFired
from rayswitch.calls.registration import NAT_PERIOD, Registration, Rules
from rayswitch.sip.flow import Flow
from rayswitch.store import Store
from tests.actors.together import run, until

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5070))
WALL = 1e9
HOSTS = ["r0", "r1"]


class Home:
    """A host of registrations with a journal and links; `wall` can be set."""

    def __init__(self, name: str, where: Path, epoch: int = 1) -> None:
        loop = asyncio.get_running_loop()
        self.url = f"sqlite:///{where}/switch.db"
        self.links = Links(name, epoch, where)
        self.wheel = Wheel(loop)
        self.journal = Journal(self.url, where / "journal" / name)
        self.wall = WALL
        self.pings: list[tuple[str, Flow]] = []
        self.location = Location(name, self.links, Placement(HOSTS), lambda: self.wall)
        self.shell = RegistrationShell(
            Host(name, self.links, self.wheel, loop.time),
            self.journal,
            self.wheel,
            Rules(min_expires=1),
            lambda: self.wall,
            lambda uri, flow: self.pings.append((uri, flow)),
        )
        self.location.serve(self.shell)

    async def close(self) -> None:
        self.location.close()
        await self.links.close()
        self.wheel.close()
        await self.journal.close()

    def stored(self) -> dict[str, Any]:
        with Store.open(self.url) as store:
            return {aor: snapshot for aor, snapshot, _ in store.bindings()}

    async def register(self, aor: str, cseq: int = 1, expires: int | None = 600, flow: Flow = FLOW) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        wanted: Any = [["sip:phone@127.0.0.1:5070", "", None]] if expires is not None else None
        order = RegisterReceived(None, "call-1", cseq, wanted, expires, [], flow, self.wall)
        self.location.register(aor, order, answer.set_result)
        return await answer

    async def look_up(self, aor: str) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.location.look_up(aor, answer.set_result)
        return await answer


def homed(host: str, count: int = 1) -> list[str]:
    """Addresses whose home is `host`."""
    placement = Placement(HOSTS)
    return [aor for n in range(100 * count) if placement.home(aor := f"{n}@example.com") == host][:count]


@asynccontextmanager
async def homes(where: Path, *names: str) -> AsyncIterator[list[Home]]:
    made = [Home(name, where) for name in names]
    for one in made:
        await one.links.start()
    try:
        yield made
    finally:
        for one in made:
            await one.close()


def play(where: Path, body: Callable[..., Awaitable[None]], *names: str) -> None:
    async def main(where: Path) -> None:
        async with homes(where, *names) as made:
            await body(*made)

    run(main, where)


def test_the_answer_comes_when_the_binding_is_on_disk(tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        (aor,) = homed("r0")
        status, _, _, contacts = await home.register(aor)
        assert status == 200 and contacts[0][0] == "sip:phone@127.0.0.1:5070"
        assert list(home.stored()) == [aor]
        assert await home.look_up(aor) == [["sip:phone@127.0.0.1:5070", list(FLOW), []]]
        assert (await home.register(aor, 2, None))[0] == 200, "a query"
        assert (await home.register(aor, 3, 0))[3] == []
        assert home.stored() == {} and home.shell.count() == 0
        assert await home.look_up(aor) == []

    play(tmp_path, body, "r0")


def test_the_home_is_asked_from_anywhere(tmp_path: Path) -> None:
    async def body(here: Home, there: Home) -> None:
        (aor,) = homed("r1")
        assert (await here.register(aor))[0] == 200
        assert there.shell.host.has("registration", aor) and not here.shell.host.count("registration")
        assert len(await here.look_up(aor)) == 1
        assert await here.look_up(homed("r1", 2)[1]) == []
        assert there.shell.count() == 1, "looking somebody up creates nobody"

    play(tmp_path, body, "r0", "r1")


def test_a_home_that_is_away_is_none_and_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration_module, "SEEK_SECONDS", 0.05)

    async def body(here: Home) -> None:
        (aor,) = homed("r1")
        assert await here.register(aor) is None
        assert await here.look_up(aor) == []

    play(tmp_path, body, "r0")


def test_a_home_that_comes_back_in_time_answers_the_first_question(tmp_path: Path) -> None:
    async def body(here: Home) -> None:
        (aor,) = homed("r1")
        asked = asyncio.create_task(here.register(aor))
        await asyncio.sleep(0.05)
        async with homes(tmp_path, "r1"):
            assert (await asked)[0] == 200

    play(tmp_path, body, "r0")


def test_a_restart_forgets_nobody_and_serves_at_once(tmp_path: Path) -> None:
    async def body() -> None:
        aors = homed("r0", 500)
        async with homes(tmp_path, "r0") as (before,):
            await asyncio.gather(*(before.register(aor) for aor in aors))
        async with homes(tmp_path, "r0") as (home,):
            with Store.open(home.url) as store:
                rows = list(store.bindings())
            home.shell.take_in([*rows, ("gone@example.com", [], WALL - 1)])
            assert home.shell.count() == 500
            assert len(await home.look_up(aors[-1])) == 1, "woken out of turn"
            assert (await home.register(aors[-2], 2))[0] == 200
            await until(lambda: home.shell.host.count("registration") == 500)
            assert not home.shell.asleep and home.shell.count() == 500
            assert len(home.shell.rows()) == 500

    play(tmp_path, body)


def test_a_row_that_cannot_be_read_costs_nobody_else_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body(home: Home) -> None:
        good, bad = homed("r0", 2)
        await home.register(good)
        snapshot = home.stored()[good]
        home.shell.host.retire("registration", good)
        home.shell.take_in([(bad, [["broken"]], WALL + 60), (good, snapshot, WALL + 60)])
        await until(lambda: not home.shell.asleep)
        assert len(await home.look_up(good)) == 1
        assert await home.look_up(bad) == []
        assert bad in caplog.text

    play(tmp_path, body, "r0")


def test_bindings_expire_by_timer_and_are_dropped_from_the_store(tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        (aor,) = homed("r0")
        await home.register(aor, expires=1)
        home.wall += 2
        await until(lambda: home.shell.count() == 0)
        await until(lambda: home.stored() == {})

    play(tmp_path, body, "r0")


def test_natted_bindings_are_kept_alive(tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        (aor,) = homed("r0")
        flow = FLOW._replace(remote=("192.0.2.1", 4444))
        await home.register(aor, flow=flow)
        home.shell.host.tell("registration", aor, TimerFired("keep-alive", WALL + NAT_PERIOD))
        assert home.pings == [("sip:phone@127.0.0.1:5070", flow)]
        await home.register(aor, 2, 0)
        await home.register(aor, 3, flow=flow)
        home.shell.host.tell("registration", aor, TimerFired("keep-alive", WALL + 2 * NAT_PERIOD))
        assert len(home.pings) == 1, "the timer of an earlier registration"

    play(tmp_path, body, "r0")


def test_who_asks_one_that_fails_is_not_left_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(here: Home, there: Home) -> None:
        near, far = homed("r0")[0], homed("r1")[0]
        handle = Registration.handle

        def fails(self: Registration, event: Any, now: float) -> Any:
            if isinstance(event, LookedUp):
                raise ValueError("as told")
            return handle(self, event, now)

        for aor in (near, far):
            assert (await here.register(aor))[0] == 200
        monkeypatch.setattr(Registration, "handle", fails)
        for aor in (near, far):
            assert await here.look_up(aor) == []
            assert (await here.register(aor, 2))[0] == 200, "it comes again, and is there again"

    play(tmp_path, body, "r0", "r1")
