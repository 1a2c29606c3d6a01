"""The transaction layer: which message belongs to what (RFC 3261 §17.1.3, §17.2.3, §9.2, §8.2.2.2)."""

from __future__ import annotations

import pytest

from rayswitch.sip.events import (
    AckReceived,
    CancelReceived,
    RequestReceived,
    ResponseReceived,
    TimedOut,
)
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import owner_of
from rayswitch.sip.machine import Timers
from rayswitch.sip.message import Request, respond
from rayswitch.sip.transactions import TransactionLayer, via_of
from tests.rayswitch.sip.station import TCP, UDP, Station, answer, incoming, opened, outgoing

OLD = "SIP/2.0/UDP 192.0.2.9:5062"
OLD_VIAS = [pytest.param(OLD, id="no branch"), pytest.param(f"{OLD};branch=1", id="branch without cookie")]


def is_new(station: Station, request: Request) -> bool:
    """Does the layer take this for a new request?"""
    station.take_events()
    station.receive(request)
    return [type(event) for event in station.take_events()] == [RequestReceived]


# -- requests out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "via"),
    [
        (UDP, "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKs0.000000000001"),
        (TCP, "SIP/2.0/TCP 192.0.2.1:5060;rport;branch=z9hG4bKs0.000000000001"),
        (
            Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5060)),
            "SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bKs0.000000000001",
        ),
    ],
)
def test_our_via(flow: Flow, via: str) -> None:
    """§8.1.1.7, §18.1.1, RFC 3581 §3"""
    station = Station()
    sent = station.request("k", outgoing(), flow)
    assert sent.get_all("via")[0] == via
    assert via_of(flow, "z9hG4bKs0.000000000001") == via


def test_every_request_has_a_branch_of_its_own_that_names_the_gateway() -> None:
    station = Station("s7")
    branches = {station.request(key, outgoing("OPTIONS")).via.branch for key in range(5)}
    assert len(branches) == 5
    assert {owner_of(branch or "") for branch in branches} == {"s7"}


@pytest.mark.parametrize("key", [1, "text", ("s0", "call", 3), None])
def test_any_hashable_key(key: object) -> None:
    """None: sent, and nothing told."""
    station = Station()
    sent = station.request(key, outgoing("OPTIONS"))
    station.receive(answer(sent, 200))
    assert [event.key for event in station.take_events()] == ([] if key is None else [key])


# -- responses in (§17.1.3) --------------------------------------------------------------------------------------------


def test_a_response_finds_its_request_by_branch_and_method() -> None:
    station = Station()
    first = station.request("first", outgoing())
    second = station.request("second", outgoing())
    station.receive(answer(second, 180))
    station.receive(answer(first, 180))
    assert [event.key for event in station.take_events()] == ["second", "first"]


def test_a_response_to_the_cancel_is_not_one_to_the_invite() -> None:
    """§17.1.3: the method in CSeq, because CANCEL has the branch of its INVITE."""
    station = Station()
    sent = station.request("k", outgoing())
    station.receive(answer(sent, 180))
    station.cancel("k")
    station.take_events()
    station.receive(answer(station.take_sent()[-1], 200))
    assert station.events == []


def test_a_response_comes_in_over_any_flow() -> None:
    """The branch counts, not the source: peers answer from other addresses."""
    station = Station()
    sent = station.request("k", outgoing())
    station.receive(answer(sent, 180), TCP)
    assert isinstance(station.events[0], ResponseReceived)


def test_a_response_with_a_second_via_is_dropped() -> None:
    """§8.1.3.3"""
    station = Station()
    sent = station.request("k", outgoing())
    for add in ("row", "unreadable", "comma"):
        response = answer(sent, 180)
        if add == "row":
            response.add("via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx")
        elif add == "unreadable":
            response.add("via", '" SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx')
        else:
            response.set("via", f"{response.get('via')}, SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx")
        assert station.receive(response) == []


@pytest.mark.parametrize(
    ("method", "status", "told"),
    [("INVITE", 200, True), ("INVITE", 180, False), ("INVITE", 486, False), ("BYE", 200, False)],
)
def test_of_strays_only_the_2xx_of_an_invite_is_told(method: str, status: int, told: bool) -> None:
    """After a restart the user must still ACK a repeated 2xx (RFC 6026 §8.4); the rest is nobody's."""
    station = Station()
    request = incoming(method, via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs0.ffffffffffff")
    station.receive(respond(request, status, to_tag="x"))
    assert [event.key for event in station.events] == ([None] if told else [])


# -- requests in (§17.2.3) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"via": "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKpeer2;rport"}, id="branch"),
        pytest.param({"via": "SIP/2.0/UDP 192.0.2.8:5062;branch=z9hG4bKpeer1;rport"}, id="host in sent-by"),
        pytest.param({"via": "SIP/2.0/UDP 192.0.2.9:5063;branch=z9hG4bKpeer1;rport"}, id="port in sent-by"),
    ],
)
def test_another_branch_or_sent_by_is_another_request(other: dict[str, str]) -> None:
    """Two phones may by chance choose the same branch: sent-by tells them apart."""
    station, _ = opened(incoming())
    assert is_new(station, incoming(call_id="another", **other))


