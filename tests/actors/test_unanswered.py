"""Requests whose call has died: delivered once more, or answered, and never kept for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from actors import reference, unanswered
from actors.host import Host
from actors.link import Links
from actors.reference import Ref
from actors.unanswered import Unanswered
from gateways.sip.gateway import SipGateway
from gateways.wheel import Wheel
from rayswitch.sip.events import RequestReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response
from tests.actors.together import run, until

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5070))
HOME, AWAY = Ref("call", "s0.000000000001", "s0"), Ref("call", "c0.000000000002", "c0")


def request(method: str, tag: str = "") -> Request:
    headers = [
        ("via", "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1"),
        ("from", "<sip:a@example.com>;tag=1"),
        ("to", f"<sip:b@example.com>{tag}"),
        ("call-id", "1@x"),
        ("cseq", f"1 {method}"),
    ]
    return Request.new(method, "sip:b@example.com", headers)


class Gateway:
    """A gateway with transactions that wait, and clients that ring."""

    def __init__(self) -> None:
        self.layer = self
        self.wheel = Wheel(asyncio.get_running_loop())
        self.open = {1, 2, 3}
        self.now = 0.0
        self.said: list[tuple[int, Response]] = []
        self.invites: dict[Any, None] = {("c0", AWAY.key, 1): None, ("c0", "other", 1): None}
        self.cancelled: list[Any] = []

    def clock(self) -> float:
        return self.now

    def awaits(self, server: int) -> bool:
        return server in self.open

    def respond(self, server: int, response: Response) -> None:
        self.open.discard(server)
        self.said.append((server, response))

    def cancel(self, key: Any) -> None:
        self.cancelled.append(key)


class Stage:
    """Gateway s0, whose calls are told what `told` has, and perhaps c0."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.links = Links("s0", 1, where)
        self.gateway = Gateway()
        self.here: set[str] = {HOME.key}
        self.told: list[tuple[str, str]] = []
        host = Host("s0", self.links, self.gateway.wheel, self.gateway.clock)
        host.tell_ref = lambda ref, message: self.told.append((ref.key, message.request.method))  # type: ignore[method-assign]
        reference.attach(host)
        gateway = cast(SipGateway, self.gateway)
        self.subject = Unanswered("s0", gateway, self.links, lambda ref: ref.key in self.here, "tag")

    def add(self, server: int, ref: Ref, method: str, tag: str = "") -> None:
        self.subject.add(RequestReceived(server, request(method, tag), FLOW), ref)

    async def other(self, epoch: int, calls: set[str]) -> Links:
        links = Links("c0", epoch, self.where)
        host = Host("c0", links, self.gateway.wheel, self.gateway.clock)
        host.has = lambda kind, key: key in calls  # type: ignore[method-assign]
        await links.start()
        links.connect(["s0"])
        await until(lambda: links.alive("s0"))
        return links

    def statuses(self) -> list[tuple[int, int]]:
        return [(server, response.status) for server, response in self.gateway.said]


@asynccontextmanager
async def stage(where: Path) -> AsyncIterator[Stage]:
    made = Stage(where)
    await made.links.start()
    try:
        yield made
    finally:
        await made.links.close()
        made.gateway.wheel.close()


def play(where: Path, monkeypatch: pytest.MonkeyPatch, body: Callable[[Stage], Awaitable[None]]) -> None:
    monkeypatch.setattr(unanswered, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(unanswered, "ASK_SECONDS", 0.2)

    async def main(where: Path) -> None:
        async with stage(where) as made:
            await body(made)

    run(main, where)


def test_what_is_answered_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(stage: Stage) -> None:
        stage.add(1, HOME, "INVITE")
        assert stage.subject.ref(1) == HOME and stage.subject.ref(9) is None
        stage.gateway.open.clear()
        await until(lambda: not stage.subject.waiting)
        stage.add(2, HOME, "INVITE")  # the sweeping has not ended for good
        await until(lambda: not stage.subject.waiting)

    play(tmp_path, monkeypatch, body)


def test_a_call_that_is_another_process_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(stage: Stage) -> None:
        links = await stage.other(1, {AWAY.key})
        stage.add(1, AWAY, "INVITE")
        stage.add(2, AWAY, "BYE", ";tag=c0.000000000002.0")
        stage.add(3, HOME, "BYE", ";tag=s0.000000000001.0")
        await links.close()
        links = await stage.other(2, {AWAY.key})
        await until(lambda: stage.told and stage.gateway.said)
        assert stage.told == [(AWAY.key, "BYE")], "in a dialog: once more"
        ((server, response),) = stage.gateway.said
        assert (server, response.status, response.get("retry-after")) == (1, 500, "1")
        assert stage.gateway.cancelled == [("c0", AWAY.key, 1)], "phones that ring in vain"
        await links.close()

    play(tmp_path, monkeypatch, body)


def test_an_invite_whose_call_is_nowhere_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(stage: Stage) -> None:
        links = await stage.other(1, {AWAY.key})
        stage.add(1, AWAY, "INVITE")
        stage.add(2, HOME, "INVITE")
        stage.add(3, Ref("call", "c0.000000000003", "c0"), "INVITE")
        stage.gateway.now = unanswered.AUDIT_SECONDS + 1
        await until(lambda: stage.gateway.said)
        assert stage.statuses() == [(3, 500)], "only that one: the others ring"
        stage.here.clear()
        stage.gateway.now *= 2
        await until(lambda: len(stage.gateway.said) == 2)
        assert stage.statuses()[1] == (2, 500)
        await links.close()
        stage.gateway.now *= 2
        await until(lambda: len(stage.gateway.said) == 3)
        assert stage.statuses()[2] == (1, 500), "its process does not come back"
        assert not stage.subject.waiting

    play(tmp_path, monkeypatch, body)
