"""An actor for each call and registration, without Ray: processes on one loop, real links, phones and store."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors.registration_home import RegistrationHome
from actors.switchboard import Switchboard
from tests.actors.test_composition import registered, single, talk
from tests.actors.together import DOMAIN, PASSWORD, Together, listening, run, switch, until
from tests.interop.agent import Agent


async def warmed(together: Together, count: int = 2) -> None:
    await until(lambda: len(together.single("call", "idle")) == count)
    await until(lambda: len(waiting(together)) >= count)


def waiting(together: Together, gateway: str = "s0") -> list[str]:
    """Hosts that a gateway has ready."""
    handlers: Any = together.links[gateway]
    return list(handlers._handlers["own.ready.call"].__self__.ready)


async def settled(together: Together, number: str, home: str = "r0") -> str:
    """The host of a registration once it has moved out."""
    handlers: Any = together.links[home]
    found: RegistrationHome = handlers._handlers["own.ready.registration"].__self__
    await until(lambda: f"{number}@{DOMAIN}" in found.away)
    return found.away[f"{number}@{DOMAIN}"].host


async def answered(phone: Agent, number: str, **options: Any) -> Any:
    return await asyncio.to_thread(phone.register, number, PASSWORD, **options)


def test_each_call_is_an_actor_with_the_name_that_was_drawn_before(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            drawn = {own.name for own in together.single("call", "idle")}
            callee = await registered(together, "101")
            caller = together.phone()
            a, _ = await talk(caller, callee)
            (own,) = together.single("call")
            assert own.name in drawn and own.name in together.actors.names() if together.actors else False
            assert a.remote.partition("tag=")[2].startswith(own.key)
            await warmed(together)
            assert (await asyncio.to_thread(a.bye)).status == 200
            await until(lambda: own.name not in together.actors.names() if together.actors else True)
            assert own.host not in together.links, "its process has ended"
            (row,) = together.records()
            assert row["call_id"] == own.key

    run(main, tmp_path)


def test_beyond_the_most_a_call_goes_to_the_pool_or_is_refused(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where / "pool", actors=single(most=2)) as together:
            await warmed(together)
            callee = await registered(together, "101")
            caller = together.phone()
            talks = [await talk(caller, callee) for _ in range(3)]
            assert [own.host[0] for own in together.single("call")] == ["a", "a"]
            assert together.status("c0")["calls"] == 1
            for a, _ in talks:
                assert (await asyncio.to_thread(a.bye)).status == 200
        async with switch(where / "refuse", actors=single(most=1, overflow="refuse")) as together:
            await warmed(together, 1)
            callee = await registered(together, "101")
            caller = together.phone()
            a, _ = await talk(caller, callee)
            with pytest.raises(AssertionError, match="503"):
                await talk(caller, callee)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_a_call_goes_on_in_the_next_process(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            callee = await registered(together, "101")
            caller = together.phone()
            a, b = await talk(caller, callee)
            (own,) = together.single("call")
            await asyncio.sleep(0.1)  # what is journalled waits for others
            await together.kill(own.host)
            await asyncio.gather(together.start_single(own, again=True), asyncio.to_thread(a.bye))
            assert await asyncio.to_thread(b.ended.wait, 5)
            await until(lambda: together.records())
            assert together.records()[0]["sip_status"] == 200

    run(main, tmp_path)


def test_one_that_had_no_call_yet_is_not_used_again(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            own = together.single("call", "idle")[0]
            await together.kill(own.host)
            await together.start_single(own, again=True)
            assert together.actors is not None
            await until(lambda: together.actors and own.name not in together.actors.names())
            await warmed(together)

    run(main, tmp_path)


def test_a_gateway_that_comes_back_finds_its_warm_processes_and_its_calls(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            callee = await registered(together, "101")
            a, b = await talk(together.phone(), callee)
            await asyncio.sleep(0.1)
            await together.kill("s0")
            await together.start("s0")
            assert (await asyncio.to_thread(b.bye)).status == 200
            assert await asyncio.to_thread(a.ended.wait, 5)
            await until(lambda: len(waiting(together)) == 2)

    run(main, tmp_path)


def test_a_switchboard_that_comes_back_knows_them_and_starts_no_more(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            callee = await registered(together, "101")
            await settled(together, "101")
            a, _ = await talk(together.phone(), callee)
            await warmed(together)
            assert together.actors is not None
            before = set(together.actors.names())
            await together.kill("sw")
            await together.start("sw")
            await warmed(together)
            assert set(together.actors.names()) == before
            assert [own.key for own in together.single("registration")] == [f"101@{DOMAIN}"]
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_calls_without_an_actor_get_theirs_again(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            await warmed(together)
            callee = await registered(together, "101")
            moved = await settled(together, "101")
            a, b = await talk(together.phone(), callee)
            (own,) = together.single("call")
            await asyncio.sleep(0.2)
            for host in list(together.links):  # as when a raylet takes all of them along
                if host != "m0":
                    await together.kill(host)
            assert together.actors is not None
            together.actors.known.clear()
            await together.start("sw", "s0", "c0", "r0")
            await until(together.connected)
            await until(lambda: [one.host for one in together.single("call")] == [own.host])
            assert (await asyncio.to_thread(a.bye)).status == 200
            assert await asyncio.to_thread(b.ended.wait, 5)
            assert await settled(together, "101") != moved, "the registration had moved in again, and out"
            again, _ = await talk(together.phone(), callee)
            assert (await asyncio.to_thread(again.bye)).status == 200

    run(main, tmp_path)


def test_a_registration_moves_out_and_its_actor_answers(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            callee = await registered(together, "101")
            host = await settled(together, "101")
            assert together.status("r0")["registrations"] == 0
            assert together.status(host)["registrations"] == 1
            with together.store() as store:
                assert store.homes() == {f"101@{DOMAIN}": host}
            await answered(callee, "101")
            a, _ = await talk(together.phone(), callee)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_an_actor_that_offers_twice_gets_it_once(tmp_path: Path) -> None:
    """It does so when two of its links come up, and the second offer may come while the first is being written."""

    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            handlers: Any = together.links["r0"]
            ready = handlers._handlers["own.ready.registration"]

            def twice(peer: str, offer: Any) -> None:
                ready(peer, offer)
                ready(peer, offer)

            handlers._handlers["own.ready.registration"] = twice
            callee = await registered(together, "101")
            home: RegistrationHome = ready.__self__
            await until(lambda: f"101@{DOMAIN}" in home.away)
            host = home.away[f"101@{DOMAIN}"].host
            await until(lambda: together.status(host)["registrations"] == 1)
            a, _ = await talk(together.phone(), callee)
            assert (await asyncio.to_thread(a.bye)).status == 200
            assert host in together.links, "it was not ended"

    run(main, tmp_path)


def test_a_registration_whose_actor_is_gone_for_good_lives_at_home_again(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            callee = await registered(together, "101")
            host = await settled(together, "101")
            (own,) = together.single("registration")
            board = together.processes["sw"]
            assert isinstance(board, Switchboard) and board.own is not None
            board.own._end(own)
            await until(lambda: host not in together.links)
            a, _ = await talk(together.phone(), callee)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_an_actor_of_a_registration_that_is_killed_goes_on(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            callee = await registered(together, "101")
            host = await settled(together, "101")
            (own,) = together.single("registration")
            await together.kill(host)
            call = asyncio.create_task(talk(together.phone(), callee))
            await asyncio.sleep(0.1)
            await together.start_single(own, again=True)
            a, _ = await call
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_a_home_that_comes_back_knows_who_has_moved_out(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single()) as together:
            callee = await registered(together, "101")
            host = await settled(together, "101")
            await together.kill("r0")
            await together.start("r0")
            assert await settled(together, "101") == host
            assert together.status("r0")["registrations"] == 0
            a, _ = await talk(together.phone(), callee)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_who_leaves_finds_his_process_again_as_long_as_it_is_kept_warm(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors=single(warm=1)) as together:
            phones = {number: await registered(together, number) for number in ("100", "101")}
            hosts = {number: await settled(together, number) for number in phones}
            for number, phone in phones.items():
                await answered(phone, number, expires=0)
            await until(lambda: [own.host for own in together.single("registration", "idle")] == [hosts["101"]])
            for number, phone in phones.items():
                await answered(phone, number)
            assert await settled(together, "101") == hosts["101"]
            assert await settled(together, "100") != hosts["100"]

    run(main, tmp_path)


def test_beyond_the_most_a_registration_stays_at_home_or_is_refused(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where / "pool", actors=single(most=1)) as together:
            await registered(together, "101")
            await settled(together, "101")
            await registered(together, "100")
            assert together.status("r0")["registrations"] == 1
        async with switch(where / "refuse", actors=single(most=1, overflow="refuse")) as together:
            await registered(together, "101")
            await settled(together, "101", "s0")
            phone = together.phone()
            uri = f"sip:{DOMAIN}"
            order = ("REGISTER", uri, "100", PASSWORD, f"<sip:100@{DOMAIN}>")
            contact = {"headers": f"Contact: <sip:100@127.0.0.1:{phone.port}>\r\n"}
            answer = await asyncio.to_thread(phone.authenticated, *order, **contact)
            assert (answer.status, answer.get("retry-after")) == (503, "5")

    run(main, tmp_path)


def test_two_gateways_reach_the_same_actors(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, sip=listening(2), actors=single(overflow="gateway", most=8)) as together:
            await until(lambda: len(waiting(together, "s0")) == len(waiting(together, "s1")) == 2)
            callee = await registered(together, "101")
            for _ in range(4):
                a, b = await talk(together.phone(), callee)
                assert (await asyncio.to_thread(b.bye)).status == 200
                assert await asyncio.to_thread(a.ended.wait, 5)
            await until(lambda: len(together.records()) == 4)

    run(main, tmp_path)
