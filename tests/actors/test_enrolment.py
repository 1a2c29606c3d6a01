"""Certificates over their life: the first, the next, a new authority, and a Switchboard that moves. No Ray: its call
is a plain function call here."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import enrolment
from actors.certificates import Authority, BadRequest, new_request
from actors.credentials import Credentials
from actors.enrolment import Enrolment, Grant, Refused
from actors.link import LinkError, Links
from actors.link_authority import SETTING, LinkAuthority
from rayswitch.config import Config
from rayswitch.store import Store
from tests.actors.nodes import run, until

HOSTS = ("m0", "s0", "s1")


class Switch:
    """The Switchboard on 127.0.0.1, every other host on a node of its own."""

    def __init__(self, where: Path, life: int) -> None:
        self.where = where
        store = {"data": str(where), "store": f"sqlite:///{where}/switch.db"}
        self.config = Config.from_dict(store | {"links": {"certificate_life": life}})
        self.links: dict[str, Links] = {}
        self.enrolments: dict[str, Enrolment] = {}
        self.authority: LinkAuthority | None = None
        self.asked: list[str] = []

    async def by_ray(self, host: str, epoch: int, request: str) -> Sequence[Any]:
        self.asked.append(host)
        if self.authority is None:
            raise ValueError("Failed to look up actor 'sw'")
        return list(await self.authority.grant(host, epoch, request))

    async def start(self, host: str, number: int, epoch: int = 1) -> None:
        run_dir = self.where / f"n{number}"
        run_dir.mkdir(exist_ok=True)
        links = self.links[host] = Links(host, epoch, run_dir, node=f"n{number}")
        links.on("echo", lambda peer, payload: payload)
        await links.start()
        if host == "sw":
            self.authority = LinkAuthority(self.config, links)
        self.enrolments[host] = Enrolment(links, self.by_ray)
        await self.enrolments[host].begin(f"127.0.0.{number + 1}", [0])
        links.connect(["sw"])

    def introduce(self) -> None:
        for one in self.links.values():
            for name, other in self.links.items():
                one.book.update(name, other.endpoints, other.epoch)

    async def kill(self, host: str) -> None:
        self.enrolments.pop(host).close()
        await self.links.pop(host).close()

    def up(self) -> bool:
        return all(one.alive("sw") for one in self.links.values())

    def issuers(self) -> set[str]:
        peers = [peer for links in self.links.values() for peer in links.peering.peers()]
        return {peer.connection.seen.issuer for peer in peers if peer.connection and peer.connection.seen}


@asynccontextmanager
async def switch(where: Path, life: int = 3600) -> AsyncIterator[Switch]:
    made = Switch(where, life)
    try:
        await made.start("sw", 0)
        for number, host in enumerate(HOSTS, 1):
            await made.start(host, number)
        await until(made.up)
        made.introduce()
        for links in made.links.values():
            links.connect(HOSTS)
        await until(lambda: all(len(links.peers()) == len(HOSTS) for links in made.links.values()))
        yield made
    finally:
        for host in list(made.links):
            await made.kill(host)


def test_a_process_finds_the_switchboard_and_gets_its_certificate(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            assert sorted(made.asked) == sorted(["sw", *HOSTS])
            assert await made.links["s0"].ask("s1", "echo", "secured") == "secured"
            assert made.links["s0"].status()["peers"]["s1"]["over"] == "tls"
            assert len(made.issuers()) == 1

    run(main, tmp_path)


def test_a_process_waits_until_there_is_a_switchboard(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        made = Switch(where, 3600)
        waiting = asyncio.create_task(made.start("s0", 1))
        await until(lambda: made.asked.count("s0") >= 2)
        await made.start("sw", 0)
        await waiting
        await until(made.up)
        for host in list(made.links):
            await made.kill(host)

    run(main, tmp_path)


def test_certificates_are_renewed_over_the_link_before_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "LOOK_SECONDS", 0.05)

    async def main(where: Path) -> None:
        async with switch(where) as made:
            made.authority._life = 4  # type: ignore[union-attr]
            for one in made.enrolments.values():
                one._due = 0.0
            old = made.links["s1"].peering.sockets.credentials
            downs: list[str] = []
            made.links["s0"].on_down(downs.append)
            await until(lambda: made.links["s1"].peering.sockets.credentials is not old)
            assert set(made.asked[4:]) <= {"sw"}  # which needs no link
            granted = time.time() + made.authority._life  # type: ignore[union-attr]
            await until(lambda: time.time() > granted, 10)
            proofs = [peer.connection.seen for peer in made.links["s0"].peering.peers() if peer.connection]
            assert all(seen and seen.expires > time.time() for seen in proofs), "no link outlives its proof"
            assert downs == []
            made.links["s0"].peering.cut(lambda connection: True)
            assert await made.links["s0"].ask("s1", "echo", 1) == 1

    run(main, tmp_path)


def test_a_new_authority_is_followed_without_a_break(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            downs: list[str] = []
            for one in made.links.values():
                one.on_down(downs.append)
            authority, talking = made.authority, True
            asked = len(made.asked)
            assert authority is not None
            old = await authority._current()
            answered: list[int] = []

            async def talk() -> None:
                while talking:
                    answered.append(await made.links["s0"].ask("m0", "echo", len(answered)))

            talk_task = asyncio.create_task(talk())
            result = await authority.rotate()
            talking = False
            await talk_task
            assert result["hosts"] == ["m0", "s0", "s1", "sw"]
            assert (result["missing"], result["cut"], downs) == ([], [], [])
            assert made.issuers() == {result["authority"]} != {old.name}
            assert len(made.asked) == asked + 2 * len(made.links)
            assert answered == list(range(len(answered)))
            assert await authority.describe() == {
                "authority": result["authority"], "former": 0, "certificate_life": 3600,
            }  # fmt: skip

            key, request = new_request()
            stolen = Credentials(old.sign(request, "s1", 1, time.time(), 3600), key, [old.pem])
            made.links["s1"].peering.sockets.credentials = stolen
            made.links["s1"].peering.cut(lambda connection: True)
            await until(lambda: not made.links["s0"].alive("s1"))
            await asyncio.sleep(0.3)
            assert not made.links["s0"].alive("s1")

    run(main, tmp_path)


def test_who_was_away_when_the_authority_was_replaced_comes_back_by_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(enrolment, "LOST_SECONDS", 0.2)

    async def main(where: Path) -> None:
        async with switch(where) as made:
            assert made.authority is not None
            away = made.links["s1"].peering
            monkeypatch.setattr(away.sockets, "dial", lost)
            for links in made.links.values():
                links.book.forget("s1")
            away.cut(lambda connection: True)
            await until(lambda: not made.links["sw"].alive("s1"))
            answer = await made.authority.rotate()
            assert answer["hosts"] == ["m0", "s0", "sw"]
            asked = made.asked.count("s1")
            monkeypatch.undo()
            monkeypatch.setattr(enrolment, "LOOK_SECONDS", 0.05)
            await until(made.up)
            assert made.asked.count("s1") > asked
            assert made.issuers() == {answer["authority"]}

    run(main, tmp_path)


async def lost(*_: Any) -> Any:
    raise OSError("no route to host")


def test_a_switchboard_on_another_node_is_found_by_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(enrolment, "LOST_SECONDS", 0.2)

    async def main(where: Path) -> None:
        async with switch(where) as made:
            before = made.issuers()
            await made.kill("sw")
            await made.start("sw", 7, epoch=2)
            await until(made.up)
            assert made.links["s0"].peers()["sw"] == 2
            await asyncio.sleep(0)
            assert made.issuers() == before  # its authority was in the store

    run(main, tmp_path)


def test_a_host_that_is_over_gets_no_certificate_and_hears_why(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            fenced: list[int] = []
            made.links["s1"].on_fenced(fenced.append)
            made.links["sw"].peering._floors["s1"] = 9
            assert await made.by_ray("s1", 8, new_request()[1]) == [9]
            with pytest.raises(LinkError, match="is over"):
                await made.enrolments["s1"]._renew(made.by_ray)
            assert fenced == [9]

    run(main, tmp_path)


def test_only_the_switchboard_says_whom_to_believe(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            with pytest.raises(LinkError, match="s0 does not say"):
                await made.links["s0"].ask("s1", "links.renew", True)
            answer = await made.links["s0"].ask("sw", "links.certificate", new_request()[1])
            assert "CERTIFICATE" in Grant(*answer).certificate
            with pytest.raises(LinkError, match="not a certificate request"):
                await made.links["s0"].ask("sw", "links.certificate", "give me s1's")

    run(main, tmp_path)


def test_a_rotation_that_was_broken_off_leaves_both_believed(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            authority = made.authority
            assert authority is not None
            old = await authority._current()
            new = Authority.new(time.time())
            await authority._write(new, [old.pem])
            again = LinkAuthority(made.config, made.links["sw"])
            assert await again.describe() == {"authority": new.name, "former": 1, "certificate_life": 3600}
            granted = await again.grant("s1", 1, new_request()[1])
            assert isinstance(granted, Grant)
            assert list(granted.trusted) == [new.pem, old.pem]

    run(main, tmp_path)


def test_a_link_made_with_a_leaked_key_gets_nothing_of_the_new_authority(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as made:
            authority = made.authority
            assert authority is not None
            old = await authority._current()
            key, request = new_request()
            thief = Links("s9", 5, where / "n1", node="elsewhere")
            thief.peering.sockets.credentials = Credentials(
                old.sign(request, "s9", 5, time.time(), 999), key, [old.pem]
            )
            thief.book.update("sw", made.links["sw"].endpoints, 1)
            await thief.start()
            await thief.ask("sw", "echo", "I am in")
            orders: list[Any] = []
            thief.on("links.renew", lambda peer, final: orders.append(final) or [])

            rotating = asyncio.create_task(authority.rotate())
            await until(lambda: orders)
            with pytest.raises(LinkError, match="is no proof"):
                await thief.ask("sw", "links.certificate", new_request()[1])
            answer = await rotating
            assert "sw s9" in answer["cut"]
            assert not made.links["sw"].alive("s9")
            await asyncio.sleep(0.3)
            assert not thief.alive("sw")
            await thief.close()

    run(main, tmp_path)


def test_on_one_node_there_is_nothing_to_replace(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        made = Switch(where, 3600)
        links = Links("sw", 1, where)
        await links.start()
        authority = LinkAuthority(made.config, links)
        assert await authority.describe() == {"authority": None}
        with pytest.raises(LinkError, match="on one node"):
            await authority.rotate()
        with Store.open(made.config.store) as store:
            assert store.setting(SETTING) is None
        await links.close()

    run(main, tmp_path)


def test_what_a_request_must_be() -> None:
    authority = Authority.new(time.time())
    _, request = new_request()
    head, body, *rest = request.split("\n")
    forged = "\n".join([head, *[body[:-20] + "A" * 20], *rest])
    for text in ("", "no", authority.pem, forged):
        with pytest.raises(BadRequest):
            authority.sign(text, "s1", 1, time.time(), 10)
    again = Authority.of(authority.text())
    assert (again.name, again.pem) == (authority.name, authority.pem)
    assert Authority.new(time.time()).name != authority.name
    assert len(Refused._fields) != len(Grant._fields)
