"""A switch composed in one process: calls through all of its parts, and what is left when one of them ends."""

import asyncio
import contextlib
import socket
import threading
import time
from json import dumps, loads
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from actors.cli.tracing import trace
from actors.link import Links
from actors.rundir import run_dir
from rayswitch.calls.features import table
from rayswitch.store import drop_call
from tests.actors.together import DOMAIN, PASSWORD, Together, listening, run, switch, until
from tests.interop.agent import Agent
from tests.interop.agent import Call as Talk
from tests.interop.ports import free_port

POOL = {"call": {"placement": "pool"}, "registration": {"placement": "pool"}}


def single(**settings: Any) -> dict[str, dict[str, Any]]:
    """An actor for each call and registration."""
    return {kind: {"placement": "actor", "warm": 2, "most": 4} | settings for kind in ("call", "registration")}


SHAPES = [
    pytest.param(dict, id="gateway"),
    pytest.param(lambda: {"actors": POOL}, id="pool"),
    pytest.param(lambda: {"sip": listening(2)}, id="two gateways"),
    pytest.param(lambda: {"sip": listening(2), "actors": POOL}, id="two gateways and pool"),
    pytest.param(lambda: {"actors": single()}, id="actor"),
    pytest.param(lambda: {"sip": listening(2), "actors": single(overflow="gateway")}, id="two gateways and actor"),
]


async def registered(together: Together, number: str) -> Agent:
    phone = together.phone()
    await asyncio.to_thread(phone.register, number, PASSWORD)
    return phone


async def talk(caller: Agent, callee: Agent, dialled: str = "101") -> tuple[Talk, Talk]:
    """Both ends of a call that is up."""
    a = await asyncio.to_thread(caller.dial, "100", PASSWORD, dialled, 30000)
    b = await asyncio.to_thread(callee.incoming.get, timeout=5)
    return a, b


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_through_all_parts(tmp_path: Path, shape: Any) -> None:
    async def main(where: Path) -> None:
        async with switch(where, **shape()) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            for turn in range(4):
                a, b = await talk(caller, callee)
                assert a.remote_port != b.local_port and b.remote_port != a.local_port, "media is relayed"
                ending, other = (a, b) if turn % 2 else (b, a)
                assert (await asyncio.to_thread(ending.bye)).status == 200
                assert await asyncio.to_thread(other.ended.wait, 5)
            await until(lambda: len(together.records()) == 4)
            for row in together.records():
                assert (row["caller"], row["dialled"], row["sip_status"]) == ("100", "101", 200)
            await until(lambda: together.status("m0")["sessions"] == 0)

    run(main, tmp_path)


def test_a_call_to_nobody_and_requests_in_dialogs_that_are_not(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, sip=listening(2)) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            uri = f"sip:102@{DOMAIN}"
            body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
            answer = await asyncio.to_thread(
                caller.authenticated, "INVITE", uri, "100", PASSWORD, f"<{uri}>", body=body
            )
            assert answer.status == 480
            a, _ = await talk(caller, callee)
            assert (await asyncio.to_thread(a.bye)).status == 200
            await until(lambda: len(together.records()) == 2)
            for tag in (a.remote, *(f"<{uri}>;tag={tag}" for tag in ("s1.000000000000.0", "s7.000000000000.0", "x"))):
                a.remote = tag
                assert (await asyncio.to_thread(a.request, "INFO")).status == 481

    run(main, tmp_path)


def test_live_messages_reach_whoever_follows_and_nobody_else(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, sip=listening(2)) as together:
            client = Links("cli1", 1, run_dir(together.config), listens=False)
            seen: list[dict[str, Any]] = []
            client.on("trace", lambda peer, entry: seen.append(entry))
            await client.start()
            await until(lambda: together.status("sw")["members"] == 3)
            assert await client.ask("sw", "control", ["trace", {}]) == {"gateways": ["s0", "s1"]}
            phone = await registered(together, "100")
            await until(lambda: len(seen) >= 4)
            assert [entry["direction"] for entry in seen] == ["in", "out", "in", "out"]
            assert [entry["text"].partition("\r\n")[0] for entry in seen] == [
                f"REGISTER sip:{DOMAIN} SIP/2.0",
                "SIP/2.0 401 Unauthorized",
                f"REGISTER sip:{DOMAIN} SIP/2.0",
                "SIP/2.0 200 OK",
            ]
            for entry in seen:
                assert (entry["transport"], entry["remote"]) == ("UDP", ["127.0.0.1", phone.port])
                assert abs(entry["time"] - time.time()) < 60
            assert 'response="' not in seen[2]["text"] and 'nonce="' not in seen[1]["text"]
            await client.close()
            await asyncio.to_thread(phone.register, "100", PASSWORD)
            assert len(seen) == 4

    run(main, tmp_path)


@pytest.mark.parametrize("json", [True, False])
def test_the_trace_command_shows_them(tmp_path: Path, json: bool) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as together:
            file = where / "switch.yaml"
            file.write_text(dumps(together.config.to_dict()))
            arguments = ["-n", "4", "-c", str(file), *(["--json"] if json else [])]
            command = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, trace, arguments))
            phone = together.phone()
            while not command.done():
                await asyncio.to_thread(phone.register, "100", PASSWORD)
            result = command.result()
            assert result.exit_code == 0, result.output
            lines = result.output.splitlines()
            if json:
                assert sorted(loads(line)["direction"] for line in lines) == ["in", "in", "out", "out"]
            else:
                assert sum("REGISTER together.test" in line for line in lines) == 2
                assert sum("200 OK (REGISTER)" in line for line in lines) == 1

    run(main, tmp_path)


