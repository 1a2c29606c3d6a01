"""The registration of a line: RFC 3261 §10.2, RFC 7616, RFC 5626 §4.5, and the carriers that go their own way."""

from __future__ import annotations

import pytest

from rayswitch.lines.events import Answered, Due, Reach
from rayswitch.sip.message import respond
from tests.rayswitch.lines.carrier import HERE, THERE, Carrier, proved

INVALID_CSEQ = ("p-registrar-error", "Invalid CSeq number")


def registered(**account: object) -> Carrier:
    carrier = Carrier(**account)
    carrier.reach()
    carrier.ok()
    assert carrier.changes == [(True, "registered for 3600 s")]
    return carrier


def test_the_first_register_says_who_and_where() -> None:
    carrier = Carrier(route=("<sip:proxy.example;lr>",))
    carrier.reach(HERE, THERE)
    request = carrier.last
    assert (request.method, request.uri) == ("REGISTER", "sip:carrier.example")
    assert request.get("route") == "<sip:proxy.example;lr>"
    assert str(request.to.uri) == str(request.from_.uri) == "sip:alice@carrier.example"
    assert request.from_.tag
    assert request.cseq.number == 1
    assert [(str(contact.uri), contact.expires) for contact in request.contacts] == [(HERE, 3600), (THERE, 3600)]
    assert not request.has("authorization")


@pytest.mark.parametrize("expires", [20, 60, 120, 3600, 86400])
def test_it_is_refreshed_after_50_to_90_per_cent_of_what_was_granted(expires: int) -> None:
    carrier = Carrier()
    carrier.reach()
    for turn in range(20):
        carrier.ok(expires)
        assert 0.5 * expires <= carrier.wait() <= 0.9 * expires
        assert len(carrier.sent) == turn + 2


def test_refreshes_keep_the_call_id_and_raise_the_cseq() -> None:
    carrier = registered()
    first = carrier.last
    carrier.wait()
    assert carrier.last.call_id == first.call_id
    assert carrier.last.from_.tag == first.from_.tag
    assert carrier.last.cseq.number == first.cseq.number + 1


def test_the_time_is_that_of_our_own_contact() -> None:
    carrier = Carrier()
    carrier.reach(HERE, THERE)
    carrier.answer(
        200,
        ("contact", "<sip:desk@198.51.100.7>;expires=5"),
        ("contact", f"<{HERE}>;expires=600"),
        ("contact", f"<{THERE}>;expires=300"),
    )
    assert carrier.line.until == 1300


def test_the_expires_header_counts_when_no_contact_is_ours() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.answer(200, ("contact", "<sip:alice@203.0.113.9:1024>"), ("expires", "90"))
    assert carrier.line.until == 1090


