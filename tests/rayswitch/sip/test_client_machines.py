"""Client transactions, RFC 3261 §17.1 and RFC 6026 §7.2, behaviour by behaviour."""

from __future__ import annotations

import pytest

from rayswitch.sip.events import ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.message import Request
from tests.rayswitch.sip.station import TCP, UDP, Station, answer, outgoing

FAILURES = [300, 404, 486, 503, 603]


def statuses(station: Station) -> list[int]:
    return [event.response.status for event in station.take_events() if isinstance(event, ResponseReceived)]


def calling(flow: object = UDP) -> tuple[Station, Request]:
    station = Station()
    sent = station.request("k", outgoing(), TCP if flow is TCP else UDP)
    return station, sent


# -- INVITE ------------------------------------------------------------------------------------------------------------


def test_timer_a_doubles_and_timer_b_ends_it() -> None:
    """§17.1.1.2: at T1, 3 T1, 7 T1 …; 64 T1 after the first one it is over."""
    station, _ = calling()
    station.clock.run()
    assert station.times() == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert station.events == [TimedOut("k")]
    assert station.idle
    assert len({message.encode() for _, _, message in station.sent}) == 1


def test_over_tcp_nothing_is_repeated() -> None:
    """§17.1.1.2"""
    station, _ = calling(TCP)
    station.clock.run()
    assert station.times() == [0]
    assert station.events == [TimedOut("k")]
    assert station.idle


def test_a_provisional_response_stops_the_repetitions_and_timer_b() -> None:
    """§17.1.1.2: from proceeding on the user alone decides how long it rings."""
    station, sent = calling()
    station.receive(answer(sent, 100))
    station.receive(answer(sent, 180))
    station.receive(answer(sent, 180))
    station.clock.run(200)
    assert station.times() == [0]
    assert statuses(station) == [100, 180, 180]
    assert not station.idle


@pytest.mark.parametrize("first", [None, 180])
@pytest.mark.parametrize("status", FAILURES)
def test_a_failure_is_acknowledged_and_told_once(status: int, first: int | None) -> None:
    """§17.1.1.2, §17.1.1.3: every repetition of it gets the same ACK, until timer D."""
    station, sent = calling()
    if first:
        station.receive(answer(sent, first))
    for _ in range(3):
        station.receive(answer(sent, status))
    acks = station.take_sent()[1:]
    assert [ack.method for ack in acks] == ["ACK"] * 3
    assert len({ack.encode() for ack in acks}) == 1
    assert statuses(station)[-1] == status
    station.clock.run(31.9)
    station.receive(answer(sent, status))
    assert [message.method for message in station.take_sent()] == ["ACK"]
    station.clock.run()
    assert station.idle
    assert station.receive(answer(sent, status)) == []


def test_over_tcp_a_failure_ends_the_transaction_at_once() -> None:
    """§17.1.1.2: timer D is zero."""
    station, sent = calling(TCP)
    station.receive(answer(sent, 486), TCP)
    assert station.idle
    assert [message.method for message in station.take_sent()] == ["INVITE", "ACK"]


def test_the_ack_of_a_failure_is_made_from_the_invite() -> None:
    """§17.1.1.3: Via, Request-URI, From, Call-ID, CSeq number and Route of the INVITE, To of the response."""
    station = Station()
    routes = (("route", "<sip:p1.example.com;lr>"), ("route", "<sip:p2.example.com;lr>"))
    sent = station.request("k", outgoing("INVITE", *routes))
    station.receive(answer(sent, 486, "their-tag"))
    ack = station.take_sent()[-1]
    assert ack.method == "ACK"
    assert ack.uri == sent.uri
    assert ack.get_all("via") == sent.get_all("via")[:1]
    assert ack.get_all("route") == sent.get_all("route")
    assert (ack.get("from"), ack.call_id) == (sent.get("from"), sent.call_id)
    assert ack.to.tag == "their-tag"
    assert (ack.cseq.number, ack.cseq.method) == (7, "ACK")
    assert ack.body == b""


def test_a_2xx_goes_up_without_ack_and_so_do_those_of_forks() -> None:
    """RFC 6026 §7.2, RFC 3261 §13.2.2.4: the user sends the ACK; accepted lasts 64 T1, over TCP too."""
    for flow in (UDP, TCP):
        station, sent = calling(flow)
        for tag in ("one", "two", "one"):
            station.receive(answer(sent, 200, tag), flow)
        assert [event.response.to.tag for event in station.take_events()] == ["one", "two", "one"]
        assert station.times() == [0]
        station.clock.run(31.9)
        station.receive(answer(sent, 200, "late"), flow)
        assert station.take_events()[0].key == "k"
        station.clock.run()
        assert station.idle


