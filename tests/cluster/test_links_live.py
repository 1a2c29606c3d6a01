"""Links of a whole switch: what the operator sees of them, a new authority, and a process that was declared dead."""

import asyncio
import time
from pathlib import Path
from typing import Any

from actors.link import Links
from actors.rundir import run_dir
from tests.cluster.test_deployment import Switch, running, until

SECTIONS = "links: {address: 127.0.0.5}\nactors: {call: {placement: pool}}\n"


def test_the_links_of_a_switch(tmp_path: Path) -> None:
    with running(tmp_path, SECTIONS) as one:
        links: dict[str, Any] = one.ask("status")["links"]
        ends = [(host, peer) for host, status in links.items() for peer in status["peers"]]
        assert sorted(links) == ["c0", "m0", "s0", "sw"]
        assert len(ends) == 4 * 3  # a link for each pair, seen from both ends
        assert all(status["listens"].startswith("tls://127.0.0.5:") for status in links.values())
        assert [status["total"]["up"] for status in links.values()] == [3] * 4
        assert list(one.ask("links", "--host", "m0")["links"]) == ["m0"]
        table = one.run("links").stdout
        assert table.splitlines()[0].split()[:3] == ["host", "peer", "over"]
        before = table.splitlines()[-1].split()[-1]
        answer = one.ask("links", "rotate")
        assert (answer["hosts"], answer["missing"]) == (["c0", "m0", "s0", "sw"], [])
        after = one.ask("links")
        assert after["authority"] == answer["authority"] != before
        gateway_is_fenced(one)


def gateway_is_fenced(one: Switch) -> None:
    """Somebody is s0 now, says the media gateway: the process ends, and Ray starts one that is newer still."""
    old = one.pid("s0")
    asyncio.run(be_s0(one))
    until(lambda: [row["pid"] for row in one.ask("actors", "--processes") if row["id"] == "s0"] not in ([], [old]), 20)
    until(lambda: one.ask("status")["ready"])
    assert "declared dead or replaced" in (Path(one.config.data) / "log" / "s0.log").read_text()
    assert [row["restarts"] for row in one.ask("actors", "--processes") if row["id"] == "s0"] == [1]


async def be_s0(one: Switch) -> None:
    links = Links("s0", time.time_ns(), run_dir(one.config), listens=False)
    await links.start()
    await links.ask("m0", "status", None)
    await links.close()
