"""A hundred thousand random and mutated messages, by UDP and by TCP: nothing dies, nothing grows, calls go
on.

The messages grow out of those of RFC 4475 and RFC 5118 and of an INVITE and a REGISTER that are right, with
bytes flipped, cut, repeated and spliced by a seeded source. Time for what the transaction layer must
remember of them (64 × T1 = 32 s) is given before the memory is looked at. Nobody is banned: the honest phones
have the address of the sender, some of whose messages are calls of strangers.
"""

import random
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.interop.agent import Agent
from tests.interop.processes import await_true
from tests.interop.switch import DOMAIN, Switch, users

DATA = Path(__file__).parents[1] / "data"
DATAGRAMS, STREAMS = 90_000, 10_000
RATE = 4_000  # a second
GROWTH = 10 << 20

CALLER, CALLEE = users(7000, 1)[0], users(7001, 1)[0]


def _seeds() -> list[bytes]:
    files = sorted((DATA / "rfc4475").iterdir()) + sorted((DATA / "rfc5118").iterdir())
    head = (
        "{0} sip:7001@rayswitch.local SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{0}1;rport\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:7000@rayswitch.local>;tag=1\r\nTo: <sip:7001@rayswitch.local>\r\n"
        "Call-ID: fuzz{0}\r\nCSeq: 1 {0}\r\nContact: <sip:7000@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
    return [path.read_bytes() for path in files] + [head.format(m).encode() for m in ("INVITE", "REGISTER", "BYE")]


def mutate(dice: random.Random, seeds: list[bytes]) -> bytes:
    """One message: in one of ten cases pure noise, else a seed that went through one to four mutations."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(1, 1400))
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randrange(1, 5)):
        if not data:
            break
        place, length = dice.randrange(len(data)), dice.randrange(1, 40)
        kind = dice.randrange(6)
        if kind == 0:
            data[place] = dice.randrange(256)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * dice.randrange(1, 30)
        elif kind == 3:
            data[place:place] = dice.randbytes(length)
        elif kind == 4:
            other = dice.choice(seeds)
            data[place:] = other[dice.randrange(len(other)) :]
        else:
            data[place : place + length] = dice.choice((b"\r\n", b"\0", b"99999999999999999999", b"<>", b'"', b"%00"))
    return bytes(data[:60_000])


def _memory(switch: Switch) -> dict[int, int]:
    """Bytes by process.  Ray's own daemons are left out: no message reaches them, and they take some 3 MB in
    their first minutes whether there is traffic or not.
    """
    rows = switch.status()["processes"]
    return {row["id"]: row["memory"] for row in rows if not row["role"].startswith("ray ")}


def _send_datagrams(switch: Switch, stop: threading.Event) -> None:
    dice, seeds = random.Random(4475), _seeds()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        began = time.monotonic()
        for number in range(DATAGRAMS):
            out.sendto(mutate(dice, seeds), ("127.0.0.1", switch.port))
            if number % 40 == 0:
                late = began + number / RATE - time.monotonic()
                if late > 0 and stop.wait(late):
                    return


def _send_streams(switch: Switch, stop: threading.Event) -> None:
    dice, seeds = random.Random(5118), _seeds()
    for _ in range(STREAMS):
        if stop.is_set():
            return
        with socket.create_connection(("127.0.0.1", switch.port)) as out:
            try:
                for _ in range(dice.randrange(1, 4)):
                    out.sendall(mutate(dice, seeds))
            except (ConnectionResetError, BrokenPipeError):
                pass  # the switch may well close on such a stream


def _call(near: Agent) -> None:
    call = near.dial(CALLER.number, CALLER.password, CALLEE.number, 9)
    assert call.bye().status == 200


@pytest.mark.parametrize("switch", [{"settings": {"protection": {"ban": 0}}}], indirect=True, ids=[""])
def test_a_hundred_thousand_bad_messages(switch: Switch) -> None:
    switch.import_users([CALLER, CALLEE])
    with Agent(switch.ipv4, DOMAIN) as near, Agent(switch.ipv4, DOMAIN) as far:
        far.register(CALLEE.number, CALLEE.password)
        for _ in range(20):
            _call(near)  # what every process allocates once is allocated now
        switch.await_idle()
        before, processes = _memory(switch), set(switch.pids())
        stop = threading.Event()
        senders = [threading.Thread(target=send, args=(switch, stop)) for send in (_send_datagrams, _send_streams)]
        for sender in senders:
            sender.start()
        made = 0
        try:
            while any(sender.is_alive() for sender in senders):
                _call(near)
                made += 1
                stop.wait(0.2)  # used media ports rest for two seconds
        finally:
            stop.set()
            for sender in senders:
                sender.join()
        assert made > 0
        _call(near)

    def growth() -> int:
        after = _memory(switch)
        assert processes <= set(switch.pids()), "a process ended"
        return sum(after.values()) - sum(before.values())

    sizes: list[int] = []

    def is_small() -> bool:
        sizes.append(growth() >> 10)
        return sizes[-1] <= GROWTH >> 10

    try:
        await_true(is_small, f"no more than {GROWTH >> 20} MB of growth", timeout=45, pause=3)
    except AssertionError as error:
        raise AssertionError(f"{error}: KB by time {sizes}") from None