def test_the_same_branch_with_another_method_is_another_request() -> None:
    station, _ = opened(incoming())
    assert is_new(station, incoming("OPTIONS"))


def test_with_the_cookie_nothing_but_branch_sent_by_and_method_counts() -> None:
    station, _ = opened(incoming())
    assert station.receive(incoming(call_id="another", from_="<sip:x@y>;tag=z", uri="sip:elsewhere@x")) == []


def test_numbers_of_server_transactions_go_up_from_a_given_one() -> None:
    """So that a gateway that was restarted uses none again."""
    station = Station()
    station.layer = TransactionLayer(station.layer.ids, Timers(), first=1000)
    for call in "abc":
        station.receive(incoming(call_id=call, via=f"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{call}"))
    servers = [event.server for event in station.take_events()]
    assert servers == sorted(servers)
    assert min(servers) >= 1000


def test_answers_to_transactions_that_are_over_or_never_were_go_nowhere() -> None:
    station, event = opened(incoming("OPTIONS"))
    response = respond(event.request, 200, to_tag="x")
    assert station.respond(event.server + 7, response) == []
    station.respond(event.server, response)
    station.clock.run()
    assert station.respond(event.server, response) == []


def test_the_number_of_a_client_transaction_is_no_server() -> None:
    station = Station()
    sent = station.request("k", outgoing("OPTIONS"))
    (number,) = station.layer.machines
    assert station.respond(number, respond(sent, 200)) == []
    assert station.layer.trying(number, 0) == []


# -- RFC 2543 (§17.2.3, second rule) -----------------------------------------------------------------------------------


@pytest.mark.parametrize("via", OLD_VIAS)
def test_an_old_invite_its_repetition_and_its_ack(via: str) -> None:
    station, event = opened(incoming(via=via))
    assert station.receive(incoming(via=via)) == []
    station.respond(event.server, respond(event.request, 486, to_tag="ours"))
    station.receive(incoming(via=via))
    station.receive(incoming("ACK", via=via, to="<sip:101@rayswitch.local>;tag=ours"))
    station.clock.run()
    assert [message.status for message in station.take_sent()] == [486, 486]
    assert station.idle


@pytest.mark.parametrize("via", OLD_VIAS)
def test_an_old_ack_of_a_2xx_goes_to_the_user(via: str) -> None:
    station, event = opened(incoming(via=via))
    station.respond(event.server, respond(event.request, 200, to_tag="ours"))
    for uri in ("sip:101@rayswitch.local", "sip:s0.000000000001@192.0.2.1"):
        station.receive(incoming("ACK", via=via, uri=uri, to="<sip:101@rayswitch.local>;tag=ours"))
    assert [type(event) for event in station.take_events()] == [AckReceived, AckReceived]


@pytest.mark.parametrize("via", OLD_VIAS)
def test_an_old_cancel(via: str) -> None:
    station, event = opened(incoming(via=via))
    station.receive(incoming("CANCEL", via=via))
    assert station.take_events() == [CancelReceived(event.server)]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"call_id": "another"}, id="Call-ID"),
        pytest.param({"cseq": "2 INVITE"}, id="CSeq"),
        pytest.param({"from_": "<sip:100@rayswitch.local>;tag=another"}, id="From tag"),
        pytest.param({"uri": "sip:102@rayswitch.local", "to": "<sip:1@x>;tag=t"}, id="Request-URI"),
        pytest.param({"via": "SIP/2.0/UDP 192.0.2.9:5063", "to": "<sip:1@x>;tag=t"}, id="Via"),
    ],
)
def test_old_requests_are_told_apart_by_all_that_rfc_3261_names(other: dict[str, str]) -> None:
    station, _ = opened(incoming(via=OLD))
    assert is_new(station, incoming(**({"via": OLD} | other)))


