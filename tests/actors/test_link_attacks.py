"""Whoever has not the switch's certificate, or not his own, or an old one, gets a closed connection and no effect."""

import asyncio
import contextlib
import random
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from actors import link_listener
from actors.certificates import Authority
from actors.connection import frame
from actors.credentials import Credentials
from actors.hello import VERSION, Hello, Refusal
from actors.link import AskTimeout, Links, PeerLost
from tests.actors.nodes import Cluster, cluster, credentials, run, until
from tests.actors.wiretap import wiretap

Way = tuple[str, int]


def listening(links: Links) -> list[Any]:
    """What arrives on topic "note"."""
    seen: list[Any] = []
    links.on("note", lambda peer, payload: seen.append([peer, payload]))
    links.on("echo", lambda peer, payload: payload)
    return seen


async def answer(way: Way, sent: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """All that comes back, until the connection is closed."""
    with contextlib.suppress(OSError):  # an alert of TLS, or a reset
        reader, writer = await asyncio.open_connection(*way, ssl=context, server_hostname="" if context else None)
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.transport.abort()
    return b""


def claim(host: str, epoch: int = 1) -> bytes:
    """The hello of `host`, and a frame."""
    return Hello(host, epoch, True).frame() + frame(["note", "forged"])


async def unharmed(nodes: Cluster, seen: list[Any]) -> None:
    """s1 has taken nothing of a stranger, and s0 talks to it."""
    assert [entry for entry in seen if entry[1] == "forged"] == []
    assert await nodes.hosts["s0"].ask("s1", "echo", "still here") == "still here"


def test_what_was_recorded_is_of_no_use_on_another_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_listener, "HALF_OPEN_SECONDS", 0.3)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes, wiretap(nodes.way("s1")) as tap:
            seen = listening(nodes.hosts["s1"])
            nodes.detour("s0", "s1", tap.way)
            nodes.hosts["s0"].tell("s1", "note", "secret")
            await nodes.hosts["s0"].ask("s1", "echo", 0)
            recorded = b"".join(tap.recorded[0])
            assert b"secret" not in recorded
            for sent in (recorded, recorded[:517], b"".join(tap.recorded[0][1:])):
                await answer(nodes.way("s1"), sent)
            assert seen == [["s0", "secret"]]
            assert nodes.hosts["s1"].counters()["unproved"] >= 3
            await unharmed(nodes, seen)

    run(main, tmp_path)


