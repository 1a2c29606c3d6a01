"""Links over real Unix sockets: delivery, order, answers, epochs, death and return of a peer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors import connection, peer, peering
from actors.connection import Connection, frame
from actors.hello import VERSION, Hello
from actors.link import AskTimeout, LinkError, Links, PeerLost, socket_path


def run(main: Callable[[Path], Awaitable[None]], where: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(where), 20))


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def hosts(where: Path, *names: str) -> AsyncIterator[list[Links]]:
    links = [Links(name, 1, where) for name in names]
    for one in links:
        await one.start()
    try:
        yield links
    finally:
        for one in links:
            await one.close()


def test_tells_arrive_in_order_and_asks_are_answered(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            seen: list[Any] = []
            b.on("note", lambda peer, payload: seen.append((peer, payload)))
            b.on("double", lambda peer, payload: payload * 2)
            for number in range(500):
                a.tell("b", "note", number)
            assert await a.ask("b", "double", 21) == 42
            assert seen == [("a", number) for number in range(500)]
            assert a.counters()["sent"] == 501

    run(main, tmp_path)


def test_a_handler_may_await_and_its_failure_travels_back(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):

            async def slow(peer: str, payload: Any) -> Any:
                await asyncio.sleep(0)
                if payload == "fail":
                    raise LinkError("no such thing")
                return [payload]

            b.on("slow", slow)
            b.on("broken", lambda peer, payload: 1 // 0)
            b.on("odd", lambda peer, payload: object())
            assert await a.ask("b", "slow", 1) == [1]
            for topic, payload, text in (
                ("slow", "fail", "^no such thing$"),
                ("broken", 0, "ZeroDivisionError"),
                ("odd", 0, "no place on the wire"),
                ("unknown", 0, "knows no topic"),
            ):
                with pytest.raises(LinkError, match=text):
                    await a.ask("b", topic, payload)
            a.tell("b", "broken", 0)
            a.tell("b", "unknown", 0)
            assert await a.ask("b", "slow", 2) == [2]

    run(main, tmp_path)


def test_a_host_talks_to_itself_without_a_socket(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a") as (a,):
            seen: list[Any] = []
            a.on("note", lambda peer, payload: seen.append(payload))
            a.on("fail", lambda peer, payload: 1 // 0)
            a.tell("a", "note", 1)
            assert seen == []
            assert await a.ask("a", "note", 2) is None
            assert seen == [1, 2]
            with pytest.raises(LinkError, match="ZeroDivisionError"):
                await a.ask("a", "fail", 0)
            assert a.alive("a")

    run(main, tmp_path)


def test_both_dial_at_once_and_one_connection_remains(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            seen: dict[str, list[int]] = {"a": [], "b": []}
            ups: list[tuple[str, bool]] = []
            for one in (a, b):
                one.on("note", lambda peer, payload: seen[peer].append(payload))
                one.on_up(lambda peer, epoch, new: ups.append((peer, new)))
            for number in range(50):
                a.tell("b", "note", number)
                b.tell("a", "note", number)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            await until(lambda: len(seen["a"]) == len(seen["b"]) == 50)
            assert seen["a"] == seen["b"] == list(range(50))
            assert sorted(ups) == [("a", True), ("b", True)]

    for _ in range(20):
        run(main, tmp_path)


def test_what_is_told_before_the_peer_is_there_arrives_when_it_comes(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a") as (a,):
            a.tell("b", "note", "early")
            await asyncio.sleep(0.1)
            assert not a.alive("b")
            async with hosts(where, "b") as (b,):
                seen: list[Any] = []
                b.on("note", lambda peer, payload: seen.append(payload))
                await until(lambda: seen == ["early"])

    run(main, tmp_path)


def test_the_queue_for_an_absent_peer_is_bounded_in_number_and_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "QUEUE_FRAMES", 10)
    monkeypatch.setattr(peer, "QUEUE_SECONDS", 0.1)

    async def main(where: Path) -> None:
        async with hosts(where, "a") as (a,):
            for number in range(15):
                a.tell("b", "note", number)
            assert a.counters()["dropped"] == 5
            await until(lambda: a.counters()["dropped"] == 15)

    run(main, tmp_path)


def test_the_death_of_a_peer_fails_asks_and_its_return_is_a_new_epoch(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            events: list[Any] = []
            a.on_up(lambda peer, epoch, new: events.append(("up", epoch, new)))
            a.on_down(lambda peer: events.append(("down", peer)))
            b.on("never", lambda peer, payload: asyncio.sleep(60))
            a.connect(["a", "b"])
            await until(lambda: a.alive("b"))
            asked = a.ask("b", "never", 0)
            await asyncio.sleep(0.02)
            await b.close()
            with pytest.raises(PeerLost):
                await asked
            reborn = Links("b", 2, where)
            await reborn.start()
            await until(lambda: a.alive("b"))
            assert events == [("up", 1, True), ("down", "b"), ("up", 2, True)]
            assert a.peers() == {"b": 2}
            await reborn.close()

    run(main, tmp_path)


def test_a_lower_epoch_is_refused_and_told_so(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a") as (a,):
            new, old = Links("b", 9, where), Links("b", 8, where)
            await old.start()
            await new.start()
            fenced: list[int] = []
            old.on_fenced(fenced.append)
            seen: list[Any] = []
            a.on("note", lambda peer, payload: seen.append(payload))
            new.tell("a", "note", "new")
            await until(lambda: seen == ["new"])
            old.tell("a", "note", "old")
            await until(lambda: fenced == [9])
            await old.close()
            assert Path(socket_path(where, "b")).exists()  # that of the new one
            assert seen == ["new"]
            assert a.counters()["stale"] >= 1
            await new.close()

    run(main, tmp_path)


def test_no_answer_in_time(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            b.on("never", lambda peer, payload: asyncio.sleep(60))
            with pytest.raises(AskTimeout, match="from b to never"):
                await a.ask("b", "never", 0, timeout=0.05)

    run(main, tmp_path)


def test_a_silent_peer_is_down_and_comes_back_with_the_same_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peering, "HEARTBEAT_SECONDS", 0.02)

    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, _):
            events: list[Any] = []
            a.on_up(lambda peer, epoch, new: events.append(("up", new)))
            a.on_down(lambda peer: events.append("down"))
            a.connect(["b"])
            await until(lambda: events == [("up", True)])
            real = Connection.tick
            with monkeypatch.context() as mute:
                mute.setattr(Connection, "tick", lambda self: real(self) if self.peer == "b" else 0)
                mute.setattr(connection, "HEARTBEAT", b"")
                await until(lambda: "down" in events)
            await until(lambda: events[-1] == ("up", False))

    run(main, tmp_path)


def test_big_frames_cross_and_too_big_ones_end_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            b.on("size", lambda peer, payload: len(payload))
            assert await a.ask("b", "size", bytes(5_000_000)) == 5_000_000
            monkeypatch.setattr(connection, "FRAME_LIMIT", 1000)
            with pytest.raises(PeerLost):
                await a.ask("b", "size", bytes(2000))

    run(main, tmp_path)


def test_garbage_and_silence_before_the_hello_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peering, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(peering, "HELLO_SECONDS", 0.1)

    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            future = frame({"hello": VERSION + 1} | Hello("x", 1, True)._asdict())
            for first in (b"GET / HTTP/1.0\r\n\r\n", frame({"hello": 1}), frame(["note", 1]), future, b""):
                reader, writer = await asyncio.open_unix_connection(socket_path(where, "b"))
                writer.write(first)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
            b.on("echo", lambda peer, payload: payload)
            assert await a.ask("b", "echo", "still here") == "still here"

    run(main, tmp_path)


def test_one_undecodable_frame_does_not_spoil_the_next(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "b") as (b,):
            seen: list[Any] = []
            b.on("note", lambda peer, payload: seen.append(payload))
            _, writer = await asyncio.open_unix_connection(socket_path(where, "b"))
            writer.write(Hello("x", 1, False).frame())
            writer.write(b"\x00\x00\x00\x02\xc1\xc1" + frame([]) + frame(["note", 1]))
            await until(lambda: seen == [1])
            writer.close()
            await writer.wait_closed()
            await until(lambda: not b.alive("x"))

    run(main, tmp_path)


def test_what_comes_before_there_is_a_handler_waits_for_it(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with hosts(where, "a", "b") as (a, b):
            b.hold()
            b.on("known", lambda peer, payload: payload)
            a.tell("b", "note", 1)
            asked = a.ask("b", "double", 21)
            assert await a.ask("b", "known", 3) == 3, "what is served already does not wait"
            assert not asked.done()
            seen: list[Any] = []
            b.on("note", lambda peer, payload: seen.append(payload))
            b.on("double", lambda peer, payload: payload * 2)
            b.release()
            assert await asked == 42
            assert seen == [1]
            with pytest.raises(LinkError, match="knows no topic other"):
                await a.ask("b", "other", None)

    run(main, tmp_path)