def test_an_old_request_without_any_tag() -> None:
    station, event = opened(incoming("BYE", via=OLD, from_="<sip:100@rayswitch.local>"))
    station.respond(event.server, respond(event.request, 481, to_tag="x"))
    station.receive(incoming("BYE", via=OLD, from_="<sip:100@rayswitch.local>"))
    assert [message.status for message in station.take_sent()] == [481, 481]


# -- merged requests (§8.2.2.2) ----------------------------------------------------------------------------------------

FORKED = "SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bKfork2;rport"


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_request_that_comes_by_two_ways_is_refused_the_second_time(method: str) -> None:
    station, event = opened(incoming(method))
    station.receive(incoming(method, via=FORKED))
    (refusal,) = station.take_sent()
    assert (refusal.status, refusal.via.branch) == (482, "z9hG4bKfork2")
    assert refusal.to.tag
    assert station.events == []
    station.respond(event.server, respond(event.request, 200, to_tag="ours"))
    assert [message.status for message in station.take_sent()] == [200]
    station.clock.run()
    assert station.idle


def test_the_end_of_a_refused_copy_does_not_let_a_third_one_in() -> None:
    station, _ = opened(incoming())
    station.receive(incoming(via=FORKED))
    station.clock.run()  # nobody acknowledges the 482: timer H
    station.take_sent()
    station.receive(incoming(via=FORKED.replace("fork2", "fork3")))
    assert [message.status for message in station.take_sent()] == [482]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"to": "<sip:101@rayswitch.local>;tag=ours"}, id="in a dialog"),
        pytest.param({"cseq": "2 INVITE"}, id="later CSeq: with credentials now"),
        pytest.param({"call_id": "another"}, id="another call"),
        pytest.param({"from_": "<sip:100@rayswitch.local>;tag=another"}, id="another caller"),
    ],
)
def test_requests_that_only_look_alike_are_not_merged(other: dict[str, str]) -> None:
    station, _ = opened(incoming())
    assert is_new(station, incoming(**({"via": FORKED} | other)))


def test_the_same_request_after_the_first_is_over_is_new() -> None:
    station, event = opened(incoming("MESSAGE"))
    station.respond(event.server, respond(event.request, 200, to_tag="ours"))
    station.clock.run()
    assert is_new(station, incoming("MESSAGE", via=FORKED))


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_an_ack_for_nothing_goes_to_the_user() -> None:
    """He may know the dialog (§13.3.1.4); no transaction is made (§17)."""
    station = Station()
    station.receive(incoming("ACK"))
    assert [type(event) for event in station.events] == [AckReceived]
    assert station.idle


def test_a_timer_that_comes_late_finds_nobody() -> None:
    station, event = opened(incoming("OPTIONS"))
    station.respond(event.server, respond(event.request, 200, to_tag="x"))
    station.clock.run()
    assert station.layer.expired(("J", event.server), 99) == []
    assert station.layer.expired(("A", 12345), 99) == []


def test_t1_scales_what_hangs_on_it() -> None:
    """§17.1.1.1: T1 may be larger on slow links."""
    station = Station(timers=Timers(t1=1.0, t2=8.0))
    station.request("k", outgoing())
    station.clock.run(64)
    assert station.times() == [0, 1, 3, 7, 15, 31, 63]
    assert station.events == [TimedOut("k")]


def test_a_request_that_the_user_never_answers_is_forgotten_with_the_next_one_after_64_t1() -> None:
    """RFC 4320 §4.2: no final response after that; an INVITE may ring as long as its user likes."""
    station = Station()
    station.receive(incoming())
    station.receive(incoming("OPTIONS"))
    station.receive(incoming("INFO", cseq="2 INFO"))
    invite, options, info = station.take_events()
    station.clock.run(1)
    station.respond(info.server, respond(info.request, 100))
    station.clock.run(31)
    assert len(station.layer.machines) == 3
    station.receive(incoming("MESSAGE"))
    assert set(station.layer.machines) == {invite.server, station.take_events()[0].server}
    assert len(station.layer.unanswered) == 1
    assert station.respond(options.server, respond(options.request, 200, to_tag="x")) == []
    assert station.respond(invite.server, respond(invite.request, 486, to_tag="x"))


def test_a_thousand_exchanges_leave_nothing() -> None:
    station = Station()
    for number in range(1000):
        via = f"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{number}"
        station.receive(incoming(via=via, call_id=str(number)))
        event = station.take_events()[0]
        station.respond(event.server, respond(event.request, 486, to_tag="x"))
        station.receive(incoming("ACK", via=via, call_id=str(number)))
        sent = station.request(number, outgoing())
        station.receive(answer(sent, 486))
        station.take_events()
    assert len(station.layer.machines) == 2000
    station.clock.run()
    assert station.idle
