"""Calls as entities: what the shell does for them, for those of the journal, and when one fails; where calls open."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from actors import reference
from actors.call import INTERNAL, CallShell
from actors.call_desk import CallDesk
from actors.host import Host
from actors.journal import Journal
from actors.link import Links
from actors.media_desk import MediaDesk
from actors.occupancy import OccupancyDesk
from actors.outside.outgoing import NoMembers
from actors.placement import Placement
from actors.registration import Location
from actors.routing import Numbers
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.call import Call, Settings
from rayswitch.calls.events import Invited, TimerFired
from rayswitch.calls.features import table
from rayswitch.calls.routing.route import Dialled, Route
from rayswitch.members import Members
from rayswitch.sip.events import AckReceived, CancelReceived, RequestReceived, ResponseReceived
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, parse, respond
from rayswitch.store import CdrFilter, Store, cdrs
from tests.actors.together import run, until
from tests.gateways import loopback

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5070))
DEVICE = ["sip:bob@127.0.0.1:5080", list(FLOW._replace(remote=("127.0.0.1", 5080))), []]
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Outside:
    """SIP port, media desk and location of a shell: everything at once, and written down."""

    def __init__(self) -> None:
        self.sip: list[Any] = []
        self.media: list[tuple[Any, ...]] = []
        self.contacts: list[Any] = [DEVICE]
        self.fails_at: type | None = None
        self.port = 20000

    def reach(self, flow: Flow, gateway: str, new: bool = False) -> Flow:
        return flow

    def follow(self, members: Members) -> None:
        """All ways stay as they are."""

    def perform(self, entity: str, effect: Any) -> None:
        if type(effect) is self.fails_at:
            self.fails_at = None
            raise ConnectionError("as told")
        self.sip.append(effect)

    def route(self, gateway: str, dialled: Dialled, done: Callable[[Route], None]) -> None:
        limits = [[f"{dialled.caller}@example.com", True, 5, None]]
        done(Route("extension", f"{dialled.called}@example.com", dialled.caller, dialled.called, limits=limits))

    def look_up(self, aor: str, done: Callable[[Any], None]) -> None:
        done(self.contacts)

    def reserve(self, gateway: str, families: list[int], done: Callable[..., None]) -> None:
        self.port += 10
        done("m0", [[self.port + 2 * index, "127.0.0.1"] for index in range(len(families))])

    def connect(self, *what: Any) -> None:
        self.media.append(("connect", *what))

    def release(self, *what: Any) -> None:
        self.media.append(("release", *what))

    def give_back(self, *what: Any) -> None:
        self.media.append(("give_back", *what))

    def statuses(self) -> list[int]:
        return [effect.response.status for effect in self.sip if isinstance(effect, fx.Respond)]

    def methods(self) -> list[str]:
        return [effect.request.method for effect in self.sip if isinstance(effect, fx.SendRequest)]


class Rig:
    """A host of calls."""

    def __init__(self, where: Path) -> None:
        loop = asyncio.get_running_loop()
        self.url = f"sqlite:///{where}/switch.db"
        self.links = Links("s0", 1, where)
        self.wheel = Wheel(loop)
        self.journal = Journal(self.url, where / "journal" / "s0")
        self.outside = Outside()
        self.host = Host("s0", self.links, self.wheel, loop.time)
        reference.attach(self.host)
        self.ids = Identifiers("s0", os.urandom)
        self.occupancy = OccupancyDesk("s0", self.links, Placement(["s0"]))
        self.occupancy.serve()
        self.desk = CallDesk(self.links, Placement(["s0"]), lambda owner: self.ids)
        self.shell = CallShell(
            "s0", self.host, self.outside, cast(MediaDesk, self.outside), cast(Location, self.outside),
            Numbers(self.outside, self.occupancy, NoMembers()), self.journal,
            self.wheel, Settings("example.com"), self.ids, loop.time, loop.time, self.desk.other,
        )  # fmt: skip
        self.desk.serve(self.shell)

    def open(self) -> str:
        """A new call that rings; its id."""
        ref = self.desk.open(Invited(("s0", 1), request("INVITE"), FLOW, "alice", "", "bob", "alice"))
        assert ref is not None
        return ref.key

    def talk(self) -> str:
        """A call that is up; its id."""
        id = self.open()
        invite = next(effect for effect in reversed(self.outside.sip) if isinstance(effect, fx.SendRequest))
        sent = invite.request.copy()
        sent.prepend("via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKs0.000000000001")
        headers = [("contact", f"<{DEVICE[0]}>"), ("content-type", "application/sdp")]
        answer = respond(sent, 200, to_tag="bob", headers=headers, body=SDP)
        self.host.tell("call", id, ResponseReceived(invite.key, answer, Flow.of(DEVICE[1])))
        self.host.tell("call", id, AckReceived(request("ACK", f"{id}.0"), FLOW))
        assert self.outside.statuses()[-1] == 200
        return id

    def counted(self) -> int:
        """Calls that are counted for their caller."""
        assert self.occupancy.counted is not None
        return self.occupancy.counted.count("alice@example.com")[0]

    def call(self, id: str) -> Call:
        return cast(Call, dict(self.host.entities("call"))[id])

    async def records(self) -> list[dict[str, Any]]:
        """All rows of whole calls, once everything is written."""
        assert await self.journal.flush()
        with Store.open(self.url) as store:
            return list(cdrs(store, CdrFilter()))

    async def journalled(self) -> list[str]:
        assert await self.journal.flush()
        with Store.open(self.url) as store:
            return [row[0] for row in store.calls("s0")]


def request(method: str, to_tag: str = "") -> Request:
    more = {"Contact": "<sip:alice@127.0.0.1:5070>", "Call-ID": "one"}
    body = SDP if method == "INVITE" else b""
    if body:
        more |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
    parsed = parse(loopback.request(method, to_tag=to_tag, **more) + body)
    assert isinstance(parsed, Request)
    return parsed


def info(id: str, server: int = 9) -> RequestReceived:
    """An INFO inside the dialog of the caller."""
    asked = request("INFO", f"{id}.0")
    asked.set("cseq", f"{server} INFO")
    return RequestReceived(("s0", server), asked, FLOW)


@asynccontextmanager
async def rig(where: Path) -> AsyncIterator[Rig]:
    made = Rig(where)
    await made.links.start()
    try:
        yield made
    finally:
        await made.links.close()
        made.wheel.close()
        await made.journal.close()


def play(where: Path, body: Callable[[Rig], Awaitable[None]]) -> None:
    async def main(where: Path) -> None:
        async with rig(where) as made:
            await body(made)

    run(main, where)


def broken(*parts: Any) -> None:
    raise ValueError("as told")


def test_an_answered_call_is_journalled_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        id = rig.talk()
        assert await rig.journalled() == [id] and rig.shell.answered == 1
        with Store.open(rig.url) as store:
            rows = [(id, snapshot) for id, _, _, snapshot in store.calls("s0")]
        assert rig.counted() == 1
        rig.host.retire("call", id)
        rig.occupancy.serve()  # nobody remembers
        rig.outside.media.clear()
        rig.shell.take_in(rows)
        assert rig.counted() == 1
        assert rig.outside.media[0][:3] == ("connect", "m0", id), "media first"
        assert rig.shell.open_calls() == 1 and rig.shell.rows()[0][:4] == [id, "alice", "bob", "answered"]
        assert [type(effect) for effect in rig.outside.sip[-1:]] == [fx.RepeatAnswer]
        rig.host.tell("call", id, AckReceived(request("ACK", f"{id}.0"), FLOW))
        rig.shell.release_all("Over")
        assert rig.outside.methods()[-2:] == ["BYE", "BYE"]
        assert rig.counted() == 0

    play(tmp_path, body)


def test_a_call_that_was_not_answered_is_recorded_after_a_restart(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        id = rig.open()
        snapshot = rig.call(id).snapshot()
        rig.host.retire("call", id)
        rig.shell.take_in([(id, snapshot)])
        (row,) = await rig.records()
        assert (row["sip_status"], row["cause"]) == (500, "Switch process lost")
        assert await rig.journalled() == [] and rig.host.count("call") == 0

    play(tmp_path, body)


def test_a_row_that_cannot_be_read_is_dropped_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body(rig: Rig) -> None:
        good = rig.talk()
        snapshot = rig.call(good).snapshot()
        rig.shell.take_in([("s0.bad", ["broken"]), (good, snapshot)])
        assert [id for id, _ in rig.host.entities("call")] == [good]
        assert "s0.bad cannot be taken up" in caplog.text
        assert await rig.journalled() == [good]

    play(tmp_path, body)


def test_a_call_that_fails_says_bye_gives_ports_back_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(rig: Rig) -> None:
        monkeypatch.setitem(table.METHODS, "INFO", broken)
        other, id = rig.talk(), rig.talk()
        rig.host.tell("call", id, info(id))
        assert rig.outside.methods()[-2:] == ["BYE", "BYE"] and rig.outside.statuses()[-1] == 500
        assert rig.outside.media[-1][:3] == ("release", "m0", id)
        (row,) = await rig.records()
        assert row["cause"] == INTERNAL
        assert [key for key, _ in rig.host.entities("call")] == [other]
        assert await rig.journalled() == [other]

    play(tmp_path, body)


def test_a_call_that_cannot_even_be_released_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(rig: Rig) -> None:
        id = rig.talk()
        monkeypatch.setattr(Call, "handle", broken)
        rig.host.tell("call", id, info(id))
        assert rig.outside.statuses()[-1] == 500
        assert rig.outside.media[-1][:3] == ("release", "m0", id)
        (row,) = await rig.records()
        assert (row["sip_status"], row["cause"]) == (500, INTERNAL)
        assert await rig.journalled() == []

    play(tmp_path, body)


@pytest.mark.parametrize("effect", [fx.SendRequest, fx.Respond])
def test_an_effect_that_cannot_be_done_refuses_a_call_that_rings(tmp_path: Path, effect: type) -> None:
    async def body(rig: Rig) -> None:
        rig.outside.fails_at = effect
        if effect is fx.Respond:
            rig.outside.contacts = []
        rig.open()
        assert rig.outside.statuses() and rig.outside.statuses()[-1] >= 500
        (row,) = await rig.records()
        assert row["end"] and rig.host.count("call") == 0

    play(tmp_path, body)


def test_what_comes_for_a_call_that_is_over_gets_481_or_nothing(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        gone = rig.ids.call()
        for message in (info(gone), CancelReceived(("s0", 1)), TimerFired("2xx")):
            rig.host.tell("call", gone, message)
        assert rig.outside.statuses() == [481] and len(rig.outside.sip) == 1

    play(tmp_path, body)


def test_only_tags_of_hosts_where_calls_live_name_a_call(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        id = rig.ids.call()
        named = rig.desk.named(f"{id}.0")
        assert named is not None and (named.key, named.host) == (id, "s0")
        for tag in (None, "", "x", id, f"s1.{id[3:]}.0", f"{id}.x", f"{id}.1234567"):
            assert rig.desk.named(tag) is None

    play(tmp_path, body)


def test_calls_open_in_turn_on_the_pool_hosts_that_are_up(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        links = [Links(name, 1, where) for name in ("s0", "c0", "c1")]
        opened: list[tuple[str, Any]] = []
        for one in links:
            await one.start()
        for pool in links[1:]:
            pool.on("call.open", partial(lambda me, peer, payload: opened.append((me, payload)), pool.me))
        desk = CallDesk(links[0], Placement(["c0", "c1", "c2"]), lambda owner: Identifiers(owner, os.urandom))
        invited = Invited(("s0", 1), request("INVITE"), FLOW, "alice", "", "bob", "")
        assert desk.open(invited) is None, "nobody is up"
        links[0].connect(["c0", "c1", "c2"])
        await until(lambda: len(links[0].peers()) == 2)
        refs = [desk.open(invited) for _ in range(4)]
        await until(lambda: len(opened) == 4)
        assert sorted(host for host, _ in opened) == ["c0", "c0", "c1", "c1"]
        assert {(ref.host, ref.key) for ref in refs if ref} == {(host, payload[0]) for host, payload in opened}
        assert opened[0][1][1].request.encode() == invited.request.encode()
        for one in links:
            await one.close()

    run(main, tmp_path)
