"""The Switchboard over real links: members, versions, questions, traces; no Ray."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.link import LinkError, Links
from actors.member_feed import MemberFeed
from actors.rundir import make_run_dir, run_dir
from actors.switchboard import Switchboard
from rayswitch.config import Config
from rayswitch.members import Members
from rayswitch.store import Store


class Gateway:
    """What the Switchboard sees of s0 or m0."""

    def __init__(self, host: str, epoch: int, config: Config) -> None:
        self.links = Links(host, epoch, run_dir(config))
        self.heard: list[Any] = []
        self.epoch = epoch
        self.links.on("config", lambda peer, version: self.heard.append(["config", version]))
        self.links.on("trace", lambda peer, on: self.heard.append(["trace", on]))
        self.links.on("status", lambda peer, _: {"calls": 1, "registrations": 2})
        self.links.on("list", lambda peer, what: ROWS[what])

    async def start(self) -> None:
        await self.links.start()
        about = {"pid": 1, "epoch": self.epoch, "listeners": []}
        self.links.on_up(lambda peer, epoch, new: self.links.tell("sw", "member", about))
        self.links.connect(["sw"])


ROWS = {
    "registrations": [["100@x", "sip:100@127.0.0.1", 60, "UDP", ["127.0.0.1", 5060], False]],
    "calls": [["s0.1", "100", "101", "answered", 1.0, 2.0, "m0"], ["s0.2", "100", "102", "ringing", 1.0, 0, ""]],
    "actors": [["call", "s0.1", "s0", 1.0, 9]],
}


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def stage(where: Path) -> AsyncIterator[tuple[Config, Switchboard, Gateway, Links]]:
    data = {"data": str(where), "store": f"sqlite:///{where}/switch.db"}
    config = Config.from_dict(data)
    make_run_dir(config)
    Store.open(config.store).close()
    links = Links("sw", 1, run_dir(config))
    await links.start()
    board = Switchboard(config, links, MemberFeed("sw", links, Members()))
    await board.start(["m0", "s0"])
    gateway, media = Gateway("s0", 1, config), Gateway("m0", 1, config)
    client = Links("cli1", 1, run_dir(config), listens=False)
    for one in (gateway, media, client):
        await one.start()
    try:
        await until(lambda: len(board._up()) == 2 and board.version >= 0)
        yield config, board, gateway, client
    finally:
        await board.close()
        for one in (client, gateway.links, media.links, links):
            await one.close()


def run(main: Callable[[Path], Awaitable[None]], where: Path) -> None:
    asyncio.run(asyncio.wait_for(main(where), 20))


def test_the_questions_of_the_command_line(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with stage(where) as (config, _, _, client):

            async def ask(command: str, **arguments: Any) -> Any:
                return await client.ask("sw", "control", [command, arguments])

            status = await ask("status")
            assert (status["calls"], status["registrations"], status["ready"]) == (2, 4, False)
            assert status["domain"] == config.domain
            assert (await ask("registrations"))[0]["home"] == "s0"
            calls = await ask("calls")
            assert [call["state"] for call in calls] == ["answered", "ringing"]
            assert calls[0]["duration"] > 0
            assert calls[1]["duration"] is None
            assert [row["id"] for row in await ask("actors")] == ["sw", "m0", "s0"]
            assert await ask("actors", entities=True) == [
                {"kind": "call", "key": "s0.1", "host": "s0", "age": 1.0, "messages": 9, "node": ""}
            ]
            with pytest.raises(LinkError, match="no command dance"):
                await ask("dance")

    run(main, tmp_path)


def test_a_change_of_the_extensions_is_pushed_before_reload_is_answered(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with stage(where) as (config, board, gateway, client):
            before = board.version
            with Store.open(config.store) as store, store.transaction():
                store.count_up(f"extension.version.{config.domain}")
            answer = await client.ask("sw", "control", ["reload", {}])
            assert answer["version"] > before
            assert gateway.heard[-1] == ["config", answer["version"]]

    run(main, tmp_path)


def test_traces_flow_to_who_follows_and_stop_with_the_last_one(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with stage(where) as (_, _, gateway, client):
            seen: list[Any] = []
            client.on("trace", lambda peer, entry: seen.append(entry))
            await client.ask("sw", "control", ["trace", {}])
            await until(lambda: ["trace", True] in gateway.heard)
            gateway.links.tell("sw", "trace", {"text": "INVITE"})
            await until(lambda: seen == [{"text": "INVITE"}])
            await client.close()
            await until(lambda: ["trace", False] in gateway.heard)

    run(main, tmp_path)


def test_a_member_that_comes_back_as_a_new_process_is_counted(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with stage(where) as (config, board, gateway, _):
            await gateway.links.close()
            await until(lambda: len(board._up()) == 1)
            again = Gateway("s0", 2, config)
            await again.start()
            await until(lambda: board.restarts == {"s0": 1} and len(board._up()) == 2)
            await again.links.close()

    run(main, tmp_path)
