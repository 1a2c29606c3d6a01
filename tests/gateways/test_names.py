"""The name server's client against a name server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateways import names as module
from gateways.names import Names
from rayswitch.lines.resolving import Question, Server
from rayswitch.sip.uri import Uri
from tests.name_server import NameServer

ZONE: dict[tuple[str, str], Sequence[str]] = {
    ("carrier.test", "NAPTR"): ['10 10 "s" "SIP+D2U" "" _sip._udp.carrier.test.'],
    ("_sip._udp.carrier.test", "SRV"): ["10 0 5062 b.carrier.test.", "5 0 5061 a.carrier.test."],
    ("a.carrier.test", "A"): ["127.0.0.2"],
    ("b.carrier.test", "A"): ["127.0.0.3"],
    ("closed.test", "A"): ["127.0.0.4"],
    ("_sip._udp.closed.test", "SRV"): ["0 0 0 ."],
}
BOTH = [Server("UDP", "127.0.0.2", 5061), Server("UDP", "127.0.0.3", 5062)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(story: Callable[[NameServer, Names, Clock], Awaitable[None]], **server: Any) -> None:
    async def told() -> None:
        made = NameServer(dict(ZONE), **server)
        clock = Clock()
        names = Names([await made.start()], clock)
        try:
            await asyncio.wait_for(story(made, names, clock), 20)
        finally:
            made.close()

    asyncio.run(told())


async def found(names: Names, uri: str = "sip:carrier.test") -> list[Server]:
    return (await names.servers_of(Uri.parse(uri), ["UDP", "TCP"], [4], "line/carrier"))[0]


def test_naptr_srv_and_addresses() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        assert await found(names) == BOTH
        assert sum(server.asked.values()) == 4

    run(story)


def test_answers_are_kept_for_their_ttl() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        _, seconds = await names.servers_of(Uri.parse("sip:carrier.test"), ["UDP"], [4], "")
        assert seconds == 60
        clock.now += 59
        await found(names)
        assert sum(server.asked.values()) == 4
        clock.now += 2
        server.zone["a.carrier.test", "A"] = ["127.0.0.9"]
        assert (await found(names))[0] == Server("UDP", "127.0.0.9", 5061)
        assert server.asked["a.carrier.test", "A"] == 2

    run(story)


def test_what_is_not_there_is_kept_as_long_as_the_zone_says() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        for uri in ("sip:nobody.test:5060", "sip:carrier.test:5060"):  # no such name; no such type
            assert await found(names, uri) == []
            clock.now += 29
            assert await found(names, uri) == []
        assert sum(server.asked.values()) == 2
        clock.now += 31
        server.zone["nobody.test", "A"] = ["127.0.0.8"]
        assert await found(names, "sip:nobody.test:5060") == [Server("UDP", "127.0.0.8", 5060)]

    run(story, negative=30)


def test_a_service_that_is_not_there() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        assert await found(names, "sip:closed.test;transport=udp") == []

    run(story)


def test_many_who_ask_at_once_ask_once() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        assert await asyncio.gather(*(found(names) for _ in range(20))) == [BOTH] * 20
        assert sum(server.asked.values()) == 4

    run(story)


def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        first = asyncio.ensure_future(found(names))
        second = asyncio.ensure_future(found(names))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == BOTH

    run(story)


def test_a_name_server_that_is_away_leaves_what_was_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LIFETIME", 0.2)

    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        await found(names)
        server.silent = True
        clock.now += 61
        assert await found(names) == BOTH
        assert "cannot be looked up" in caplog.text
        assert not names.failing, "what was known is used on"
        assert await found(names, "sip:new.test:5060") == []
        assert names.failing == {Question("new.test", "A")}
        server.silent = False
        clock.now += module.AWAY + 1
        server.zone["new.test", "A"] = ["127.0.0.5"]
        assert await found(names, "sip:new.test:5060") == [Server("UDP", "127.0.0.5", 5060)]
        assert not names.failing

    run(story)


def test_names_of_this_machine_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\n127.0.0.7 gate.test A.carrier.test # the carrier\n::7 gate.test\nnonsense here\n")
    monkeypatch.setattr(module, "HOSTS", file)

    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        assert (await found(names))[0] == Server("UDP", "127.0.0.7", 5061)
        assert await found(names, "sip:gate.test:5090") == [Server("UDP", "127.0.0.7", 5090)]
        assert not server.asked["gate.test", "A"]

    run(story)


def test_numbers_ask_nobody() -> None:
    async def story(server: NameServer, names: Names, clock: Clock) -> None:
        assert await found(names, "sip:127.0.0.1:5099") == [Server("UDP", "127.0.0.1", 5099)]
        assert not server.asked
        assert names.resolver is None

    run(story)
