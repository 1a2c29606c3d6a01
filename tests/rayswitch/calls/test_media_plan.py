"""Which ports carry a call, and which of them go back when."""

from __future__ import annotations

from typing import Any

from rayswitch.calls.effects import ReleaseMedia, ReserveMedia
from rayswitch.calls.media_plan import MediaPlan
from rayswitch.sdp.session import parse
from tests.scenarios.switchroom import sdp

V4, V6 = "198.51.100.7", "2001:db8::7"


def plan(count: int = 1, families: set[int] | None = None) -> MediaPlan:
    made = MediaPlan(4)
    wish = made.reserve(count, families or {4})
    assert wish is not None and made.asked
    made.fill("m0", ports(wish))
    return made


def ports(wish: ReserveMedia, first: int = 20000) -> list[list[Any]]:
    return [[first + 2 * number, V4 if family == 4 else V6] for number, family in enumerate(wish.families)]


def test_one_port_towards_a_and_one_for_each_family_of_b() -> None:
    made = MediaPlan(4)
    assert made.reserve(2, {6, 4}) == ReserveMedia("", [4, 4, 6, 4, 4, 6])


def test_only_what_is_missing_is_reserved_and_at_the_same_gateway() -> None:
    made = plan()
    assert made.reserve(1, {4}) is None and not made.asked
    assert made.reserve(2, {4}) == ReserveMedia("m0", [4, 4])


def test_endpoints_follow_the_lines() -> None:
    made = plan(2)
    session = parse(sdp("10.0.0.1", 4000, 0, 4004))
    first, rejected = made.endpoints("a", session)
    assert first is not None and (first.address, first.port) == (V4, 20000) and rejected is None


def test_generation_rises_with_every_change_of_address() -> None:
    made = plan()
    assert made.learn("b", parse(sdp("10.9.0.1", 6000))) and made.streams[0].generation == 1
    assert not made.learn("b", parse(sdp("10.9.0.1", 6000))) and made.streams[0].generation == 1
    assert made.learn("b", parse(sdp("0.0.0.0", 6000))) and made.streams[0].remotes["b"] is None


def test_release_gives_back_what_was_never_joined() -> None:
    made = plan(1, {4, 6})
    assert made.release() == ReleaseMedia("m0", [20000, 20002, 20004], False)
    made.connect()
    assert made.release() == ReleaseMedia("m0", [20004], True)
    made.families["b"] = 6
    made.connect()
    assert made.release() == ReleaseMedia("m0", [], True)
    wish = made.reserve(2, {6})
    assert wish is not None
    made.fill("m0", ports(wish, 30000))
    assert made.release() == ReleaseMedia("m0", [30000, 30002], True)


def test_ports_that_nobody_needs_any_more() -> None:
    made = MediaPlan(4)
    made.reserve(1, {4})
    assert made.decline("m1", [[20000, V4], [20002, V4]]) == ReleaseMedia("m1", [20000, 20002], False)
    assert not made.asked and made.gateway == ""


def test_snapshot() -> None:
    made = plan(2)
    made.learn("a", parse(sdp("10.0.0.1", 4000, 4002)))
    made.connect()
    again = MediaPlan.restore(made.snapshot())
    assert again.connect() == made.connect() and again.release() == made.release()


def test_a_stream_more_while_somebody_takes_the_place_of_a_has_ports_on_both_sides() -> None:
    made = plan()
    assert made.reserve(1, {4}, "a") is None
    assert made.reserve(1, {6}, "a") == ReserveMedia("m0", [6])
    assert made.reserve(2, {4}, "a") == ReserveMedia("m0", [4, 4])
