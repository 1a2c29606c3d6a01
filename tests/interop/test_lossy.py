"""Datagrams are lost both ways, at the caller and at the callee: all calls end right all the same."""

import pytest

from tests.interop.lossy import Lossy
from tests.interop.ports import free_port
from tests.interop.sipp import Sipp, register
from tests.interop.switch import DOMAIN, Switch, users

CALLS, RATE = 150, 30
HOLD = 3000  # long enough for an ACK that was lost to come again before the BYE


@pytest.mark.parametrize(("loss", "first"), [(0.02, 3000), (0.10, 4000)], ids=["2 per cent", "10 per cent"])
def test_all_calls_end_right(switch: Switch, loss: float, first: int) -> None:
    callers, callees = users(first, 50, dialled=first + 500), users(first + 500, 50)
    switch.import_users([*callers, *callees])
    caller_port, callee_port, server = free_port(), free_port(), ("127.0.0.1", switch.port)
    with (
        Lossy(("127.0.0.1", caller_port), server, loss, seed=1) as near_caller,
        Lossy(("127.0.0.1", callee_port), server, loss, seed=2) as near_callee,
    ):
        registered = register(near_callee.front, DOMAIN, callees, port=callee_port, contact=near_callee.back)
        assert (registered.successful, registered.failed) == (len(callees), 0), registered.errors
        with Sipp(
            "callee",
            near_callee.front,
            domain=DOMAIN,
            port=callee_port,
            contact=near_callee.back,
            linger=8_000,
            # An INVITE that comes again when 180 and 200 were both lost is unexpected to SIPp: no reason to give the
            # call up, its 200 comes again by the clock.
            extra=("-default_behaviors", "all,-abortunexp"),
        ) as callee:
            with Sipp(
                "caller",
                near_caller.front,
                domain=DOMAIN,
                users=callers,
                calls=CALLS,
                rate=RATE,
                hold=HOLD,
                port=caller_port,
                contact=near_caller.back,
            ) as caller:
                made = caller.result()
            switch.await_idle(40)
            taken = callee.stop()
    assert (made.successful, made.failed) == (CALLS, 0), made.errors[:3000]
    assert (taken.successful, taken.failed) == (CALLS, 0), taken.errors[:3000]
    assert min(near_caller.lost, near_callee.lost) > 0
    records = switch.records_of((user.number for user in callers), CALLS)
    assert len(records) == CALLS
    assert {row["sip_status"] for row in records} == {200}
    assert {row["release_side"] for row in records} == {"a"}
