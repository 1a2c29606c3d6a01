"""The timer wheel on a real loop: order, cost, cancelling, and what it keeps."""

import asyncio
import gc
import logging
import time
import weakref

import pytest

from gateways.wheel import Wheel
from tests.gateways.loopback import run, until


class Held:
    """Something a timer holds on to."""


def test_timers_fire_in_order_within_a_tick_and_never_before_their_time() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[tuple[float, float]] = []
        began = wheel.loop.time()
        for delay in (0.08, 0.02, 0.05, 0.0, 0.11):
            wheel.start(delay, lambda delay=delay: fired.append((delay, wheel.loop.time() - began)))
        await until(lambda: len(fired) == 5)
        assert [delay for delay, _ in fired] == [0.0, 0.02, 0.05, 0.08, 0.11]
        for delay, after in fired:
            assert delay <= after < delay + 0.5, "a tick late, and what a busy machine adds"

    run(main)


def test_those_of_one_tick_fire_in_the_order_they_were_started() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[int] = []
        for number in range(100):
            wheel.start(0.03, fired.append, number)
        await until(lambda: len(fired) == 100)
        assert fired == sorted(fired)

    run(main)


def test_a_cancelled_timer_does_not_fire_and_lets_go_at_once() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[Held] = []
        held = Held()
        watched = weakref.ref(held)
        timer = wheel.start(0.02, fired.append, held)
        del held
        timer.cancel()
        timer.cancel()
        assert watched() is None
        await asyncio.sleep(0.06)
        assert not fired

    run(main)


def test_a_timer_that_fired_lets_go_although_somebody_keeps_it() -> None:
    async def main(wheel: Wheel) -> None:
        held = Held()
        watched = weakref.ref(held)
        fired: list[int] = []
        timer = wheel.start(0.0, lambda held: fired.append(1), held)
        del held
        await until(lambda: fired)
        gc.collect()
        assert watched() is None
        timer.cancel()

    run(main)


def test_the_loop_has_a_timer_only_while_something_waits() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[int] = []
        assert wheel.armed is None
        wheel.start(0.01, fired.append, 1)
        assert wheel.armed is not None
        await until(lambda: fired)
        assert wheel.armed is None and not wheel.slots and not wheel.order

    run(main)


def test_an_earlier_timer_wakes_the_loop_earlier() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[str] = []
        wheel.start(10, fired.append, "late")
        wheel.start(0.01, fired.append, "soon")
        await until(lambda: fired, 1.0)
        assert fired == ["soon"] and wheel.armed is not None

    run(main)


def test_a_timer_may_start_and_cancel_others() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[str] = []

        def first() -> None:
            second.cancel()
            wheel.start(0.0, fired.append, "third")

        wheel.start(0.01, first)
        second = wheel.start(0.01, fired.append, "second")
        await until(lambda: fired)
        assert fired == ["third"]

    run(main)


def test_one_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[int] = []
        wheel.start(0.01, lambda: 1 // 0)
        wheel.start(0.01, fired.append, 1)
        wheel.start(0.03, fired.append, 2)
        await until(lambda: len(fired) == 2)

    with caplog.at_level(logging.ERROR):
        run(main)
    assert "ZeroDivisionError" in caplog.text


def test_nothing_fires_after_close() -> None:
    async def main(wheel: Wheel) -> None:
        fired: list[int] = []
        wheel.start(0.01, fired.append, 1)
        wheel.close()
        await asyncio.sleep(0.04)
        assert not fired

    run(main)


def test_starting_and_cancelling_cost_the_same_with_many_waiting() -> None:
    async def main(wheel: Wheel) -> None:
        def cost() -> float:
            best = 1.0
            for _ in range(5):
                began = time.perf_counter()
                for _ in range(2000):
                    wheel.start(0.5, print).cancel()
                best = min(best, (time.perf_counter() - began) / 2000)
            return best

        few = cost()
        for number in range(100_000):
            wheel.start(5 + number % 3000 / 100, print)
        assert cost() < 3 * few + 2e-6

    run(main)
