"""Hosts: one message at a time, a failure ends one entity, references reach entities anywhere."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors import reference, vocabulary  # noqa: F401 (an Ask crosses the link)
from actors.entity import Ask, Kind, Reply, Retire
from actors.host import Host, NoSuchEntity
from actors.link import LinkError, Links
from actors.reference import Ref


class Counter:
    """An entity that writes down what it is told and does what the message says."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def handle(self, message: Any, now: float) -> Iterator[Any]:
        if isinstance(message, Ask):
            yield Reply(message.token, [message.message, len(self.seen)])
            return
        self.seen.append(message)
        if message == "fail":
            raise ValueError("as told")
        if message == "retire":
            yield Retire()
        if isinstance(message, tuple):
            yield from message
        self.seen.append("done")


class Stage:
    """One host without links to others, and what its kind is asked to do."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.performed: list[tuple[str, Any]] = []
        self.failed: list[tuple[str, Any]] = []
        self.unknown: list[tuple[str, Any]] = []
        host.define("counter", Kind(self.perform, self.fail, lambda key, m: self.unknown.append((key, m))))

    def perform(self, key: str, effect: Any) -> None:
        self.performed.append((key, effect))
        if isinstance(effect, list):
            self.host.tell("counter", *effect)
        if effect == "impossible":
            raise KeyError("cannot")

    def fail(self, key: str, entity: Any, message: Any) -> None:
        assert not self.host.has("counter", key)
        self.failed.append((key, message))


def stage(id: str = "a", links: Links | None = None) -> Stage:
    links = links or Links(id, 1, "/nowhere")
    no_timers: Any = None
    return Stage(Host(id, links, no_timers, lambda: 5.0))


def add(stage: Stage, key: str) -> Counter:
    counter = Counter()
    stage.host.adopt("counter", key, counter)
    return counter


def run(main: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 20))


def test_effects_are_performed_in_order_and_counted() -> None:
    one = stage()
    counter = add(one, "x")
    one.host.tell("counter", "x", ("first", "second"))
    assert one.performed == [("x", "first"), ("x", "second")]
    assert counter.seen == [("first", "second"), "done"]
    assert one.host.rows() == [["counter", "x", "a", 0.0, 1]]
    assert list(one.host.entities("counter")) == [("x", counter)]


def test_a_message_to_oneself_waits_until_the_present_one_is_done() -> None:
    one = stage()
    counter = add(one, "x")
    other = add(one, "y")
    one.host.tell("counter", "x", (["x", "later"], ["y", (["x", "much later"],)]))
    assert [m for m in counter.seen if isinstance(m, str)] == ["done", "later", "done", "much later", "done"]
    assert other.seen[-1] == "done"


@pytest.mark.parametrize("message", ["fail", ("impossible",)])
def test_an_exception_ends_that_entity_alone(message: Any) -> None:
    one = stage()
    add(one, "x")
    other = add(one, "y")
    one.host.tell("counter", "x", message)
    assert one.failed == [("x", message)]
    assert one.host.failures == 1
    one.host.tell("counter", "x", "lost")
    one.host.tell("counter", "y", "fine")
    assert one.unknown == [("x", "lost")]
    assert other.seen == ["fine", "done"]


def test_what_waits_for_an_entity_that_fails_or_retires_is_for_nobody() -> None:
    one = stage()
    add(one, "x")
    add(one, "y")
    one.host.tell("counter", "x", (["x", "waiting"], "impossible"))
    one.host.tell("counter", "y", (["y", "waiting"], Retire()))
    assert one.unknown == [("x", "waiting"), ("y", "waiting")]
    assert one.host.count("counter") == 0


def test_an_ask_is_answered_or_fails_with_its_entity() -> None:
    async def main() -> None:
        one = stage()
        add(one, "x")
        assert await one.host.ask("counter", "x", "size") == ["size", 0]
        with pytest.raises(NoSuchEntity):
            await one.host.ask("counter", "nobody", "size")
        silent = Silent()
        one.host.adopt("counter", "z", silent)
        asked = one.host.ask("counter", "z", "size")
        one.host.retire("counter", "z")
        with pytest.raises(NoSuchEntity):
            await asked

    run(main)


async def reached(near: Stage, far: Stage) -> None:
    reference.attach(near.host)
    for host, counter in (("a", add(near, "x")), ("b", add(far, "x"))):
        ref = pickle.loads(pickle.dumps(Ref("counter", "x", host)))
        assert ref == Ref("counter", "x", host)
        ref.tell("hello")
        assert await ref.ask("size") == ["size", 2]
        assert counter.seen == ["hello", "done"]
    for missing in (Ref("counter", "nobody", "b"), Ref("nothing", "x", "b")):
        with pytest.raises(LinkError):
            await missing.ask("size")
    Ref("counter", "nobody", "b").tell("lost")
    await Ref("counter", "x", "b").ask("size")
    assert far.unknown == [("nobody", "lost")]


class Silent:
    def handle(self, message: Any, now: float) -> list[Any]:
        return []


def test_references_reach_entities_here_and_elsewhere(tmp_path: Path) -> None:
    async def main() -> None:
        here, there = Links("a", 1, tmp_path), Links("b", 1, tmp_path)
        await here.start()
        await there.start()
        try:
            await reached(stage("a", here), stage("b", there))
        finally:
            await here.close()
            await there.close()

    run(main)


def test_a_reference_needs_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_attached", [])
    with pytest.raises(RuntimeError):
        Ref("counter", "x", "a").tell("hello")
    assert len({Ref("counter", "x", "a"), Ref("counter", "x", "a")}) == 1
    assert repr(Ref("counter", "x", "a")) == "Ref(counter/x on a)"