def test_a_2xx_after_the_transaction_is_a_stray() -> None:
    """RFC 6026 §8.4: for the user, who may have to send it an ACK again."""
    station, sent = calling()
    station.receive(answer(sent, 200))
    station.clock.run()
    station.take_events()
    station.receive(answer(sent, 200))
    assert [event.key for event in station.take_events()] == [None]


@pytest.mark.parametrize("status", [100, 180, 486])
def test_after_a_2xx_nothing_else_counts(status: int) -> None:
    """RFC 6026 §7.2"""
    station, sent = calling()
    station.receive(answer(sent, 200))
    station.take_events()
    assert station.receive(answer(sent, status)) == []


@pytest.mark.parametrize("status", [180, 200])
def test_after_a_failure_nothing_else_counts(status: int) -> None:
    """§17.1.1.2: a 1xx or 2xx of a reordering network comes too late."""
    station, sent = calling()
    station.receive(answer(sent, 486))
    station.take_events()
    assert station.receive(answer(sent, status)) == []


@pytest.mark.parametrize("first", [None, 180])
def test_a_transport_error_before_the_final_response(first: int | None) -> None:
    """§17.1.4"""
    station, sent = calling()
    if first:
        station.receive(answer(sent, first))
        station.take_events()
    station.fail()
    assert station.events == [Unreachable("k")]
    assert station.idle


@pytest.mark.parametrize("status", [200, 486])
def test_a_transport_error_after_the_final_response_is_not_told(status: int) -> None:
    """One outcome for each key; what is accepted goes on (RFC 6026 §7.2 knows no error there)."""
    station, sent = calling()
    station.receive(answer(sent, status))
    station.take_events()
    station.fail()
    assert station.events == []
    assert station.idle is (status == 486)


def test_an_error_of_another_flow_is_none() -> None:
    station, _ = calling()
    assert station.fail(TCP) == []


# -- CANCEL (§9.1) -----------------------------------------------------------------------------------------------------


def test_cancel_waits_for_a_provisional_response() -> None:
    station, sent = calling()
    assert station.cancel("k") == []
    station.clock.run(1)
    assert {message.method for message in station.take_sent()} == {"INVITE"}
    station.receive(answer(sent, 100))
    assert [message.method for message in station.take_sent()] == ["CANCEL"]
    station.receive(answer(sent, 180))
    assert station.take_sent() == []


def test_cancel_is_made_from_the_invite() -> None:
    """One Via with the same branch, same Request-URI, Call-ID, To, From, CSeq number and Route (§9.1); Reason."""
    station = Station()
    sent = station.request("k", outgoing("INVITE", ("route", "<sip:p1.example.com;lr>")))
    station.receive(answer(sent, 180))
    station.take_sent()
    station.cancel("k", "SIP;cause=200")
    (cancel,) = station.take_sent()
    assert (cancel.method, cancel.uri) == ("CANCEL", sent.uri)
    assert cancel.get_all("via") == sent.get_all("via")
    for name in ("from", "to", "call-id", "route"):
        assert cancel.get_all(name) == sent.get_all(name)
    assert (cancel.cseq.number, cancel.cseq.method) == (7, "CANCEL")
    assert cancel.get("reason") == "SIP;cause=200"


def test_cancel_without_reason_has_none() -> None:
    station, sent = calling()
    station.receive(answer(sent, 180))
    station.cancel("k")
    assert not station.take_sent()[-1].has("reason")


def test_a_second_cancel_does_nothing() -> None:
    station, sent = calling()
    station.receive(answer(sent, 180))
    assert station.cancel("k")
    assert station.cancel("k") == []


@pytest.mark.parametrize("status", [200, 486])
def test_a_final_response_instead_of_the_first_provisional_spares_the_cancel(status: int) -> None:
    """§9.1: there is nothing left to cancel."""
    station, sent = calling()
    station.cancel("k")
    station.receive(answer(sent, status))
    assert "CANCEL" not in [message.method for message in station.take_sent()]
    assert station.cancel("k") == []


def test_cancel_crosses_a_200() -> None:
    """§9.1: the 2xx counts; the 200 or 481 to the CANCEL is nobody's business."""
    station, sent = calling()
    station.receive(answer(sent, 180))
    station.cancel("k")
    cancel = station.take_sent()[-1]
    station.receive(answer(sent, 200))
    station.receive(answer(cancel, 481))
    assert statuses(station) == [180, 200]
    station.clock.run()
    assert station.idle
    assert station.events == []


