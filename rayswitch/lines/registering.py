"""The registration of a line at its registrar: the client of RFC 3261 §10.2 as a machine.

    idle → asking ⇄ waiting (for the refresh, or after a failure)
             ↓ (Stop)
           leaving → gone

One REGISTER is under way at a time (§10.2).  What it comes to is decided by the status of its response: 2xx, a
challenge, 423, the 400 of a registrar that cannot bear a CSeq that rises, anything else.  A line stays registered
through failures until the time that was granted last is over.

`register_same_dialog: auto` begins as RFC 3261 §10.2.4 says, with one Call-ID and a CSeq that rises, and changes over
to a new Call-ID for every REGISTER when the registrar answers `P-Registrar-Error: Invalid CSeq number`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rayswitch.lines.account import ALWAYS, NEVER, Account
from rayswitch.lines.backing_off import REFUSED, SILENT, Patience, refresh_after
from rayswitch.lines.effects import Changed, Done, Register, Wake, Warn
from rayswitch.lines.events import Answered, Due, Reach, Stop, Unanswered
from rayswitch.lines.granting import granted, retry_after
from rayswitch.sip.answering import MOST_ANSWERS, Answering, challenges, is_stale
from rayswitch.sip.headers import expires_of
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import BadMessage, Request, Response

Effects = list[Any]

CSEQ_ERROR = "invalid cseq"
"""In P-Registrar-Error, from a registrar that wants a new Call-ID for every REGISTER."""
MOST_SECONDS = 86400
"""A registrar that wants longer registrations than this is not obeyed."""
UNWILLING = frozenset((401, 402, 403, 404, 405, 407, 410, 416, 420, 485, 603, 604))
"""Answers that will be the same when we ask again at once."""


class Registering:
    """The registration of one line; `handle(event, now) -> effects`, `now` in seconds of any clock."""

    def __init__(self, account: Account, ids: Identifiers) -> None:
        self.account = account
        self.ids = ids
        self.out: Effects = []
        self.now = 0.0
        self.state = "idle"
        self.answering = Answering(account.user, account.secret, ids.token)
        self.contacts: list[str] = []
        self.former: list[str] = []
        """Contacts that are registered, or may be, and shall not be."""
        self.sent: list[str] = []
        """The contacts of the REGISTER that was sent last."""
        self.stopping = False
        self.anew = account.same_dialog == NEVER
        """A new Call-ID for every REGISTER."""
        self.call_id = ""
        self.tag = ""
        self.cseq = 0
        self.number = 0
        """Of the REGISTER that was sent last."""
        self.answers = 0
        """Challenges answered since the registration was last begun."""
        self.lengthened = False
        self.expires = account.expires
        self.until = 0.0
        """When the time that was granted ends."""
        self.registered = False
        self.failures = 0
        self.serial = 0
        """Of the timer that counts."""
        self.service_route: list[str] = []
        """RFC 3608: the way of requests that the line sends."""
        self.detail = "not asked yet"

    def handle(self, event: Any, now: float) -> Effects:
        """Effects of one event; an event of another type is a programming error (KeyError)."""
        self.now, self.out = now, []
        HANDLERS[type(event)](self, event)
        return self.out

    # -- orders --------------------------------------------------------------------------------------------------------

    def reach(self, event: Reach) -> None:
        """Register these contacts; while a REGISTER is under way they wait for the next one."""
        if self.stopping or event.contacts == self.contacts:
            return
        self.former = [uri for uri in [*self.former, *self.contacts] if uri not in event.contacts]
        self.contacts = list(event.contacts)
        if self.state in ("idle", "waiting"):
            self.begin()

    def stop(self, event: Stop) -> None:
        """Un-register; a REGISTER under way comes first, for it may still succeed (§10.2.2)."""
        del event
        self.stopping = True
        if self.state != "asking":
            self.leave()

    def leave(self) -> None:
        """Remove what is registered."""
        if not self.registered:
            self.gone("not registered any more")
            return
        self.state, self.answers = "leaving", 0
        self.former = [*self.former, *self.contacts]
        self.contacts = []
        self.send()

    def gone(self, detail: str) -> None:
        """That was all."""
        self.state = "gone"
        self.mark(False, detail)
        self.out.append(Done())

    # -- asking --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new registration or refresh."""
        self.state, self.answers, self.lengthened = "asking", 0, False
        self.send()

    def send(self) -> None:
        """One REGISTER more."""
        if self.anew or not self.call_id:
            self.call_id, self.tag, self.cseq = self.ids.call_id(), self.ids.loose_tag(), 0
        self.cseq += 1
        self.number += 1
        self.sent = self.contacts
        self.out.append(Register(self.number, self.request()))

    def request(self) -> Request:
        """The REGISTER (§10.2): each contact says for how long, so that old ones go with the same request."""
        account = self.account
        contacts = [f"<{uri}>;expires={self.expires}" for uri in self.contacts]
        contacts += [f"<{uri}>;expires=0" for uri in self.former]
        return Request.new(
            "REGISTER",
            account.registrar,
            [
                *(("route", hop) for hop in account.route),
                ("max-forwards", "70"),
                ("from", f"<{account.address}>;tag={self.tag}"),
                ("to", f"<{account.address}>"),
                ("call-id", self.call_id),
                ("cseq", f"{self.cseq} REGISTER"),
                *(("contact", contact) for contact in contacts),
                ("expires", str(self.expires if self.contacts else 0)),
                ("supported", "path"),
                *self.answering.rows("REGISTER", account.registrar),
            ],
        )

    # -- answers -------------------------------------------------------------------------------------------------------

    def answered(self, event: Answered) -> None:
        """A response to what was sent last; provisional ones tell nothing."""
        response = event.response
        if event.number != self.number or self.state not in ("asking", "leaving") or response.status < 200:
            return
        try:
            STATUS.get(response.status, Registering.other)(self, response)
        except BadMessage as error:
            self.fail(f"{response.status} that cannot be read: {error.reason}", SILENT)

    def ok(self, response: Response) -> None:
        """Registered, for as long as it says."""
        self.answering.accepted(response)
        self.former = [uri for uri in self.former if uri in self.sent]
        if self.state == "leaving":
            self.gone("unregistered")
            return
        seconds = granted(response, self.contacts, self.expires)
        if seconds <= 0:
            self.fail("the registrar granted no time", SILENT)
            return
        self.failures = 0
        self.until = self.now + seconds
        self.service_route = response.values("service-route")
        self.mark(True, f"registered for {seconds} s")
        self.pause(refresh_after(seconds, self.chance()))

    def challenged(self, response: Response) -> None:
        """401 or 407: answered, unless an answer to a fresh challenge was refused."""
        offers = challenges(response)
        known = self.answers > 0 and not is_stale(offers) and response.status in self.answering.offers
        if known or self.answers >= MOST_ANSWERS:
            self.fail(f"{response.status}: wrong user or secret", REFUSED)
        elif not self.answering.learn(response.status, offers):
            self.fail(f"{response.status} without a challenge that can be answered", REFUSED)
        else:
            self.answers += 1
            self.send()

    def too_brief(self, response: Response) -> None:
        """423: ask for longer, once (§10.2.8)."""
        least = expires_of(response.get("min-expires")) or 0
        if self.lengthened or not self.expires < least <= MOST_SECONDS:
            self.fail(f"423 with Min-Expires {least}", SILENT)
            return
        self.lengthened, self.expires = True, least
        self.send()

    def bad_request(self, response: Response) -> None:
        """400: perhaps of a registrar that takes one REGISTER for each Call-ID."""
        error = (response.get("p-registrar-error") or "").lower()
        if CSEQ_ERROR not in error or self.anew:
            self.other(response)
        elif self.account.same_dialog == ALWAYS:
            self.other(response, "it wants a new Call-ID for every REGISTER; remedy: register_same_dialog: auto")
        else:
            self.anew = True
            self.warn("wants a new Call-ID for every REGISTER, and gets it from now on (register_same_dialog: auto)")
            self.send()

    def other(self, response: Response, why: str = "") -> None:
        """A refusal; Retry-After is obeyed when it is longer than what we would have waited (§20.33)."""
        patience = REFUSED if response.status in UNWILLING else SILENT
        said = (f"{response.status} {response.reason}".strip(), response.get("p-registrar-error"), why)
        self.fail(": ".join(filter(None, said)), patience, retry_after(response))

    def unanswered(self, event: Unanswered) -> None:
        """Nobody said anything."""
        if event.number == self.number and self.state in ("asking", "leaving"):
            self.fail(event.reason, SILENT)

    def fail(self, detail: str, patience: Patience, at_least: float = 0.0) -> None:
        """Later again; a line that was leaving is gone as far as we can make it."""
        if self.state == "leaving":
            self.gone(f"unregistering failed: {detail}")
            return
        self.failures += 1
        if self.failures == 1:
            self.warn(f"REGISTER failed: {detail}")
        still = self.registered and self.now < self.until
        self.mark(still, detail)
        delay = max(at_least, patience.wait(self.failures, self.chance()))
        self.pause(min(delay, max(self.until - self.now, 1.0)) if still else delay)

    def pause(self, delay: float) -> None:
        """Wait, unless something came up meanwhile."""
        self.state = "waiting"
        if self.stopping:
            self.leave()
        elif self.contacts != self.sent:  # they changed while the REGISTER was under way
            self.begin()
        else:
            self.serial += 1
            self.out.append(Wake(delay, self.serial))

    def due(self, event: Due) -> None:
        """Time to refresh, or to try again."""
        if event.serial != self.serial or self.state != "waiting":
            return
        if self.registered and self.now >= self.until:
            self.mark(False, self.detail)
        self.begin()

    # -- telling -------------------------------------------------------------------------------------------------------

    def mark(self, registered: bool, detail: str) -> None:
        """What people see, and who sends calls."""
        if (registered, detail) != (self.registered, self.detail):
            self.registered, self.detail = registered, detail
            self.out.append(Changed(registered, detail))

    def warn(self, text: str) -> None:
        self.out.append(Warn(f"registrar {self.account.registrar} {text}"))

    def chance(self) -> float:
        """From 0 to 1."""
        return int.from_bytes(self.ids.token(2), "big") / 0x10000


STATUS: dict[int, Callable[[Registering, Response], None]] = {
    **dict.fromkeys(range(200, 300), Registering.ok),
    400: Registering.bad_request,
    401: Registering.challenged,
    407: Registering.challenged,
    423: Registering.too_brief,
}

HANDLERS: dict[type, Callable[[Registering, Any], None]] = {
    Reach: Registering.reach,
    Stop: Registering.stop,
    Answered: Registering.answered,
    Unanswered: Registering.unanswered,
    Due: Registering.due,
}
