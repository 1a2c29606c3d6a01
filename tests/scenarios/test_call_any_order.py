"""Whatever happens in whatever order: no exception, one record, no BYE twice, and nothing stays behind."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rayswitch.calls.events import MediaGatewayRestarted, MediaRefused, MediaSilent
from tests.scenarios.switchroom import DOMAIN, Phone, Switchroom, sdp

BODIES = st.sampled_from(
    [b"", sdp(), sdp("10.0.0.1", 4000, 4002), sdp("10.9.0.1", 6000, 0), sdp("0.0.0.0"), b"v=0\r\nx"]
)
STATUSES = st.sampled_from([100, 180, 183, 200, 200, 200, 302, 401, 408, 481, 486, 487, 491, 500, 503, 603])
METHODS = st.sampled_from(["BYE", "INVITE", "UPDATE", "INFO", "MESSAGE", "OPTIONS", "REFER"])
WHO = st.integers(0, 3)
UPDATES = ("allow", "INVITE, UPDATE, PRACK")
HEADERS = st.sampled_from(
    [(), (), (("supported", "100rel"), UPDATES), (("require", "100rel"),), (("supported", "timer"),)],
)
INTERVALS = st.sampled_from(["60", "100;refresher=uac", "100;refresher=uas", "90"])
NUMBERS = st.sampled_from(["200", "201", "202", "203"])

STEPS = st.one_of(
    st.tuples(st.just("reply"), WHO, STATUSES, BODIES, st.integers(0, 5)),
    st.tuples(st.just("reply"), WHO, STATUSES, BODIES, st.integers(0, 5)),
    st.tuples(st.just("promise"), WHO, st.sampled_from([180, 183]), BODIES, st.integers(1, 3)),
    st.tuples(st.just("prack"), BODIES),
    st.tuples(st.just("send"), WHO, METHODS, BODIES),
    st.tuples(st.just("ack"), WHO, BODIES),
    st.tuples(st.just("cancel"), WHO),
    st.tuples(st.just("silent"), WHO, st.integers(0, 5)),
    st.tuples(st.just("gone"), WHO, st.integers(0, 5)),
    st.tuples(st.just("fork"), WHO, BODIES),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 1.0, 3.0, 35.0, 61.0])),
    st.tuples(st.just("media"), st.sampled_from(["at once", "later", "refused"])),
    st.tuples(st.just("lease")),
    st.tuples(st.just("media restarted")),
    st.tuples(st.just("release")),
    st.tuples(st.just("refresh"), WHO, st.sampled_from(["INVITE", "UPDATE"]), BODIES, INTERVALS),
    st.tuples(st.just("timed"), WHO, st.sampled_from([200, 422]), INTERVALS),
    st.tuples(st.just("redirect"), WHO, NUMBERS),
    st.tuples(st.just("quiet")),
    st.tuples(st.just("refer"), WHO, NUMBERS),
    st.tuples(st.just("enter"), st.integers(0, 2), BODIES),
)


class Storm:
    """A call to two devices, a third phone that wants to get into it, and what comes over it."""

    def __init__(
        self, offer: bytes, media: str, headers: tuple[tuple[str, str], ...] = (), other: Switchroom | None = None
    ) -> None:
        self.room = Switchroom(3, other=other)
        self.room.media = media
        self.room.found = self.room.found[:2] if self.room.found else None
        self.phones = [self.room.a, *self.room.devices]
        self.room.a.invite(offer, *headers)

    def step(self, name: str, *values: object) -> None:
        getattr(self, name.replace(" ", "_"))(*values)

    def reply(self, who: int, status: int, body: bytes, to: int) -> None:
        phone = self.phones[who]
        index = to % len(phone.got) if phone.got else 0
        if not phone.got:
            return
        key, method = phone.keys[index], phone.got[index].method
        if key in self.room.call.pending or (200 <= status < 300 and method == "INVITE"):
            phone.reply(status, body, to=index)

    def promise(self, who: int, status: int, body: bytes, number: int) -> None:
        phone = self.phones[who]
        if phone.got and phone.got[0].method == "INVITE" and phone.keys[0] in self.room.call.pending:
            phone.reply(status, body, ("require", "100rel"), ("rseq", str(number)), UPDATES, to=0)

    def prack(self, body: bytes) -> None:
        for answer in self.room.a.answers:
            if answer.has("rseq"):
                self.room.a.send("PRACK", body, ("rack", f"{answer.get('rseq')} 1 INVITE"))
                return

    def fork(self, who: int, body: bytes) -> None:
        phone = self.phones[who]
        if phone.got and phone.got[0].method == "INVITE":
            phone.reply(200, body, to=0, tag="fork")

    def send(self, who: int, method: str, body: bytes) -> None:
        if who == 0 or self.phones[who].got:
            self.phones[who].send(method, body)

    def refresh(self, who: int, method: str, body: bytes, interval: str) -> None:
        if who == 0 or self.phones[who].got:
            self.phones[who].send(method, body, ("supported", "timer"), ("session-expires", interval))

    def timed(self, who: int, status: int, interval: str) -> None:
        """The answer to the last request, with something about the interval."""
        phone = self.phones[who]
        if phone.got and phone.keys[len(phone.got) - 1] in self.room.call.pending:
            seconds = interval.partition(";")[0]
            header = ("min-se", seconds) if status == 422 else ("session-expires", interval)
            phone.reply(status, sdp("10.9.0.1", 6000) if status == 200 else b"", header)

    def redirect(self, who: int, number: str) -> None:
        phone = self.phones[who]
        if phone.got and phone.keys[0] in self.room.call.pending and phone.got[0].method == "INVITE":
            phone.reply(302, b"", ("contact", f"<sip:{number}@{DOMAIN}>"), to=0)

    def refer(self, who: int, number: str) -> None:
        if who == 0 or self.phones[who].got:
            self.phones[who].send("REFER", b"", ("refer-to", f"<sip:{number}@{DOMAIN}>"))

    def enter(self, who: int, body: bytes) -> None:
        """Once, in the place of somebody."""
        if not self.phones[3].servers:
            self.phones[3].enter(self.phones[who].replaces(), body)

    def attend(self, who: int, other: Phone) -> None:
        """A REFER to the other side of a second call."""
        if who == 0 or self.phones[who].got:
            to = f"<sip:201@{DOMAIN}?Replaces={quote(other.replaces(), safe='')}>"
            self.phones[who].send("REFER", b"", ("refer-to", to))

    def quiet(self) -> None:
        self.room.feed(MediaSilent(300.0))

    def ack(self, who: int, body: bytes) -> None:
        for number in list(self.phones[who].servers):
            self.phones[who].ack(body, number)

    def cancel(self, who: int) -> None:
        phone: Phone = self.phones[who]
        for number in list(phone.servers):
            if phone.statuses(number) in ([], [180], [183]):
                phone.cancel(number)

    def silent(self, who: int, to: int) -> None:
        if self.phones[who].got:
            self.phones[who].silent(to)

    def gone(self, who: int, to: int) -> None:
        if self.phones[who].got:
            self.phones[who].gone(to)

    def wait(self, seconds: float) -> None:
        self.room.clock.run(seconds)

    def media(self, how: str) -> None:
        self.room.media = how

    def lease(self) -> None:
        """The answer that "later" has left open."""
        media = self.room.call.media
        if media is not None and media.asked and not self.room.ended:
            self.room.lease()

    def media_restarted(self) -> None:
        self.room.feed(MediaGatewayRestarted())

    def release(self) -> None:
        self.room.order_release()

    def calm(self) -> None:
        """Everybody answers what is still open, and time passes."""
        if self.room.call.media is not None and self.room.call.media.asked:
            self.room.feed(MediaRefused())
        for _ in range(4):
            self.room.settle()
            self.room.order_release()
            for who in range(4):
                self.ack(who, b"")
        self.room.clock.run(100)
        self.room.settle()


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([sdp(), sdp(), sdp("10.0.0.1", 4000, 4002), b""]),
    st.sampled_from(["at once", "at once", "later", "refused"]),
    HEADERS,
    st.lists(STEPS, max_size=25),
)
def test_any_order(
    offer: bytes, media: str, headers: tuple[tuple[str, str], ...], steps: list[tuple[object, ...]]
) -> None:
    storm = Storm(offer, media, headers)
    for name, *values in steps:
        storm.step(str(name), *values)
    storm.calm()
    judge(storm)


def judge(storm: Storm) -> None:
    """It is over, and was right."""
    room = storm.room
    assert room.ended, (room.call.phase, room.call.pending)
    assert len(room.records) == 1 and room.leased == set()
    for phone in storm.phones:
        byes = Counter((request.call_id, request.to.tag) for request in phone.got if request.method == "BYE")
        assert all(count == 1 for count in byes.values()), byes
    finals = [status for status in room.a.statuses(1) if status >= 200]
    assert len(set(finals)) == 1, finals


@settings(max_examples=150)
@given(st.sampled_from([sdp(), b""]), st.lists(STEPS, max_size=15))
def test_any_order_and_a_restart(offer: bytes, steps: list[tuple[object, ...]]) -> None:
    storm = Storm(offer, "at once")
    room = storm.room
    for name, *values in steps:
        storm.step(str(name), *values)
    if room.ended or not room.saved or room.records:
        return
    room.call.pending.clear()
    room.restart()
    for name, *values in steps:
        storm.step(str(name), *values)
    storm.calm()
    assert room.ended and len(room.records) == 1


TALK = (("reply", 1, 200, sdp("10.9.0.1", 6000), 0), ("ack", 0, b""))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 1), STEPS), max_size=6),
    st.lists(st.tuples(st.integers(0, 1), STEPS), max_size=20),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 2),
)
def test_two_calls_that_become_one(
    before: list[tuple[int, tuple[object, ...]]],
    after: list[tuple[int, tuple[object, ...]]],
    orders: int,
    replaced: int,
    agree: int,
) -> None:
    """`agree`: how many of the two who are connected say yes before anything else happens."""
    first = Storm(sdp(), "at once")
    storms = [first, Storm(sdp(), "at once", other=first.room)]
    for which, (name, *values) in [*((which, step) for step in TALK for which in (0, 1)), *before]:
        storms[which].step(str(name), *values)
    first.attend(orders, storms[1].phones[replaced])
    first.room.clock.run(0.01)
    for storm in [storms[1], first][:agree]:
        for who, phone in enumerate(storm.phones):
            storm.reply(who, 200, sdp(f"10.9.0.{who}", 6000), len(phone.got) - 1)
        first.room.clock.run(0.01)
    for which, (name, *values) in after:
        storms[which].step(str(name), *values)
        first.room.clock.run(0.01)
    for _ in range(2):
        for storm in storms:
            storm.calm()
    for storm in storms:
        judge(storm)
