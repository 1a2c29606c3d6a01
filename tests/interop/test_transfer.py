"""A real phone transfers its call; the two that are left hear each other."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.audio import assert_tone
from tests.interop.phones import Baresip
from tests.interop.switch import DOMAIN, Switch, users

TONES = (440, 1000, 1800)
TALK = 1.5
BEFORE = 1.2
"""Seconds of talk before a transfer. A recording is named by its second, and the next session's must be another."""
NUMBERS = iter(range(2000, 3000, 3))


@pytest.fixture
def phones(switch: Switch) -> Iterator[list[Baresip]]:
    """Three of them, each with a tone of its own; all but the first answer by themselves."""
    people = users(next(NUMBERS), 3)
    switch.import_users(people)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Baresip(
                    user.number,
                    user.password,
                    switch.ipv4,
                    DOMAIN,
                    tone=tone,
                    answer="auto" if user is not people[0] else "manual",
                )
            ).register()
            for user, tone in zip(people, TONES, strict=True)
        ]


@pytest.mark.parametrize(
    ("switch", "who"),
    [({"gateways": 2}, "callee"), ({"gateways": 2}, "caller"), ({"placement": "actor"}, "callee")],
    indirect=["switch"],
    ids=["gateway, callee", "gateway, caller", "actor"],
)
def test_a_blind_transfer(switch: Switch, phones: list[Baresip], who: str) -> None:
    first, second, third = phones
    orders, stays = (second, first) if who == "callee" else (first, second)
    first.dial(second.number)
    first.wait_event("CALL_ESTABLISHED")
    second.wait_event("CALL_ESTABLISHED")
    second.hear(TONES[0], BEFORE)
    orders.transfer(third.number)
    third.wait_event("CALL_ESTABLISHED")
    orders.wait_event("CALL_CLOSED")
    tone = TONES[phones.index(stays)]
    third.hear(tone, TALK)
    stays.hear(TONES[2], TALK)
    (call,) = switch.json("calls")
    assert call["state"] == "answered"
    stays.hang_up()
    third.wait_event("CALL_CLOSED")
    switch.await_idle()
    assert_tone(third.heard(), tone, TALK)
    (record,) = switch.records_of([first.number], 1)
    assert (record["dialled"], record["sip_status"]) == (second.number, 200)
    assert record["marks"] == [f"transferred by {orders.number} to {third.number}"]


@pytest.mark.parametrize("switch", [{"gateways": 2}, {"placement": "actor"}], indirect=True, ids=["gateway", "actor"])
def test_an_attended_transfer(switch: Switch, phones: list[Baresip]) -> None:
    """The second calls the first, then the third, and connects the two."""
    first, second, third = phones
    second.dial(first.number)
    first.wait_event("CALL_INCOMING")
    first.accept()
    second.wait_event("CALL_ESTABLISHED")
    replaces = second.replaces()
    second.dial(third.number)
    second.wait_event("CALL_ESTABLISHED")
    third.hear(TONES[1], BEFORE)
    second.transfer_attended(first.number, replaces)
    for _ in range(2):
        second.wait_event("CALL_CLOSED")
    first.hear(TONES[2], TALK)
    third.hear(TONES[0], TALK)
    third.hang_up()
    first.wait_event("CALL_CLOSED")
    switch.await_idle()
    records = {record["dialled"]: record for record in switch.records_of([second.number], 2)}
    assert {record["sip_status"] for record in records.values()} == {200}
    assert records[third.number]["marks"] == [f"transferred by {second.number} to {first.number}"]
    assert records[first.number]["marks"] == [f"{third.number} in the place of {second.number}"]