def test_a_record_that_comes_twice_ends_the_connection_and_counts_once(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes, wiretap(nodes.way("s1")) as tap:
            seen = listening(nodes.hosts["s1"])
            nodes.detour("s0", "s1", tap.way)
            await nodes.hosts["s0"].ask("s1", "echo", 0)
            lost: list[str] = []
            nodes.hosts["s0"].on_down(lost.append)
            nodes.hosts["s0"].tell("s1", "note", "once")
            await until(lambda: seen)
            tap.repeat()
            await until(lambda: lost == ["s1"])
            await unharmed(nodes, seen)
            assert seen == [["s0", "once"]]

    run(main, tmp_path)


def test_a_bit_that_is_flipped_ends_the_connection_and_delivers_nothing(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes, wiretap(nodes.way("s1")) as tap:
            seen = listening(nodes.hosts["s1"])
            nodes.detour("s0", "s1", tap.way)
            chance = random.Random(4)
            for number in range(20):
                await nodes.hosts["s0"].ask("s1", "echo", 0)

                def flipped(piece: bytes) -> list[bytes]:
                    changed = bytearray(piece)
                    changed[chance.randrange(5, len(piece))] ^= 1 << chance.randrange(8)
                    return [bytes(changed)]

                tap.change = flipped
                nodes.hosts["s0"].tell("s1", "note", number)
                await until(lambda: not nodes.hosts["s0"].alive("s1"))
                tap.change = None
            assert seen == []
            await unharmed(nodes, seen)

    run(main, tmp_path)


def strangers(nodes: Cluster) -> dict[str, tuple[ssl.SSLContext | None, bytes]]:
    """What a stranger has, and what he sends; s2 is a host of ours whose certificate he may have got."""
    ours, other = nodes.authority, Authority.new(time.time())
    naked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    naked.check_hostname, naked.verify_mode = False, ssl.CERT_NONE
    old = credentials(ours, "s0").client
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    both = [ours.pem, other.pem]
    return {
        "no TLS": (None, claim("s0")),
        "no certificate": (naked, claim("s0")),
        "another authority's": (credentials(other, "s0", trusted=both).client, claim("s0")),
        "an expired one": (credentials(ours, "s0", life=-1).client, claim("s0")),
        "that of another host": (credentials(ours, "s2").client, claim("s0")),
        "that of another epoch": (credentials(ours, "s0", 1).client, claim("s0", 2)),
        "TLS 1.2": (old, claim("s0")),
        "our own": (credentials(ours, "s1", 2).client, claim("s1", 2)),
        "a hello of another version": (
            credentials(ours, "s2").client,
            frame({"hello": VERSION + 1, "host": "s2", "epoch": 1, "listens": True, "follows": False}),
        ),
        "frames before the hello": (credentials(ours, "s2").client, frame(["note", "forged"]) + claim("s2")),
        "a refusal out of the blue": (credentials(ours, "s2").client, Refusal("stale", 1 << 62).frame()),
        "a hello that is too long": (credentials(ours, "s2").client, bytes([0, 16, 0, 0]) + bytes(100)),
    }


def test_strangers_get_a_closed_connection_and_nothing_else(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            seen, fenced = listening(nodes.hosts["s1"]), list[int]()
            nodes.hosts["s1"].on_fenced(fenced.append)
            for name, (context, sent) in strangers(nodes).items():
                assert await answer(nodes.way("s1"), sent, context) == b"", name
            assert nodes.hosts["s1"].peers() == {}
            assert (seen, fenced) == ([], [])
            assert nodes.hosts["s1"].counters()["forged"] == 3
            await unharmed(nodes, seen)

    run(main, tmp_path)


def test_a_certificate_of_ours_is_taken_for_what_it_says(tmp_path: Path) -> None:
    """The strangers fail for what they lack, not because the way they knock is wrong."""

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            seen = listening(nodes.hosts["s1"])
            reader, writer = await asyncio.open_connection(
                *nodes.way("s1"), ssl=credentials(nodes.authority, "s0").client, server_hostname=""
            )
            writer.write(claim("s0"))
            await until(lambda: seen == [["s0", "forged"]])
            assert await reader.read(4) != b""
            writer.transport.abort()

    run(main, tmp_path)


@pytest.mark.parametrize("impostor", ["another authority", "another host", "expired", "another epoch"])
def test_whom_we_dial_has_to_prove_himself_too(tmp_path: Path, impostor: str) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0") as nodes:
            own: dict[str, Credentials] = {
                "another authority": credentials(other := Authority.new(time.time()), "s1", trusted=[other.pem]),
                "another host": credentials(nodes.authority, "s2"),
                "expired": credentials(nodes.authority, "s1", life=-1),
                "another epoch": credentials(nodes.authority, "s1", 7),
            }
            seen = listening(await nodes.start("s1", own=own[impostor]))
            nodes.detour("s0", "s1", nodes.way("s1"))
            nodes.hosts["s0"].tell("s1", "note", "secret")
            with pytest.raises(AskTimeout):
                await nodes.hosts["s0"].ask("s1", "echo", "secret", timeout=0.5)
            assert not nodes.hosts["s0"].alive("s1")
            assert seen == []

    run(main, tmp_path)


def test_a_host_that_answers_for_another_cannot_fence_us(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s2") as nodes:
            fenced: list[int] = []
            nodes.hosts["s0"].on_fenced(fenced.append)
            nodes.hosts["s2"].peering.fence("s0", 5)
            nodes.detour("s0", "s1", nodes.way("s2"))
            nodes.hosts["s0"].tell("s1", "note", 0)
            await until(lambda: nodes.hosts["s2"].counters()["stale"] > 0)
            await asyncio.sleep(0.1)
            assert fenced == []

    run(main, tmp_path)


def test_random_bytes_at_the_port_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_listener, "STRANGERS_PER_SECOND", 1000)
    monkeypatch.setattr(link_listener, "HALF_OPEN_SECONDS", 0.5)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes, wiretap(nodes.way("s1")) as tap:
            seen = listening(nodes.hosts["s1"])
            nodes.detour("s0", "s1", tap.way)
            await nodes.hosts["s0"].ask("s1", "echo", 0)
            first = tap.recorded[0][0]  # a good beginning: ClientHello
            chance = random.Random(1)
            for _ in range(200):
                sent = bytearray(chance.choice((b"", first[: chance.randrange(len(first))], first)))
                sent += chance.randbytes(chance.randrange(200))
                for _ in range(chance.randrange(4)):
                    sent[chance.randrange(len(sent)) if sent else 0 :] += chance.randbytes(3)
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(*nodes.way("s1"))
                    writer.write(bytes(sent))
                    await asyncio.sleep(0)
                    writer.transport.abort() if chance.random() < 0.5 else writer.close()
            await until(lambda: nodes.hosts["s1"].counters()["half_open"] == 0)
            await unharmed(nodes, seen)

    run(main, tmp_path)


def test_random_frames_of_a_host_of_ours_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone has got a host's key: he can say what he likes, but nothing that ends a process."""
    monkeypatch.setattr(link_listener, "STRANGERS_PER_SECOND", 1000)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            seen, chance = listening(nodes.hosts["s1"]), random.Random(2)
            context = credentials(nodes.authority, "s2").client
            odd: list[Any] = [None, True, -1, "note", b"\xff", [], {}, {"hello": VERSION}, 1.5, ["note"], 1 << 63]
            for _ in range(150):
                sent = Hello("s2", 1, chance.random() < 0.5).frame() if chance.random() < 0.8 else b""
                for _ in range(5):
                    sent += frame([chance.choice(odd) for _ in range(chance.randrange(5))])
                    sent += frame({"moved": chance.choice(odd), "refused": chance.choice(odd)})
                    sent += frame({"hello": VERSION, "host": chance.choice(odd), "epoch": chance.choice(odd)})
                    sent += b"\0\0\0" + bytes([(size := chance.randrange(40))]) + chance.randbytes(size)
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(*nodes.way("s1"), ssl=context, server_hostname="")
                    writer.write(sent)
                    await writer.drain()
                    writer.close()
            await unharmed(nodes, seen)

    run(main, tmp_path)


def test_the_half_open_are_few_and_do_not_keep_our_own_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_listener, "HALF_OPEN", 10)
    monkeypatch.setattr(link_listener, "HALF_OPEN_PER_SOURCE", 6)
    monkeypatch.setattr(link_listener, "HALF_OPEN_SECONDS", 0.5)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            s1, writers = nodes.hosts["s1"], []
            proved = credentials(nodes.authority, "s2").client  # as far as TLS, but it says no hello
            for source, context in (("127.0.1.1", None), ("127.0.1.2", proved), ("127.0.1.3", None)):
                for _ in range(9):
                    with contextlib.suppress(OSError):
                        name = "" if context else None
                        _, writer = await asyncio.open_connection(
                            *nodes.way("s1"), ssl=context, server_hostname=name, local_addr=(source, 0)
                        )
                        writers.append(writer)
            await until(lambda: s1.counters()["crowded"] == 17)
            assert s1.counters()["half_open"] == 10
            await unharmed(nodes, listening(s1))  # s0's node is in the address book
            await until(lambda: s1.counters()["half_open"] == 0)
            assert s1.counters()["unproved"] == 10
            for writer in writers:
                writer.transport.abort()

    run(main, tmp_path)


def test_a_lost_link_fails_the_asks_that_were_under_way(tmp_path: Path) -> None:
    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes, wiretap(nodes.way("s1")) as tap:
            listening(nodes.hosts["s1"])
            nodes.hosts["s1"].on("never", lambda peer, payload: asyncio.sleep(60))
            nodes.detour("s0", "s1", tap.way)
            await nodes.hosts["s0"].ask("s1", "echo", 0)
            asked = nodes.hosts["s0"].ask("s1", "never", 0)
            await asyncio.sleep(0.05)
            tap.cut()
            with pytest.raises(PeerLost):
                await asked

    run(main, tmp_path)


def test_strangers_do_not_get_a_handshake_as_often_as_they_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_listener, "STRANGERS_PER_SECOND", 3)

    async def main(where: Path) -> None:
        async with cluster(where, "s0", "s1") as nodes:
            begun, tries = time.monotonic(), 0
            while time.monotonic() < begun + 0.5:
                reader, writer = await asyncio.open_connection(*nodes.way("s1"), local_addr=("127.0.1.1", 0))
                writer.write(b"x" * 100)
                await reader.read()
                writer.transport.abort()
                tries += 1
            counters = nodes.hosts["s1"].counters()
            assert counters["unproved"] <= 6  # of at most two seconds
            assert counters["crowded"] == tries - counters["unproved"] > 10
            await unharmed(nodes, listening(nodes.hosts["s1"]))

    run(main, tmp_path)
