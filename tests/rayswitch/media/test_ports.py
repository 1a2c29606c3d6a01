"""Ports are given once, and rest before they are given again."""

from hypothesis import given
from hypothesis import strategies as st

from rayswitch.media.ports import PortPool


def test_even_ports_whose_odd_neighbour_is_in_the_range() -> None:
    pool = PortPool(range(1001, 1007))
    assert [pool.take(0.0) for _ in range(3)] == [1002, 1004, None]


def test_offset_turns_the_order() -> None:
    assert PortPool(range(1000, 1008), offset=6).take(0.0) == 1004


def test_quarantine() -> None:
    pool = PortPool(range(1000, 1002), quarantine=2.0)
    assert pool.take(0.0) == 1000
    pool.give_back([1000], 10.0)
    assert pool.take(11.9) is None
    assert pool.take(12.0) == 1000


def test_a_restarted_gateway_claims_ports() -> None:
    pool = PortPool(range(1000, 1004))
    assert pool.claim(1000)
    assert not pool.claim(1000)
    assert pool.take(0.0) == 1002
    pool.give_back([1002], 0.0)
    assert pool.claim(1002), "a quarantined port goes to the session that had it"


def test_a_port_of_another_range_is_not_kept() -> None:
    pool = PortPool(range(1000, 1002), quarantine=0.0)
    assert pool.claim(5000)
    pool.give_back([5000, 77], 0.0)
    assert [pool.take(1.0), pool.take(1.0)] == [1000, None]


@given(st.lists(st.tuples(st.sampled_from(["take", "give", "claim"]), st.integers(0, 9))))
def test_never_given_twice(steps: list[tuple[str, int]]) -> None:
    pool, held = PortPool(range(20), quarantine=2.0), set[int]()
    for now, (step, number) in enumerate(steps):
        port = number * 2
        if step == "take":
            taken = pool.take(now)
            assert taken not in held
            held |= {taken} if taken is not None else set()
        elif step == "claim":
            assert pool.claim(port) == (port not in held)
            held.add(port)
        else:
            pool.give_back([port], now)
            held.discard(port)
        assert len(pool.free) + len(pool.resting) + len(held) == 10