def test_cancelled_and_answered_487() -> None:
    station, sent = calling()
    station.receive(answer(sent, 180))
    station.cancel("k")
    cancel = station.take_sent()[-1]
    station.receive(answer(cancel, 200))
    station.receive(answer(sent, 487))
    assert [message.method for message in station.take_sent()] == ["ACK"]
    assert statuses(station) == [180, 487]
    station.clock.run()
    assert station.idle


def test_cancel_is_repeated_like_any_request_and_its_end_is_not_told() -> None:
    """§17.1.2.2 for the CANCEL; §9.1: without a final response 64 T1 later the INVITE is given up."""
    station, sent = calling()
    station.receive(answer(sent, 180))
    station.take_events()
    station.take_sent()
    station.cancel("k")
    station.clock.run(32)
    assert station.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert {message.method for message in station.take_sent()} == {"CANCEL"}
    assert station.events == [TimedOut("k")]
    assert station.idle


def test_cancel_before_a_silent_end_is_never_sent() -> None:
    station, _ = calling()
    station.cancel("k")
    station.clock.run()
    assert {message.method for message in station.take_sent()} == {"INVITE"}
    assert station.events == [TimedOut("k")]


def test_cancel_of_what_is_not_an_invite_or_not_there() -> None:
    station = Station()
    station.request("k", outgoing("OPTIONS"))
    assert station.cancel("k") == []
    assert station.cancel("unknown") == []


# -- other requests ----------------------------------------------------------------------------------------------------


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    """§17.1.2.2: 500 ms, 1 s, 2 s, 4 s, 4 s …"""
    station = Station()
    station.request("k", outgoing("BYE"))
    station.clock.run()
    assert station.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert station.events == [TimedOut("k")]
    assert station.idle


def test_while_somebody_works_on_it_every_t2() -> None:
    """§17.1.2.2: in proceeding timer E is T2, and F goes on."""
    station = Station()
    sent = station.request("k", outgoing("BYE"))
    station.clock.run(0.2)
    station.receive(answer(sent, 100))
    station.clock.run()
    assert station.times() == [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert station.events[-1] == TimedOut("k")
    assert station.clock.now >= 32


@pytest.mark.parametrize("first", [None, 100])
@pytest.mark.parametrize("status", [200, *FAILURES])
def test_a_final_response_is_told_once_and_timer_k_swallows_the_rest(status: int, first: int | None) -> None:
    """§17.1.2.2: no ACK; T4 over UDP."""
    station = Station()
    sent = station.request("k", outgoing("BYE"))
    if first:
        station.receive(answer(sent, first))
    station.receive(answer(sent, status))
    assert statuses(station)[-1] == status
    station.clock.run(4.9)
    assert not station.idle
    assert station.receive(answer(sent, status)) == []
    station.clock.run()
    assert station.idle
    assert station.times() == [0]


def test_over_tcp_other_requests_end_at_once_and_are_not_repeated() -> None:
    """§17.1.2.2: E is never set, K is zero."""
    station = Station()
    sent = station.request("k", outgoing("BYE"), TCP)
    station.clock.run(10)
    assert station.times() == [0]
    station.receive(answer(sent, 200), TCP)
    assert station.idle


def test_other_requests_that_cannot_be_sent() -> None:
    """§17.1.4; afterwards an error changes nothing."""
    station = Station()
    station.request("k", outgoing("BYE"))
    station.fail()
    assert station.events == [Unreachable("k")]
    assert station.idle
    sent = station.request("l", outgoing("BYE"))
    station.receive(answer(sent, 200))
    station.take_events()
    assert station.fail() == []


def test_a_stray_final_response_to_another_request_is_dropped() -> None:
    station = Station()
    sent = station.request("k", outgoing("BYE"))
    station.receive(answer(sent, 200))
    station.clock.run()
    station.take_events()
    assert station.receive(answer(sent, 200)) == []


# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("INVITE", 486), ("BYE", 200)])
def test_a_transaction_that_only_waits_keeps_octets_at_most(method: str, status: int) -> None:
    station = Station()
    sent = station.request("k", outgoing(method))
    station.receive(answer(sent, status))
    (machine,) = station.layer.machines.values()
    kept = [getattr(machine, slot) for kind in type(machine).__mro__ for slot in getattr(kind, "__slots__", ())]
    assert not [value for value in kept if isinstance(value, Request | list | dict)]
    assert bool(machine.data) is (status == 486)


def test_while_it_rings_the_octets_of_the_invite_are_not_kept() -> None:
    """They are never sent again; the request itself is needed for ACK and CANCEL."""
    station, sent = calling()
    station.receive(answer(sent, 180))
    (machine,) = station.layer.machines.values()
    assert machine.data == b""
