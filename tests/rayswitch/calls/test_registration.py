"""The registrar's rules: RFC 3261 §10.3, RFC 3327, RFC 5626."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from rayswitch.calls.effects import Ended, KeepAlive, Reply, SaveBindings, StartTimer
from rayswitch.calls.events import LookedUp, RegisterReceived, TimerFired
from rayswitch.calls.registration import NAT_PERIOD, Registration, Rules
from rayswitch.sip.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("10.0.0.1", 5062))
NATTED = Flow("UDP", ("192.0.2.1", 5060), ("203.0.113.9", 40000))
TCP = Flow("TCP", ("192.0.2.1", 5060), ("10.0.0.1", 40000), "s0", 7)
ONE, TWO, THREE, FOUR = (f"sip:100@10.0.0.1:506{number}" for number in (1, 2, 3, 4))


class Desk:
    """A registration, and what it has done."""

    def __init__(self, **rules: Any) -> None:
        self.registration = Registration(Rules(**rules))
        self.wall = 1000.0
        self.cseq = 0
        self.effects: list[Any] = []

    def register(
        self, *contacts: Any, expires: int | None = None, call: str = "c1", cseq: int = 0, flow: Flow = FLOW,
        path: tuple[str, ...] = (), star: bool = False, query: bool = False, nat: str = "auto", most: int = 0,
    ) -> list[Any]:  # fmt: skip
        """The answer: [status, reason, headers, contacts]; a contact is a URI or [uri, params, seconds]."""
        self.cseq += 1
        rows = [[row, "", None] if isinstance(row, str) else list(row) for row in contacts]
        wanted: Any = "*" if star else None if query else rows
        event = RegisterReceived(7, call, cseq or self.cseq, wanted, expires, list(path), flow, self.wall, nat, most)
        return self.reply(event)

    def reply(self, event: Any) -> list[Any]:
        self.effects = self.registration.handle(event, 0.0)
        (reply,) = [
            effect.reply if isinstance(effect, SaveBindings) else effect
            for effect in self.effects
            if isinstance(effect, SaveBindings | Reply)
        ]
        assert reply is not None and reply.token == 7
        value: list[Any] = reply.value
        return value

    def found(self) -> list[Any]:
        return self.reply(LookedUp(7, self.wall))

    def uris(self) -> list[str]:
        return [row[0] for row in self.found()]

    def some(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


def test_a_binding_is_made_durable_before_it_is_answered() -> None:
    desk = Desk()
    assert desk.register(ONE) == [200, "OK", [], [[ONE, "", 3600, []]]]
    (save,) = desk.some(SaveBindings)
    assert save.expires == 4600.0 and save.reply is not None and desk.some(Reply) == []
    msgpack.packb(save.snapshot)


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [(None, None, 3600), (120, None, 120), (120, 600, 120), (None, 600, 600), (10**9, None, 86400), (60, None, 60)],
)
def test_whose_expiry_counts(contact: int | None, header: int | None, granted: int) -> None:
    assert Desk().register([ONE, "", contact], expires=header)[3][0][2] == granted


def test_too_brief_is_423_and_changes_nothing() -> None:
    desk = Desk()
    desk.register(ONE)
    answer = desk.register(TWO, [THREE, "", 59])
    assert answer[:3] == [423, "Interval Too Brief", [["min-expires", "60"]]]
    assert desk.some(SaveBindings) == [] and desk.uris() == [ONE]


def test_a_query_changes_nothing_and_is_answered_at_once() -> None:
    desk = Desk()
    desk.register(ONE)
    desk.wall += 100
    assert desk.register(query=True)[3] == [[ONE, "", 3500, []]]
    assert desk.some(SaveBindings) == []


def test_several_contacts_refresh_and_removal() -> None:
    desk = Desk()
    desk.register(ONE, TWO)
    desk.wall += 50
    desk.register([ONE, "", 0], [TWO, "", 100])
    assert desk.register(query=True)[3] == [[TWO, "", 100, []]]


def test_the_last_removal_ends_the_registration() -> None:
    desk = Desk()
    desk.register(ONE)
    assert desk.register([ONE, "", 0])[3] == []
    (save,) = desk.some(SaveBindings)
    assert save.snapshot is None and desk.some(Ended)


def test_star_removes_all() -> None:
    desk = Desk()
    desk.register(ONE, TWO)
    assert desk.register(star=True, expires=0) == [200, "OK", [], []]
    assert desk.some(Ended)


def test_star_of_an_old_request_removes_nothing() -> None:
    desk = Desk()
    desk.register(ONE, call="other")
    desk.register(TWO, cseq=9)
    assert desk.register(star=True, expires=0, cseq=9)[0] == 500
    assert len(desk.uris()) == 2


def test_cseq_must_rise_within_a_call_id() -> None:
    desk = Desk()
    desk.register(ONE, cseq=5)
    for cseq in (5, 4):
        assert desk.register(TWO, ONE, cseq=cseq)[0] == 500
    assert desk.uris() == [ONE]
    assert desk.register(ONE, cseq=6)[0] == 200
    assert desk.register(ONE, cseq=1, call="after a reboot")[0] == 200


def test_one_contact_twice_in_one_request() -> None:
    desk = Desk()
    assert desk.register(ONE, [ONE, "", 600])[3] == [[ONE, "", 600, []]]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("sip:100@10.0.0.1", "sip:100@10.0.0.1", True),
        ("sip:100@PHONE.example.com", "sip:100@phone.EXAMPLE.com", True),
        ("sip:%3100@10.0.0.1", "sip:100@10.0.0.1", True),
        ("sip:100@10.0.0.1", "sip:100@10.0.0.1:5060", False),
        ("sip:100@10.0.0.1", "sip:100@10.0.0.1;transport=tcp", False),
        ("sip:100@10.0.0.1", "sips:100@10.0.0.1", False),
        ("tel:+1-201-555-0123", "tel:+12015550123", True),
        ("mailto:100@example.com", "sip:100@10.0.0.1", False),
    ],
)
def test_which_contacts_are_one(first: str, second: str, same: bool) -> None:
    desk = Desk()
    desk.register(first)
    desk.register(second)
    assert len(desk.uris()) == (1 if same else 2)


def test_instance_and_reg_id_name_the_device_whatever_its_address() -> None:
    desk = Desk()
    instance = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
    desk.register([ONE, f"{instance};reg-id=1", None])
    desk.register([TWO, f"{instance};reg-id=1", None])
    assert desk.uris() == [TWO]
    desk.register([THREE, f"{instance};reg-id=2", None])
    desk.register([FOUR, instance, None])
    assert sorted(desk.uris()) == [TWO, THREE, FOUR]


def test_one_device_too_many_replaces_the_oldest() -> None:
    desk = Desk()
    for uri in (ONE, TWO, THREE):
        desk.wall += 1
        desk.register(uri)
    desk.wall += 1
    desk.register(ONE)
    desk.wall += 1
    desk.register(FOUR)
    assert sorted(desk.uris()) == [ONE, THREE, FOUR]


def test_one_device_too_many_is_refused_whole() -> None:
    desk = Desk(max_contacts=2, replace=False)
    desk.register(ONE, TWO)
    assert desk.register(ONE, THREE)[0] == 403
    assert sorted(desk.uris()) == [ONE, TWO]
    assert desk.register([ONE, "", 0], THREE)[0] == 200


def test_an_extension_may_have_a_limit_of_its_own() -> None:
    desk = Desk()
    for uri in (ONE, TWO, THREE, FOUR):
        desk.wall += 1
        desk.register(uri, most=4)
    assert len(desk.uris()) == 4
    desk.wall += 1
    desk.register(FOUR, most=2)  # it was lowered meanwhile
    assert sorted(desk.uris()) == [THREE, FOUR]


def test_the_most_wanted_first_then_the_latest() -> None:
    desk = Desk()
    desk.register([ONE, ";q=0.2", None])
    desk.wall += 1
    desk.register(TWO)
    desk.wall += 1
    desk.register([THREE, ";q=abc", None])
    assert desk.uris() == [THREE, TWO, ONE]


def test_path_is_kept_and_the_flow_is_that_of_the_edge() -> None:
    desk = Desk()
    desk.register("sip:100@10.7.7.7", path=("<sip:edge;lr>",), flow=NATTED)
    assert desk.found() == [["sip:100@10.7.7.7", list(NATTED), ["<sip:edge;lr>"]]]
    assert all(timer.name != "keep-alive" for timer in desk.some(StartTimer))


def test_expiry() -> None:
    desk = Desk()
    desk.register([ONE, "", 100], [TWO, "", 200])
    (timer,) = desk.some(StartTimer)
    assert (timer.name, timer.delay) == ("expiry", 101.0)
    desk.wall += 100
    assert desk.uris() == [TWO]
    effects = desk.registration.handle(TimerFired("expiry", timer.data), 0.0)
    (later,) = effects
    desk.wall += 101
    assert desk.uris() == []
    effects = desk.registration.handle(TimerFired("expiry", later.data), 0.0)
    assert effects == [SaveBindings(None, 0.0, None), Ended()]


def test_a_refreshed_binding_outlives_its_timer() -> None:
    desk = Desk()
    desk.register([ONE, "", 100])
    (timer,) = desk.some(StartTimer)
    desk.wall += 90
    desk.register([ONE, "", 100])
    assert desk.some(StartTimer) == []
    (again,) = desk.registration.handle(TimerFired("expiry", timer.data), 0.0)
    assert isinstance(again, StartTimer) and desk.uris() == [ONE]
    assert desk.registration.handle(TimerFired("expiry", 1.0), 0.0) == []


@pytest.mark.parametrize("request_", [{"query": True}, {"star": True, "expires": 0}])
def test_a_registration_without_bindings_does_not_stay(request_: dict[str, Any]) -> None:
    desk = Desk()
    assert desk.register(**request_)[0] == 200
    assert desk.some(Ended)
    desk = Desk()
    assert desk.register([ONE, "", 5])[0] == 423 and desk.some(Ended)


def test_a_query_after_everything_ran_out_removes_the_row() -> None:
    desk = Desk()
    desk.register([ONE, "", 60])
    desk.wall += 61
    effects = desk.registration.handle(RegisterReceived(7, "c1", 9, None, None, [], FLOW, desk.wall), 0.0)
    assert SaveBindings(None, 0.0, None) in effects and effects[-1] == Ended()


def test_keep_alive_for_natted_udp_bindings_alone() -> None:
    desk = Desk()
    desk.register(ONE)
    assert [timer.name for timer in desk.some(StartTimer)] == ["expiry"]
    desk.register(TWO, flow=TCP)
    assert desk.some(StartTimer) == []
    desk.register("sip:100@192.168.1.5", flow=NATTED)
    (timer,) = desk.some(StartTimer)
    assert (timer.name, timer.delay) == ("keep-alive", NAT_PERIOD)
    ping, again = desk.registration.handle(TimerFired("keep-alive", timer.data), 0.0)
    assert ping == KeepAlive("sip:100@192.168.1.5", NATTED)
    assert (again.name, again.delay) == ("keep-alive", NAT_PERIOD)
    assert desk.registration.handle(TimerFired("keep-alive", timer.data), 0.0) == [], "of an earlier registration"
    desk.register(["sip:100@192.168.1.5", "", 0])
    assert desk.registration.handle(TimerFired("keep-alive", again.data), 0.0) == []
    desk.register("sip:100@192.168.1.5", flow=NATTED)
    assert [timer.name for timer in desk.some(StartTimer)] == ["keep-alive"]


def test_snapshot_and_restore() -> None:
    desk = Desk()
    desk.register([ONE, ";q=0.5", 100], path=("<sip:edge;lr>",))
    desk.register("sip:100@192.168.1.5", flow=NATTED)
    plain = msgpack.unpackb(msgpack.packb(desk.registration.snapshot()))
    again = Registration.restore(plain, Rules())
    names = {effect.name for effect in again.wake(desk.wall)}
    assert names == {"expiry", "keep-alive"}
    assert again.bindings == desk.registration.bindings
    assert Registration.restore(plain, Rules()).wake(10**9) == [Ended()]


def test_the_extension_says_whether_its_phone_is_behind_a_nat() -> None:
    desk = Desk()
    desk.register("sip:100@10.0.0.1:5062", nat="always")
    assert len(desk.some(StartTimer)) == 2
    assert desk.registration.bindings[0].natted
    desk.register("sip:100@192.168.1.5:5064", flow=NATTED, nat="never")
    binding = desk.registration.bindings[-1]
    assert binding.flow == NATTED._replace(remote=("192.168.1.5", 5064)) and not binding.natted
