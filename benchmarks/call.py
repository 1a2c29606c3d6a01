"""CPU of an authenticated call through everything above the sockets: parser, transactions, front, call, SDP.

No sockets, no Ray, no store: what is left is the interpreter's work with warm caches, the part of the budget that
code can change. `python -m benchmarks.call [calls] [--profile]` prints microseconds a call.

`--numbers` compares calls that get a route without a question, calls that ask an empty dial plan, and calls that ask a
filled one, with limits on both sides. Routing, lists and limits together may add 5 % to a call: of the 0.8 ms that
DESIGN §6 allows one in the switch, 40 µs; what it takes there is more (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import cProfile
import itertools
import pstats
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from actors.call import CallShell
from actors.call_desk import CallDesk
from actors.callers import Callers
from actors.composition.parts import RandomOctets
from actors.front import Front
from actors.host import Host
from actors.occupancy import OccupancyDesk
from actors.outside.outgoing import NoMembers
from actors.placement import Placement
from actors.reference import attach
from actors.registration import Location, RegistrationShell
from actors.routing import Done, Numbers, Router, Routing
from actors.sip_port import LocalSip, RemoteSip
from actors.unanswered import Unanswered
from benchmarks.routing import directory as extensions
from benchmarks.routing import records
from gateways.sip.gateway import SipGateway
from gateways.wheel import Wheel
from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.call import Settings
from rayswitch.calls.directory import Account, Directory
from rayswitch.calls.registration import Rules
from rayswitch.calls.routing.route import EXTENSION, Dialled, Route
from rayswitch.records.extension import ExtensionOptions
from rayswitch.sip import digest
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.transactions import TransactionLayer

DOMAIN = "rayswitch.local"
ALLOWED = 40e-6
"""Seconds of a call for routing, lists and limits."""
LOCAL = ("127.0.0.1", 5060)
CALLER, CALLEE = Flow("UDP", LOCAL, ("127.0.0.1", 7000)), Flow("UDP", LOCAL, ("127.0.0.1", 8000))
SDP = (
    "v=0\r\no=sipp 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)


class Wire:
    """Stands for the sockets: keeps what was sent."""

    def __init__(self) -> None:
        self.out: list[bytes] = []

    def send(self, flow: Flow, data: bytes) -> None:
        self.out.append(data)

    def connected(self, flow: Flow) -> bool:
        return True

    def take(self) -> list[bytes]:
        out, self.out = self.out, []
        return out


class Links:
    """Stands for the links: nothing is elsewhere."""

    def on(self, topic: str, handler: Any) -> None:
        pass

    def on_up(self, callback: Any) -> None:
        pass


class Media:
    """Stands for the media desk: ports at once."""

    def reserve(self, gateway: str, families: list[int], done: Any) -> None:
        done("m0", [[20000 + 2 * n, "127.0.0.1"] for n in range(len(families))])

    def connect(self, gateway: str, session: str, streams: list[Any]) -> None:
        pass

    def release(self, gateway: str, session: str, unused: list[int]) -> None:
        pass


class Journal:
    """Stands for the journal: everything is on disk at once."""

    def append(self, *writes: Any) -> None:
        pass

    def durable(self, write: Any, kept: Any, refused: Any = None) -> None:
        kept()


class Fixed:
    """Stands for the dial plan: everything leads to 101."""

    def __init__(self, directory: Directory) -> None:
        self.route_to_101 = Route(EXTENSION, f"101@{DOMAIN}", "100", "101")

    def route(self, gateway: str, dialled: Dialled, done: Done) -> None:
        done(self.route_to_101)


def empty(directory: Directory) -> Router:
    """No record at all."""
    return Router(directory, NoMembers(), lambda transport, address: None, lambda: 0.5)


def filled(directory: Directory) -> Router:
    """1,000 routes, 1,000 list records, 100 lines; 10,000 more extensions."""
    router = empty(directory)
    router.changed(records(routes=1000, blocks=1000, lines=100))
    directory.accounts.update(extensions(10_000).accounts)
    return router


class Plan(NamedTuple):
    """How calls are routed, and what is said of the two extensions."""

    routing: Callable[[Directory], Routing]
    options: ExtensionOptions = ExtensionOptions()


PLANS = {
    "none": Plan(Fixed),
    "empty": Plan(empty),
    "filled": Plan(filled, ExtensionOptions(max_calls=1000, max_outgoing_calls=1000, levels=(1, 2))),
}


class Bench:
    """One gateway with 100 and 101 registered, and a dial plan as `plan` says (`PLANS`)."""

    def __init__(self, plan: str = "empty") -> None:
        loop = asyncio.get_running_loop()
        self.spent = 0.0
        self.wire = Wire()
        links: Any = Links()
        wheel = Wheel(loop)
        ids = Identifiers("s0", RandomOctets().take)
        sockets: Any = self.wire
        self.gateway = SipGateway("s0", TransactionLayer(ids), wheel, time.monotonic, lambda gateway: sockets)
        host = self.host = Host("s0", links, wheel, time.monotonic)
        attach(host)
        directory = Directory(DOMAIN)
        for number in ("100", "101"):
            hashes = [bytes.fromhex(digest.ha1(number, DOMAIN, "pw", name)) for name in ("MD5", "SHA-256")]
            directory.accounts[number] = Account(number, hashes[0], hashes[1], PLANS[plan].options)
        nonces = digest.Nonces(bytes(32), "s0", 300.0)
        authenticator = Authenticator(DOMAIN, directory, nonces, ids.tag(ids.call(), 0))
        journal: Any = Journal()
        location = Location("s0", links, Placement(["s0"]), time.time)
        location.serve(RegistrationShell(host, journal, wheel, Rules(), time.time, lambda uri, flow: None))
        media: Any = Media()
        occupancy = OccupancyDesk("s0", links, location.placement)
        occupancy.serve()
        numbers = Numbers(PLANS[plan].routing(directory), occupancy, NoMembers())
        calls = CallDesk(links, Placement(["s0"]), lambda owner: ids)
        shell = CallShell(
            "s0", host, LocalSip("s0", self.gateway, RemoteSip("s0", links)), media, location, numbers, journal, wheel,
            Settings(DOMAIN), ids, time.monotonic, time.time, calls.other,
        )  # fmt: skip
        calls.serve(shell)
        unanswered = Unanswered("s0", self.gateway, links, calls.exists, authenticator.tag)
        callers = Callers(authenticator, directory, self.gateway)
        front = Front(self.gateway, "s0", callers, location, calls, unanswered, time.time)
        self.gateway.user = front.event
        self.count = itertools.count(1)
        self.register()

    def exchange(self, text: str, flow: Flow) -> list[str]:
        """What the switch sends upon a message."""
        data = text.encode()
        began = time.perf_counter()
        self.gateway.arrived(data, flow)
        self.spent += time.perf_counter() - began
        return [data.decode() for data in self.wire.take()]

    def register(self) -> None:
        def message(cseq: int, extra: str = "") -> str:
            contact = "101@127.0.0.1:8000"
            return request(f"REGISTER sip:{DOMAIN}", f"r{self.number}", "101", "101", cseq, "REGISTER", contact, extra)

        self.number = next(self.count)
        challenged = self.exchange(message(1), CALLEE)[0]
        answer = self.exchange(message(2, credentials(challenged, "101", "REGISTER", "Authorization")), CALLEE)
        assert answer[0].startswith("SIP/2.0 200"), answer

    def call(self) -> None:
        """INVITE 407 ACK INVITE 180 200 ACK BYE 200: eight messages in, seven out."""
        n = next(self.count)
        uri = f"INVITE sip:101@{DOMAIN}"
        contact = "100@127.0.0.1:7000"
        challenged = self.exchange(request(uri, f"c{n}", "100", "101", 1, "INVITE", contact, body=SDP), CALLER)[0]
        self.exchange(
            request(f"ACK sip:101@{DOMAIN}", f"c{n}", "100", "101", 1, "ACK", to=header(challenged, "To")), CALLER
        )
        extra = credentials(challenged, "100", "INVITE", "Proxy-Authorization")
        out = self.exchange(request(uri, f"c{n}", "100", "101", 2, "INVITE", contact, extra, SDP), CALLER)
        invite = next(text for text in out if text.startswith("INVITE"))
        self.exchange(response(invite, "180 Ringing"), CALLEE)
        out = self.exchange(response(invite, "200 OK", SDP), CALLEE)
        answer = next(text for text in out if text.startswith("SIP/2.0 200"))
        target = header(answer, "Contact")[1:-1]
        to = header(answer, "To")
        self.exchange(request(f"ACK {target}", f"c{n}", "100", "101", 2, "ACK", to=to, branch="a"), CALLER)
        out = self.exchange(request(f"BYE {target}", f"c{n}", "100", "101", 3, "BYE", to=to, branch="b"), CALLER)
        bye = next(text for text in out if text.startswith("BYE"))
        self.exchange(response(bye, "200 OK"), CALLEE)


def request(
    line: str, call: str, caller: str, called: str, cseq: int, method: str, contact: str = "", extra: str = "",
    body: str = "", to: str = "", branch: str = "",
) -> str:  # fmt: skip
    rows = [
        f"{line} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bK{call}{cseq}{branch};rport",
        "Max-Forwards: 70",
        f"From: <sip:{caller}@{DOMAIN}>;tag=t{call}",
        f"To: {to or f'<sip:{called}@{DOMAIN}>'}",
        f"Call-ID: {call}@127.0.0.1",
        f"CSeq: {cseq} {method}",
        *([f"Contact: <sip:{contact}>"] if contact else []),
        *([extra] if extra else []),
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(rows) + "\r\n\r\n" + body


def response(text: str, status: str, body: str = "") -> str:
    rows = [f"{name}: {header(text, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = header(text, "To")
    rows.append(f"To: {to}" if ";tag=" in to else f"To: {to};tag=callee")
    rows += ["Contact: <sip:101@127.0.0.1:8000>", *(["Content-Type: application/sdp"] if body else [])]
    return "\r\n".join([f"SIP/2.0 {status}", *rows, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body


def header(text: str, name: str) -> str:
    return text.partition(f"\r\n{name}: ")[2].partition("\r\n")[0]


def credentials(challenged: str, user: str, method: str, name: str) -> str:
    rows = [row.partition(": ")[2] for row in challenged.split("\r\n") if "uthenticate: " in row]
    value = digest.answer([row for row in rows if "MD5" in row], user, "pw", method, f"sip:{DOMAIN}", "abc")
    return f"{name}: {value}"


def compare(rounds: int = 60, calls: int = 50) -> int:
    """The plans by turns, the best round of each; 1 when a filled one adds more than allowed."""
    benches = {plan: Bench(plan) for plan in PLANS}
    best = dict.fromkeys(PLANS, float("inf"))
    for _ in range(rounds):
        for plan, bench in benches.items():
            attach(bench.host)
            bench.spent = 0.0
            for _ in range(calls):
                bench.call()
            best[plan] = min(best[plan], bench.spent / calls)
    for plan, cost in best.items():
        added = cost - best["none"]
        print(f"dial plan {plan:6} {cost * 1e6:4.0f} µs a call, {added * 1e6:+3.0f} µs ({added / cost * 100:.1f} %)")
    return int(best["filled"] > best["none"] + ALLOWED)


async def main() -> int:
    if "--numbers" in sys.argv:
        return compare()
    calls = int(next((word for word in sys.argv[1:] if word.isdigit()), "2000"))
    bench = Bench()
    for _ in range(200):
        bench.call()
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    if profile:
        profile.enable()
    bench.spent = 0.0
    for _ in range(calls):
        bench.call()
    spent = bench.spent
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    print(f"call: {spent / calls * 1e6:.0f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
