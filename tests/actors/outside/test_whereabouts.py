"""Names of servers, looked up again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.outside.whereabouts import Whereabouts
from rayswitch.lines.resolving import Question, Server
from rayswitch.sip.uri import Uri

ONE, TWO = Server("UDP", "192.0.2.1", 5060), Server("UDP", "192.0.2.2", 5060)
NAME = "sip:carrier.test"


class Names:
    """Answers from a list, the last for ever."""

    def __init__(self, *answers: list[Server]) -> None:
        self.answers = list(answers)
        self.failing: set[Question] = set()
        self.asked: list[str] = []

    async def servers_of(self, uri: Uri, *more: Any) -> tuple[list[Server], float]:
        await asyncio.sleep(0)
        self.asked.append(str(uri))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]), 0.01


class Rig:
    def __init__(self, names: Names) -> None:
        self.learned: list[tuple[str, list[Server]]] = []
        client: Any = names
        self.made = Whereabouts(client, ["UDP"], [4], self.learn)

    def learn(self, server: str, servers: Sequence[Server]) -> None:
        self.learned.append((server, list(servers)))

    async def hears(self, *expected: tuple[str, list[Server]]) -> None:
        async with asyncio.timeout(5):
            while self.learned[: len(expected)] != list(expected):
                await asyncio.sleep(0.005)


def test_an_answer_is_told_and_so_is_the_next() -> None:
    async def story() -> None:
        rig = Rig(Names([ONE, TWO], [TWO], []))
        rig.made.follow([NAME])
        assert rig.made.unknown == {NAME}
        await rig.hears((NAME, [ONE, TWO]), (NAME, [TWO]), (NAME, []))
        assert not rig.made.unknown
        rig.made.close()

    asyncio.run(story())


def test_a_name_that_nobody_answered_for_is_unknown_and_one_that_leads_nowhere_is_not() -> None:
    async def story() -> None:
        names = Names([])
        names.failing.add(Question("carrier.test", "A"))
        rig = Rig(names)
        rig.made.follow([NAME])
        await rig.hears((NAME, []))
        assert rig.made.unknown == {NAME}
        names.failing.clear()
        async with asyncio.timeout(5):
            while rig.made.unknown:
                await asyncio.sleep(0.005)
        rig.made.close()

    asyncio.run(story())


def test_what_nobody_wants_any_more_is_not_looked_up() -> None:
    async def story() -> None:
        names = Names([ONE])
        rig = Rig(names)
        rig.made.follow([NAME])
        rig.made.follow([NAME, "sip:other.test"])
        await rig.hears((NAME, [ONE]))
        rig.made.follow(["sip:other.test"])
        assert rig.learned[-1] == (NAME, [])
        asked = names.asked.count(NAME)
        await asyncio.sleep(0.05)
        assert names.asked.count(NAME) == asked and names.asked.count("sip:other.test") > 1
        rig.made.follow([])
        assert not rig.made.watched and not rig.made.unknown

    asyncio.run(story())
