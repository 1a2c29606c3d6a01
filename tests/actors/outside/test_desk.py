"""Calls ask for lines and trunks over the links, wherever those have their home."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.outside import desk
from actors.outside.desk import Account, Answer, LineDesk
from actors.placement import Placement
from rayswitch.lines.resolving import Server
from rayswitch.sip.flow import Flow
from tests.actors.nodes import cluster, run, until

HOME = cast(Placement, SimpleNamespace(home=lambda member: "s0"))
FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


class Lines:
    """The lines of s0."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.shunned: list[tuple[str, Server]] = []

    def place(self, member: str, caller: str, number: str) -> Answer:
        return f"{member} is down"

    def account(self, member: str) -> Account:
        return self.accounts.get(member)

    def shun(self, member: str, server: Server) -> None:
        self.shunned.append((member, server))


@pytest.mark.parametrize("me", ["s0", "s1"])
def test_what_a_call_has_to_ask_and_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, me: str) -> None:
    monkeypatch.setattr(desk, "PAUSES", (0.0, 0.05, 0.05, 5.0))

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            lines, found, refused = Lines(), list[tuple[str, str]](), list[Any]()
            desks = {host: LineDesk(host, nodes.hosts[host], HOME, cast(Any, None)) for host in ("s0", "s1")}
            desks["s0"].serve(lines)
            asking = desks[me]
            asking.account("line/one", lambda user, secret: found.append((user, secret)))
            await asyncio.sleep(0.02)
            assert found == [], "its records are not read yet"
            lines.accounts["line/one"] = ("4100", "wonder")
            await until(lambda: found)
            assert found == [("4100", "wonder")]
            asking.shun("line/one", FLOW)
            await until(lambda: lines.shunned == [("line/one", Server("UDP", "192.0.2.9", 5062))])
            asking.seize("c1", "line/one", "100", "200", refused.append)
            await until(lambda: refused == ["line/one is down"])
            for one in desks.values():
                one.close()

    run(main, tmp_path)