def test_a_media_gateway_that_comes_back_carries_its_calls_on(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            a, b = await talk(caller, callee)
            assert together.status("m0")["sessions"] == 1
            await together.kill("m0")
            await together.start("m0")
            await until(lambda: together.status("m0")["sessions"] == 1)
            second, _ = await talk(caller, callee)
            assert {second.remote_port} & {a.remote_port, b.remote_port} == set(), "old leases are void"
            assert (await asyncio.to_thread(a.bye)).status == 200
            assert (await asyncio.to_thread(second.bye)).status == 200
            await until(lambda: together.status("m0")["sessions"] == 0)

    run(main, tmp_path)


def test_a_gateway_that_comes_back_has_its_calls_and_registrations(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            kept, _ = await talk(caller, callee)
            ended, other = await talk(caller, callee)
            await together.kill("s0")
            assert together.status("m0")["sessions"] == 2, "media goes on"
            with together.store() as store:
                store.apply([drop_call(ended.remote.partition("tag=")[2].rpartition(".")[0], "s0")])
            await together.start("s0")
            await until(lambda: together.status("m0")["sessions"] == 1)
            assert together.status("s0")["registrations"] == 1
            assert (await asyncio.to_thread(kept.bye)).status == 200
            assert (await asyncio.to_thread(other.request, "BYE")).status == 481
            await until(lambda: together.records())
            (row,) = together.records()
            assert row["sip_status"] == 200 and row["duration"] > 0
            again, _ = await talk(caller, callee)
            assert (await asyncio.to_thread(again.bye)).status == 200

    run(main, tmp_path)


def test_a_home_that_is_away_costs_503_and_comes_back_with_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.registration.SEEK_SECONDS", 0.2)

    async def main(where: Path) -> None:
        async with switch(where, actors=POOL) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            await together.kill("r0")
            uri = f"sip:{DOMAIN}"
            answer = await asyncio.to_thread(
                caller.authenticated, "REGISTER", uri, "100", PASSWORD, f"<sip:100@{DOMAIN}>"
            )
            assert (answer.status, answer.get("retry-after")) == (503, "2")
            await together.start("r0")
            await until(together.connected)
            a, _ = await talk(caller, callee)
            assert (await asyncio.to_thread(a.bye)).status == 200

    run(main, tmp_path)


def test_a_call_whose_code_fails_ends_alone_with_bye_and_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*parts: Any) -> None:
        raise ValueError("as told")

    monkeypatch.setitem(table.METHODS, "INFO", broken)

    async def main(where: Path) -> None:
        async with switch(where) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            bad, bad_other = await talk(caller, callee)
            good, good_other = await talk(caller, callee)
            info = asyncio.create_task(asyncio.to_thread(bad.request, "INFO"))
            for side in (bad, bad_other):
                assert await asyncio.to_thread(side.ended.wait, 5)
            await until(lambda: together.records())
            (row,) = together.records()
            assert row["cause"] == "Internal error"
            await until(lambda: together.status("m0")["sessions"] == 1)
            assert not good.ended.is_set() and not good_other.ended.is_set()
            assert (await info).status >= 400
            assert (await asyncio.to_thread(good.bye)).status == 200

    run(main, tmp_path)


def test_a_stranger_on_a_connection_is_refused_recorded_and_banned(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        port = free_port()
        async with switch(where, sip={"listen": [f"tcp://127.0.0.1:{port}"]}) as together:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for number in range(5):
                text = (
                    f"INVITE sip:101@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{number}\r\n"
                    f"Max-Forwards: 70\r\nFrom: <sip:4711@elsewhere.test>;tag=1\r\nTo: <sip:101@{DOMAIN}>\r\n"
                    f"Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
                )
                writer.write(text.encode())
                if number < 4:
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 403 Unknown peer\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert not await reader.read()
            writer.close()
            await until(together.records)
            (row,) = together.records()
            assert (row["caller"], row["sip_status"], row["cause"]) == ("4711@elsewhere.test", 403, "Unknown peer")
            assert together.status("s0")["strangers"] == 5 and together.status("s0")["bans"] == 1

    run(main, tmp_path)


def test_a_stop_ends_every_call_with_bye_and_record(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where, actors={"call": {"placement": "pool", "pool": 2}}) as together:
            callee = await registered(together, "101")
            caller = together.phone()
            talks = [await talk(caller, callee) for _ in range(3)]
            for host in ("c0", "c1"):
                await together.processes[host].drain()
            for pair in talks:
                for side in pair:
                    assert await asyncio.to_thread(side.ended.wait, 5)
            await until(lambda: len(together.records()) == 3)
            assert {row["cause"] for row in together.records()} == {"Switch is stopping"}

    run(main, tmp_path)


def test_a_gateway_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with switch(where) as together:
            port = together.config.sip.listen[0].port
            await together.kill("s0")
            threads = threading.active_count()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("127.0.0.1", port))
                with pytest.raises(OSError, match=str(port)):
                    await together.start("s0")
            await until(lambda: threading.active_count() == threads)
            await together.links.pop("s0").close()
            await together.start("s0")
            await registered(together, "100")

    run(main, tmp_path)
