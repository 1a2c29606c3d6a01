"""A line in invented time, and the carrier's answers to what it sends."""

from __future__ import annotations

from typing import Any

from rayswitch.lines.account import Account
from rayswitch.lines.effects import Changed, Done, Register, Wake, Warn
from rayswitch.lines.events import Answered, Due, Reach, Stop, Unanswered
from rayswitch.lines.registering import Registering
from rayswitch.sip.digest import challenge, ha1, parse_credentials, verify
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, respond

HERE, THERE = "sip:alice@192.0.2.1:5060", "sip:alice@192.0.2.2:5060"
REALM = "carrier.example"


class Octets:
    """Invented randomness: a counter; the same octets are never given twice."""

    def __init__(self) -> None:
        self.count = 0

    def take(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")


class Carrier:
    """One line, everything it did, and its answers made easy."""

    def __init__(self, **account: Any) -> None:
        values = {"address": "sip:alice@carrier.example", "registrar": "sip:carrier.example", "user": "alice",
                  "secret": "wonder"} | account  # fmt: skip
        self.line = Registering(Account(**values), Identifiers("s0", Octets().take))
        self.now = 1000.0
        self.sent: list[Request] = []
        self.numbers: list[int] = []
        self.timers: list[Wake] = []
        self.changes: list[tuple[bool, str]] = []
        self.warnings: list[str] = []
        self.done = False

    def tell(self, event: Any) -> None:
        for effect in self.line.handle(event, self.now):
            TAKE[type(effect)](self, effect)

    def register(self, effect: Register) -> None:
        self.sent.append(effect.request)
        self.numbers.append(effect.number)

    def reach(self, *contacts: str) -> None:
        self.tell(Reach(list(contacts or (HERE,))))

    @property
    def last(self) -> Request:
        return self.sent[-1]

    def answer(self, status: int, *headers: tuple[str, str]) -> None:
        """To the REGISTER that was sent last."""
        self.tell(Answered(self.numbers[-1], respond(self.last, status, headers=headers)))

    def ok(self, expires: int = 3600, *headers: tuple[str, str]) -> None:
        """200, granting every contact that was asked for this time."""
        contacts = [str(contact.uri) for contact in self.last.contacts if contact.expires]
        self.answer(200, *(("contact", f"<{uri}>;expires={expires}") for uri in contacts), *headers)

    def ask(self, nonce: str = "n1", algorithm: str = "MD5", status: int = 401, stale: bool = False) -> None:
        name = "www-authenticate" if status == 401 else "proxy-authenticate"
        self.answer(status, (name, challenge(REALM, nonce, algorithm, stale)))

    def silence(self) -> None:
        self.tell(Unanswered(self.numbers[-1], "no answer"))

    def wait(self) -> float:
        """Until the last timer runs out; how long that was."""
        timer = self.timers[-1]
        self.now += timer.delay
        self.tell(Due(timer.serial))
        return timer.delay

    def stop(self) -> None:
        self.tell(Stop())


def proved(request: Request, secret: str = "wonder", header: str = "authorization") -> Any:
    """The credentials of a request, which have to be right."""
    credentials = parse_credentials(request.get(header) or "")
    assert credentials is not None
    assert verify(credentials, ha1("alice", REALM, secret, credentials.algorithm), request.method)
    return credentials


TAKE: dict[type, Any] = {
    Register: Carrier.register,
    Wake: lambda carrier, effect: carrier.timers.append(effect),
    Changed: lambda carrier, effect: carrier.changes.append((effect.registered, effect.detail)),
    Warn: lambda carrier, effect: carrier.warnings.append(effect.text),
    Done: lambda carrier, effect: setattr(carrier, "done", True),
}
