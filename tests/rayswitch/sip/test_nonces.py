"""Server nonces: recognised without memory, replay found with little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.nonces import WINDOW, Nonces, owner_of_nonce

SECRET = b"s" * 32


def nonces(owner: str = "s0", **settings: int) -> Nonces:
    return Nonces(SECRET, owner, 300.0, **settings)


def test_a_nonce_is_good_for_rising_counts_while_it_lives() -> None:
    ours = nonces()
    nonce = ours.issue(10.0)
    assert [ours.check(nonce, nc, 11.0) for nc in (1, 2, 3)] == ["ok"] * 3
    assert ours.check(nonce, 4, 310.0) == "ok"
    assert ours.check(nonce, 5, 310.1) == "stale"


def test_a_count_is_good_once() -> None:
    ours = nonces()
    nonce = ours.issue(10.0)
    assert [ours.check(nonce, nc, 10.0) for nc in (1, 1, 0, -1)] == ["ok", "replay", "replay", "replay"]


@given(st.lists(st.integers(1, 200), max_size=60))
def test_counts_may_overtake_each_other_within_the_window(counts: list[int]) -> None:
    ours = nonces()
    nonce = ours.issue(10.0)
    seen: set[int] = set()
    for nc in counts:
        fresh = nc not in seen and nc > max(seen, default=0) - WINDOW
        assert ours.check(nonce, nc, 10.0) == ("ok" if fresh else "replay")
        seen.add(nc)


def test_no_two_nonces_are_equal() -> None:
    ours = nonces()
    assert len({ours.issue(5.0) for _ in range(100)}) == 100
    assert all(ours.check(nonce, 1, 5.0) == "ok" for nonce in [ours.issue(5.0) for _ in range(10)])


def test_others_with_the_secret_know_a_nonce_and_its_owner() -> None:
    nonce = nonces("s7").issue(10.0)
    assert nonces("s0").check(nonce, 1, 10.0) == "foreign"
    assert owner_of_nonce(nonce) == "s7"
    assert [owner_of_nonce(text) for text in ("", "a", "a.b", "a.b.c.d", "a@b.c")] == ["", "", "", "", ""]


@given(st.text())
def test_what_was_not_made_with_the_secret_is_bad(text: str) -> None:
    ours = nonces()
    nonce = ours.issue(10.0)
    for forged in (text, f"s0.1.{text}", nonce[:-9] + "x" + nonce[-8:], "s1" + nonce[2:], nonce.replace(".", ".1", 1)):
        assert ours.check(forged, 1, 10.0) == "bad"
    assert Nonces(b"other", "s0", 300.0).check(nonce, 1, 10.0) == "bad"


def test_after_a_restart_older_nonces_are_stale_since_their_use_is_forgotten() -> None:
    nonce = nonces().issue(10.0)
    assert nonces().check(nonce, 1, 11.0) == "stale"
    restarted = nonces()
    fresh = restarted.issue(12.0)
    assert restarted.check(nonce, 1, 12.0) == "stale"
    assert restarted.check(fresh, 1, 12.0) == "ok"


def test_a_nonce_from_the_future_is_stale() -> None:
    nonce = nonces().issue(1000.0)
    assert nonces().check(nonce, 1, 10.0) == "stale"


def test_memory_is_bounded_and_what_is_forgotten_is_stale_not_replayable() -> None:
    ours = nonces(remembered=3)
    issued = [ours.issue(10.0) for _ in range(6)]
    assert [ours.check(nonce, 1, 10.0) for nonce in issued[:4]] == ["ok"] * 4
    assert [ours.check(nonce, 1, 10.0) for nonce in issued] == [
        "stale", "replay", "replay", "replay", "ok", "ok",
    ]  # fmt: skip


def test_unused_nonces_older_than_a_forgotten_one_are_stale_too() -> None:
    ours = nonces(remembered=1)
    old, middle, new = (ours.issue(10.0) for _ in range(3))
    assert ours.check(middle, 1, 10.0) == "ok"
    assert ours.check(new, 1, 10.0) == "ok"
    assert ours.check(old, 1, 10.0) == "stale"


def test_expired_nonces_leave_the_memory() -> None:
    ours = nonces()
    for second in range(0, 3000, 10):
        assert ours.check(ours.issue(float(second)), 1, float(second)) == "ok"
    assert len(ours._used) <= 32
