"""SIPp at full stretch: every call and registration succeeds, and nobody has to say anything twice."""

from tests.interop.ports import free_port
from tests.interop.sipp import Result, Sipp, User, register
from tests.interop.switch import DOMAIN, Switch, users

CALLERS, CALLEES = 10_000, 20_000
CALLS, CALL_RATE = 2_000, 100
REGISTRATIONS, REGISTRATION_RATE = 10_000, 500


def _assert_clean(result: Result, successful: int) -> None:
    trouble = result._replace(response_times=[], errors=result.errors[:2000])
    assert trouble == Result(successful, 0, 0, 0, 0, [], ""), trouble


def test_ten_thousand_registrations_at_500_a_second(switch: Switch) -> None:
    phones = users(CALLEES, REGISTRATIONS)
    switch.import_users(phones)
    _assert_clean(register(switch.ipv4, DOMAIN, phones, rate=REGISTRATION_RATE), REGISTRATIONS)
    assert len(switch.json("registrations")) == REGISTRATIONS


def test_two_thousand_calls_at_100_a_second(switch: Switch) -> None:
    callers, callees = users(CALLERS, 500, dialled=50_000), users(50_000, 500)
    switch.import_users([*callers, *callees])
    _assert_clean(_calls(switch, callers, callees, "caller"), CALLS)
    switch.await_idle()
    records = switch.records_of((user.number for user in callers), CALLS)
    assert len(records) == CALLS
    assert {row["sip_status"] for row in records} == {200}
    assert {row["release_side"] for row in records} == {"a"}


def test_offers_in_the_200_and_answers_in_the_ack(switch: Switch) -> None:
    callers, callees = users(60_000, 50, dialled=60_100), users(60_100, 50)
    switch.import_users([*callers, *callees])
    _assert_clean(_calls(switch, callers, callees, "caller_late_offer", calls=100, rate=50), 100)
    switch.await_idle()


def test_calls_over_tcp(switch: Switch) -> None:
    callers, callees = users(61_000, 50, dialled=61_100), users(61_100, 50)
    switch.import_users([*callers, *callees])
    _assert_clean(_calls(switch, callers, callees, "caller", calls=200, rate=50, transport="tcp"), 200)
    switch.await_idle()


def _calls(
    switch: Switch,
    callers: list[User],
    callees: list[User],
    scenario: str,
    *,
    calls: int = CALLS,
    rate: float = CALL_RATE,
    transport: str = "udp",
) -> Result:
    """Statistics of the caller; those of the callee are asserted here."""
    port = free_port()
    _assert_clean(register(switch.ipv4, DOMAIN, callees, port=port, transport=transport), len(callees))
    with Sipp("callee", switch.ipv4, domain=DOMAIN, port=port, transport=transport) as callee:
        with Sipp(
            scenario,
            switch.ipv4,
            domain=DOMAIN,
            users=callers,
            calls=calls,
            rate=rate,
            hold=1000,
            transport=transport,
        ) as caller:
            result = caller.result()
        _assert_clean(callee.stop(), calls)
    return result
