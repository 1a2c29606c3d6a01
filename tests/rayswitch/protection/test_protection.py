"""Lists, bans, buckets, failures and overload with invented time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.protection import Ban, Bans, Buckets, Failures, Guard, Networks, Overload

HOST, OTHER = "192.0.2.7", "192.0.2.8"


@pytest.mark.parametrize(
    ("networks", "inside", "outside"),
    [
        (["192.0.2.0/24"], ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.3.0", "nonsense", "2001:db8::1"]),
        (["192.0.2.7"], ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        (["2001:db8::/32", "10.0.0.0/8"], ["2001:db8:1::9", "10.255.0.1", "2001:db8::1%e"], ["2001:db9::", "11.0.0.1"]),
        (["0.0.0.0/0"], ["1.2.3.4"], ["::1"]),
        ([], [], ["1.2.3.4", "::1"]),
    ],
)  # fmt: skip
def test_networks(networks: list[str], inside: list[str], outside: list[str]) -> None:
    made = Networks(networks)
    assert [host for host in inside if host not in made] == []
    assert [host for host in outside if host in made] == []


def test_a_word_is_no_network() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Networks(["nonsense"])


def test_the_fifth_failure_within_a_minute_is_one_too_many() -> None:
    failures = Failures(5, 60)
    assert [failures.failed(HOST, at) for at in (0, 10, 20, 30)] == [False] * 4
    assert not failures.failed(OTHER, 31)
    assert not failures.failed(HOST, 61), "the first is out of the window"
    assert failures.failed(HOST, 62), "10, 20, 30, 61 and 62"
    assert not failures.failed(HOST, 63), "the count begins anew"


def test_failures_are_remembered_of_so_many_addresses_only() -> None:
    failures = Failures(2, 60, most=10)
    for number in range(100):
        failures.failed(str(number), 0)
    assert len(failures.by_address) == 10
    assert failures.failed("99", 1) and not failures.failed("1", 1)


@given(st.lists(st.floats(0, 0.5), max_size=200), st.integers(1, 50), st.integers(1, 50))
def test_a_source_gets_its_rate_and_its_burst_and_no_more(gaps: list[float], rate: int, burst: int) -> None:
    buckets, now, taken = Buckets(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.takes(HOST, now)
        assert taken <= burst + rate * now + 1e-6
    assert buckets.takes(OTHER, now), "another source has its own"


def test_an_honest_rate_is_never_limited() -> None:
    buckets = Buckets(10, 5)
    assert all(buckets.takes(HOST, number / 10) for number in range(1000))


def test_forged_sources_do_not_fill_the_memory() -> None:
    buckets = Buckets(1, 2, most=100)
    for number in range(1000):
        assert buckets.takes(str(number), number / 1000)
    assert len(buckets.levels) <= 100


def test_no_rate_is_no_limit() -> None:
    assert all(Buckets(0, 0).takes(HOST, 0.0) for _ in range(100))


def test_a_longer_ban_wins_and_one_ends() -> None:
    bans = Bans(most=2)
    assert bans.add(Ban(HOST, 100, "", 0)) and not bans.add(Ban(HOST, 50, "", 1)) and bans.add(Ban(HOST, 200, "", 2))
    assert bans.expire(199) == [] and bans.expire(200) == [HOST] and not bans.lift(HOST)
    for host in ("a", "b", "c"):
        bans.add(Ban(host, 1, "", 0))
    assert bans.newest(5) == ["b", "c"]


def guard(**limits: float) -> Guard:
    rate = limits.get("rate", 0)
    return Guard(Failures(2, 60), limits.get("ban", 100.0), Buckets(rate, rate), Buckets(0, 0))


def test_two_failures_are_a_ban_and_a_banned_one_is_not_heard() -> None:
    made = guard()
    assert made.admits(HOST, 0.0)
    assert made.failed(HOST, "wrong password", 1000.0) is None
    ban = made.failed(HOST, "wrong password", 1001.0)
    assert ban == Ban(HOST, 1101.0, "wrong password", 1001.0)
    assert not made.admits(HOST, 1.0) and made.admits(OTHER, 1.0)
    assert made.counters() == {"banned": 1, "rejected": 0, "limited": 0, "bans": 1}
    made.bans.expire(1101.0)
    assert made.admits(HOST, 2.0)


def test_lists_come_before_bans_and_limits() -> None:
    made = guard(rate=1)
    made.lists(Networks([HOST]), Networks(["192.0.2.0/24"]))
    assert all(made.admits(HOST, 0.0) for _ in range(10)), "accepted: no limit, though a larger network is rejected"
    assert not made.admits(OTHER, 0.0) and made.rejected == 1
    assert [made.failed(HOST, "", float(at)) for at in range(10)] == [None] * 10, "and never banned"
    assert not made.ban(Ban(HOST, 1e9, "", 0))
    made.lists(Networks(), Networks())
    assert made.admits(OTHER, 0.0)


def test_a_switch_that_bans_nobody() -> None:
    made = guard(ban=0)
    assert [made.failed(HOST, "", float(at)) for at in range(10)] == [None] * 10


def test_without_a_queue_nobody_is_refused() -> None:
    overload = Overload()
    overload.queued(10)
    assert not any(overload.refuses(False) for _ in range(100))


@pytest.mark.parametrize(("delay", "fresh", "proved"), [(0.1, 0, 0), (0.2, 50, 0), (0.25, 75, 50), (0.3, 100, 100)])
def test_the_longer_the_queue_the_more_is_refused(delay: float, fresh: int, proved: int) -> None:
    for has_proved, expected in ((False, fresh), (True, proved)):
        overload = Overload(0.1, 0.3)
        overload.seconds = 0.001
        overload.queued(delay / 0.001)
        refused = sum(overload.refuses(has_proved) for _ in range(100))
        assert abs(refused - expected) <= 1 and overload.refused == refused


def test_the_mean_follows_what_a_message_takes() -> None:
    overload = Overload()
    for _ in range(200):
        overload.worked(10, 0.02)
    overload.queued(100)
    assert overload.delay == pytest.approx(0.2, rel=0.01)
    overload.worked(0, 5.0)
    assert overload.seconds == pytest.approx(0.002, rel=0.01)


def test_a_loop_that_comes_late_is_overloaded_too() -> None:
    overload = Overload(0.1, 0.3)
    overload.late(0.5)
    assert not overload.refuses(False), "one long turn is no overload"
    overload.late(0.4)
    assert overload.delay == 0.4
    assert overload.refuses(False) and overload.refuses(True)
    overload.late(-0.001)
    assert not overload.refuses(False)