def test_a_registrar_that_grants_no_time_has_not_registered_us() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.answer(200, ("contact", f"<{HERE}>;expires=0"))
    assert carrier.changes == [(False, "the registrar granted no time")]
    assert carrier.timers


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(("status", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenge_is_answered(algorithm: str, status: int, header: str) -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask(algorithm=algorithm, status=status)
    credentials = proved(carrier.last, header=header)
    assert (credentials.algorithm, credentials.nc, credentials.uri) == (algorithm, 1, "sip:carrier.example")
    assert carrier.last.cseq.number == 2
    assert carrier.last.call_id == carrier.sent[0].call_id
    carrier.ok()
    assert carrier.line.registered


def test_a_proxy_and_the_registrar_may_both_ask() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask("p", status=407)
    carrier.ask("r", status=401)
    assert proved(carrier.last).nonce == "r"
    assert proved(carrier.last, header="proxy-authorization").nc == 2


def test_a_nonce_is_used_again_with_a_count_that_rises() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask()
    cnonces = {proved(carrier.last).cnonce}
    for count in (2, 3, 4):
        carrier.ok()
        carrier.wait()
        credentials = proved(carrier.last)
        assert (credentials.nonce, credentials.nc) == ("n1", count)
        cnonces.add(credentials.cnonce)
    assert len(cnonces) == 4


@pytest.mark.parametrize("stale", [True, False])
def test_a_nonce_that_is_too_old_is_replaced(stale: bool) -> None:
    """Not every registrar says that it is only stale."""
    carrier = Carrier()
    carrier.reach()
    carrier.ask("n1")
    carrier.ok()
    carrier.wait()
    carrier.ask("n2", stale=stale)
    assert (proved(carrier.last).nonce, proved(carrier.last).nc) == ("n2", 1)


def test_the_next_nonce_is_taken_up() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask("n1")
    carrier.ok(3600, ("authentication-info", 'nextnonce="n,2", qop=auth'))
    carrier.wait()
    assert (proved(carrier.last).nonce, proved(carrier.last).nc) == ("n,2", 1)


def test_a_wrong_secret_is_tried_once_and_then_minutes_later() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask("n1")
    carrier.ask("n2")
    assert len(carrier.sent) == 2
    assert carrier.changes == [(False, "401: wrong user or secret")]
    assert carrier.wait() >= 150
    assert len(carrier.sent) == 3


def test_stale_without_end_is_given_up() -> None:
    carrier = Carrier()
    carrier.reach()
    for turn in range(10):
        carrier.ask(f"n{turn}", stale=True)
    assert len(carrier.sent) == 4


def test_a_challenge_of_another_kind_is_no_loop() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.answer(401, ("www-authenticate", 'NTLM realm="x"'))
    carrier.wait()
    carrier.answer(401, ("www-authenticate", "Digest realm"))
    assert carrier.changes == [(False, "401 without a challenge that can be answered")]
    assert len(carrier.sent) == 2


def test_423_asks_for_longer_once() -> None:
    carrier = Carrier(expires=60)
    carrier.reach()
    carrier.answer(423, ("min-expires", "1800"))
    assert carrier.last.contacts[0].expires == 1800
    carrier.answer(423, ("min-expires", "3600"))
    assert len(carrier.sent) == 2
    assert carrier.changes == [(False, "423 with Min-Expires 3600")]


@pytest.mark.parametrize("headers", [[], [("min-expires", "30")], [("min-expires", "4000000000")]])
def test_423_that_makes_no_sense_is_a_failure(headers: list[tuple[str, str]]) -> None:
    carrier = Carrier(expires=60)
    carrier.reach()
    carrier.answer(423, *headers)
    assert len(carrier.sent) == 1
    assert not carrier.line.registered


def test_failures_are_tried_again_after_times_that_double_up_to_half_an_hour() -> None:
    carrier = Carrier()
    carrier.reach()
    waits = []
    for _ in range(12):
        carrier.silence()
        waits.append(carrier.wait())
    for turn, wait in enumerate(waits):
        upper = min(1800, 30 * 2**turn)
        assert upper / 2 <= wait <= upper
    carrier.ok()
    carrier.wait()
    carrier.silence()
    assert carrier.wait() <= 30, "a success is a new beginning"


def test_retry_after_is_obeyed() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.answer(503, ("retry-after", "120 (maintenance)"))
    assert carrier.wait() == 120
    assert carrier.changes == [(False, "503 Service Unavailable")]


def test_a_line_stays_registered_through_a_failed_refresh_until_its_time_is_over() -> None:
    carrier = registered()
    carrier.wait()
    carrier.silence()
    assert carrier.changes[-1] == (True, "no answer")
    while carrier.now < carrier.line.until:
        carrier.wait()
        carrier.silence()
    assert carrier.changes[-1][0] is False
    assert carrier.now <= 1000 + 3600 + 1, "noticed when it is over, not at the end of a longer wait"


def test_a_failure_is_told_once() -> None:
    carrier = Carrier()
    carrier.reach()
    for _ in range(3):
        carrier.silence()
        carrier.wait()
    assert carrier.warnings == ["registrar sip:carrier.example REGISTER failed: no answer"]


class TestSameDialog:
    """`register_same_dialog` in its three settings, against a registrar that takes one REGISTER for each Call-ID."""

    def call_ids(self, carrier: Carrier) -> list[str]:
        return [request.call_id for request in carrier.sent]

    def test_false_makes_a_new_call_id_for_every_register(self) -> None:
        carrier = Carrier(same_dialog="false")
        carrier.reach()
        carrier.ask()
        carrier.ok()
        carrier.wait()
        carrier.ok()
        carrier.stop()
        assert len(set(self.call_ids(carrier))) == 4
        assert {request.cseq.number for request in carrier.sent} == {1}
        assert len({request.from_.tag for request in carrier.sent}) == 4

    def test_auto_changes_over_once_the_error_is_seen_and_says_so(self) -> None:
        carrier = registered(same_dialog="auto")
        carrier.wait()
        assert len(set(self.call_ids(carrier))) == 1
        carrier.answer(400, INVALID_CSEQ)
        carrier.ok()
        carrier.wait()
        carrier.ok()
        assert len(set(self.call_ids(carrier))) == 3
        assert len(carrier.warnings) == 1
        assert "new Call-ID for every REGISTER" in carrier.warnings[0]
        assert carrier.changes == [(True, "registered for 3600 s")], "it was registered all the time"

    def test_auto_is_not_moved_by_any_other_400(self) -> None:
        carrier = registered(same_dialog="auto")
        carrier.wait()
        carrier.answer(400, ("p-registrar-error", "Malformed Contact"))
        carrier.wait()
        assert len(set(self.call_ids(carrier))) == 1

    def test_true_keeps_the_call_id_and_names_the_remedy(self) -> None:
        carrier = registered(same_dialog="true")
        carrier.wait()
        carrier.answer(400, INVALID_CSEQ)
        carrier.wait()
        assert len(set(self.call_ids(carrier))) == 1
        (warning,), (_, (_, detail)) = carrier.warnings, carrier.changes
        for text in (warning, detail):
            assert "400 Bad Request: Invalid CSeq number: " in text and "register_same_dialog: auto" in text

    def test_a_registrar_that_answers_so_to_everything_is_no_loop(self) -> None:
        carrier = Carrier(same_dialog="auto")
        carrier.reach()
        carrier.answer(400, INVALID_CSEQ)
        carrier.answer(400, INVALID_CSEQ)
        assert len(carrier.sent) == 2
        assert carrier.timers


def test_contacts_that_change_are_registered_and_the_old_ones_removed() -> None:
    carrier = registered()
    carrier.reach(THERE)
    assert [(str(contact.uri), contact.expires) for contact in carrier.last.contacts] == [(THERE, 3600), (HERE, 0)]
    carrier.ok()
    carrier.wait()
    assert [str(contact.uri) for contact in carrier.last.contacts] == [THERE]


def test_contacts_that_change_while_a_register_is_under_way_wait_for_its_answer() -> None:
    carrier = Carrier()
    carrier.reach(HERE)
    carrier.reach(THERE)
    assert len(carrier.sent) == 1
    carrier.ok()
    assert [(str(contact.uri), contact.expires) for contact in carrier.last.contacts] == [(THERE, 3600), (HERE, 0)]
    assert carrier.line.registered


def test_the_same_contacts_again_are_nothing_new() -> None:
    carrier = registered()
    carrier.reach()
    assert len(carrier.sent) == 1


def test_stop_unregisters_with_credentials() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ask("n1")
    carrier.ok()
    carrier.stop()
    assert [(str(contact.uri), contact.expires) for contact in carrier.last.contacts] == [(HERE, 0)]
    assert carrier.last.get("expires") == "0"
    assert not carrier.done
    carrier.ask("n2")
    assert proved(carrier.last).nonce == "n2"
    carrier.ok()
    assert carrier.done
    assert carrier.changes[-1] == (False, "unregistered")


def test_stop_waits_for_the_register_under_way() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.stop()
    assert len(carrier.sent) == 1
    carrier.ok()
    assert carrier.last.contacts[0].expires == 0
    carrier.silence()
    assert carrier.done


def test_stop_without_a_registration_is_done_at_once() -> None:
    carrier = Carrier()
    carrier.stop()
    assert carrier.done
    assert not carrier.sent


def test_after_stop_nothing_wakes_it_any_more() -> None:
    carrier = registered()
    carrier.stop()
    carrier.ok()
    carrier.wait()
    carrier.reach(THERE)
    assert len(carrier.sent) == 2


def test_late_answers_and_timers_are_ignored() -> None:
    carrier = Carrier()
    carrier.reach()
    first = carrier.last
    carrier.ask()
    carrier.tell(Answered(carrier.numbers[0], respond(first, 500)))
    carrier.tell(Due(0))
    carrier.answer(100)
    assert len(carrier.sent) == 2
    assert not carrier.changes


def test_the_service_route_is_kept_for_calls() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.ok(3600, ("service-route", "<sip:a.example;lr>, <sip:b.example;lr>"))
    assert carrier.line.service_route == ["<sip:a.example;lr>", "<sip:b.example;lr>"]


def test_answers_that_cannot_be_read_are_failures() -> None:
    carrier = Carrier()
    carrier.reach()
    carrier.answer(200, ("contact", "<sip:bob"))
    assert not carrier.line.registered
    carrier.wait()
    assert len(carrier.sent) == 2


def test_the_secret_is_in_no_representation() -> None:
    carrier = Carrier(secret="wonderland")
    assert "wonderland" not in repr(carrier.line.account) + repr(carrier.line.answering) + repr(Reach([]))
