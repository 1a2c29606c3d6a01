"""What is measured: rayswitch in each placement, and its peers, behind one small interface."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from benchmarks.kamailio import Kamailio
from tests.interop.ports import free_port
from tests.interop.processes import descendants
from tests.interop.sipp import User
from tests.interop.switch import DOMAIN, Switch


class Subject(NamedTuple):
    """A SIP server that runs: where it listens and which processes it is made of."""

    name: str
    address: str
    pids: Callable[[], list[int]]
    idle: Callable[[], None]


class Candidate(NamedTuple):
    """A SIP server that can be started for given users. `relays`: it carries the media, too."""

    name: str
    start: Callable[[Sequence[User]], AbstractContextManager[Subject]]
    relays: bool


def rayswitch(placement: str) -> Candidate:
    """Ours, with calls and registrations in the gateway or in pools."""
    name = f"rayswitch, {placement}"

    @contextmanager
    def start(users: Sequence[User]) -> Iterator[Subject]:
        with Switch(placement=placement, settings={"media": MEDIA}) as switch:
            switch.import_users(users)
            yield Subject(name, switch.ipv4, switch.all_pids, switch.await_idle)

    return Candidate(name, start, True)


MEDIA = {"address": ["127.0.0.1", "::1"], "ports": "20000-31999"}
"""Ports for 900 calls at once: 300 a second that last a second, and rest for two."""


def kamailio() -> Candidate:
    """The peer for signalling."""

    @contextmanager
    def start(users: Sequence[User]) -> Iterator[Subject]:
        port = free_port()
        with Kamailio([f"udp:127.0.0.1:{port}"], DOMAIN, [user[:2] for user in users]) as process:
            yield Subject("Kamailio", f"127.0.0.1:{port}", lambda: descendants(process.pid), lambda: None)

    return Candidate("Kamailio", start, False)
