"""The four machines as a whole: every state with every event, and long random walks through the layer."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayswitch.sip.client_machines import InviteClient, OtherClient
from rayswitch.sip.events import AckReceived, RequestReceived, ResponseReceived, TimedOut, Unreachable
from rayswitch.sip.flow import Flow
from rayswitch.sip.machine import Machine, Timers, kind_of
from rayswitch.sip.message import Request, Response, respond
from rayswitch.sip.server_machines import InviteServer, OtherServer
from tests.rayswitch.sip.station import TCP, UDP, Station, incoming, outgoing

EVENTS = ["begin", "request", "ack", "1xx", "2xx", "failure", "error", *"ABDEFGHIJKLMX"]
END = "terminated"

# RFC 3261 figures 5 to 8 with RFC 6026, written down once more: state → event → next state over UDP, and over TCP where
# that differs.  What is not here must change nothing and do nothing.
FIGURES: dict[type[Machine], dict[str, dict[str, str | tuple[str, str]]]] = {
    InviteClient: {
        "calling": {
            "begin": "calling",
            "A": "calling",
            "B": END,
            "error": END,
            "1xx": "proceeding",
            "2xx": "accepted",
            "failure": ("completed", END),
        },
        "proceeding": {
            "1xx": "proceeding",
            "2xx": "accepted",
            "failure": ("completed", END),
            "error": END,
            "X": END,
        },
        "completed": {"failure": "completed", "D": END, "error": END},
        "accepted": {"2xx": "accepted", "M": END},
        END: {},
    },
    OtherClient: {
        "trying": {
            "begin": "trying",
            "E": "trying",
            "F": END,
            "error": END,
            "1xx": "proceeding",
            "2xx": ("completed", END),
            "failure": ("completed", END),
        },
        "proceeding": {
            "E": "proceeding",
            "F": END,
            "error": END,
            "1xx": "proceeding",
            "2xx": ("completed", END),
            "failure": ("completed", END),
        },
        "completed": {"K": END},
        END: {},
    },
    InviteServer: {
        "proceeding": {"request": "proceeding", "1xx": "proceeding", "2xx": "accepted", "failure": "completed"},
        "completed": {"request": "completed", "G": "completed", "H": END, "ack": ("confirmed", END)},
        "confirmed": {"request": "confirmed", "ack": "confirmed", "I": END},
        "accepted": {"request": "accepted", "2xx": "accepted", "ack": "accepted", "L": END},
        END: {},
    },
    OtherServer: {
        "trying": {
            "request": "trying",
            "1xx": "proceeding",
            "2xx": ("completed", END),
            "failure": ("completed", END),
        },
        "proceeding": {
            "request": "proceeding",
            "1xx": "proceeding",
            "2xx": ("completed", END),
            "failure": ("completed", END),
        },
        "completed": {"request": "completed", "J": END},
        END: {},
    },
}
CASES = [
    pytest.param(kind, flow, state, event, id=f"{kind.__name__}-{flow.transport}-{state}-{event}")
    for kind, states in FIGURES.items()
    for flow, state, event in itertools.product((UDP, TCP), states, EVENTS)
]


def machine_in(kind: type[Machine], flow: Flow, state: str) -> Machine:
    method = "INVITE" if kind in (InviteClient, InviteServer) else "OPTIONS"
    request = outgoing(method, ("via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs0.000000000001"))
    # The sixth argument is the client's request or the server's; the other one is the user's key, the merge key.
    arguments = ("key", request) if issubclass(kind, InviteClient | OtherClient) else (request, None)
    machine = kind(1, "index", flow, Timers(), *arguments)
    machine.state = state
    return machine


def argument_of(event: str) -> Any:
    statuses = {"1xx": 180, "2xx": 200, "failure": 486}
    if event in statuses:
        return respond(incoming(), statuses[event], to_tag="x")
    return AckReceived(incoming("ACK"), UDP) if event == "ack" else None


@pytest.mark.parametrize(("kind", "flow", "state", "event"), CASES)
def test_every_state_with_every_event(kind: type[Machine], flow: Flow, state: str, event: str) -> None:
    machine = machine_in(kind, flow, state)
    expected = FIGURES[kind][state].get(event)
    out: list[Any] = []
    assert machine.step(event, argument_of(event), out) is (expected is not None)
    if expected is None:
        assert (machine.state, out) == (state, [])
    elif isinstance(expected, tuple):
        assert machine.state == expected[flow.reliable]
    else:
        assert machine.state == expected


@pytest.mark.parametrize("kind", FIGURES)
def test_the_table_holds_what_the_figure_holds(kind: type[Machine]) -> None:
    assert set(kind.TABLE) == {(state, event) for state, events in FIGURES[kind].items() for event in events}


def test_the_default_timers_are_those_of_table_4() -> None:
    assert (Timers().t1, Timers().t2, Timers().t4, Timers().d, Timers().patience) == (0.5, 4, 5, 32, 32)


# -- random walks ------------------------------------------------------------------------------------------------------

moves = st.lists(
    st.tuples(
        st.sampled_from(["hear", "answer", "repeat", "ack", "wait", "cancel", "fail", "stale"]),
        st.sampled_from([100, 180, 200, 202, 302, 404, 487, 503, 603]),
        st.floats(0, 40),
    ),
    max_size=40,
)


def walk(station: Station, method: str, flow: Flow, sent: Request, steps: Any) -> None:
    """Feed a client transaction of ours and a server transaction with whatever comes."""
    (opened,) = [event for event in station.events if isinstance(event, RequestReceived)]
    for action, status, delay in steps:
        if action == "hear":
            station.receive(respond(sent, status, to_tag="x"), flow)
        elif action == "answer":
            station.respond(opened.server, respond(opened.request, status, to_tag="ours"))
        elif action == "repeat" and station.layer.servers:
            station.receive(incoming(method), flow)
        elif action == "ack" and method == "INVITE":
            station.receive(incoming("ACK"), flow)
        elif action == "wait":
            station.clock.run(delay)
        elif action == "cancel":
            station.cancel("k")
        elif action == "fail":
            station.fail(flow)
        elif action == "stale":
            station.expired((EVENTS[-1 - status % 13], status % 7))


@settings(max_examples=150)
@given(st.sampled_from(["INVITE", "OPTIONS"]), st.sampled_from([UDP, TCP]), moves)
def test_any_order_of_events(method: str, flow: Flow, steps: Any) -> None:
    """Nothing raises, each key has one outcome, the last response stays the last, and nothing is left in the end."""
    station = Station()
    sent = station.request("k", outgoing(method), flow)
    station.receive(incoming(method), flow)
    walk(station, method, flow, sent, steps)
    outcomes = [event for event in station.events if getattr(event, "key", "") == "k" and is_final(event)]
    assert len({outcome_kind(event) for event in outcomes}) <= 1
    if method != "INVITE":
        assert len(outcomes) <= 1
    assert one_final_kind([message for _, _, message in station.sent if isinstance(message, Response)])
    settle(station)
    assert station.idle


def is_final(event: Any) -> bool:
    return not isinstance(event, ResponseReceived) or event.response.status >= 200


def outcome_kind(event: Any) -> str:
    return kind_of(event.response.status) if isinstance(event, ResponseReceived) else type(event).__name__


def one_final_kind(responses: list[Response]) -> bool:
    """No provisional after a final, no failure after a 2xx and none but itself after a failure."""
    finals = [response.status for response in responses if response.status >= 200 and response.cseq.method != "CANCEL"]
    kinds = {kind_of(status) for status in finals}
    return len(kinds) <= 1 and ("failure" not in kinds or len(set(finals)) == 1)


def settle(station: Station) -> None:
    """Answer what the walk has left open, and let all timers run out."""
    for event in station.events.copy():
        if isinstance(event, RequestReceived):
            station.respond(event.server, respond(event.request, 500, to_tag="ours"))
    for client in list(station.layer.clients.values()):
        if client.state == "proceeding" and isinstance(client, InviteClient):
            station.fail(client.flow)
    station.clock.run()


@settings(max_examples=100)
@given(st.lists(st.sampled_from([100, 180, 200, 404]), min_size=1, max_size=8), st.sampled_from([UDP, TCP]))
def test_repeated_responses_cause_no_more_than_one_transmission_each(statuses: list[int], flow: Flow) -> None:
    """An ACK for each failure at most: no storm can be started from outside."""
    station = Station()
    sent = station.request("k", outgoing(), flow)
    for status in statuses:
        assert Counter(type(effect).__name__ for effect in station.receive(respond(sent, status, to_tag="x"), flow))[
            "Transmit"
        ] <= (status >= 300)


def test_a_silent_user_and_a_silent_peer_are_told_apart() -> None:
    """TimedOut when nobody answered, Unreachable when it could not be sent."""
    station = Station()
    station.request("a", outgoing("OPTIONS"))
    station.request("b", outgoing("OPTIONS"), TCP)
    station.fail(TCP)
    station.clock.run()
    assert station.events == [Unreachable("b"), TimedOut("a")]
