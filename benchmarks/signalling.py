"""Calls and registrations by SIPp: every one authenticated, 10,000 extensions known to the server.

Calls are measured at half load, 300 a second (one gateway takes some 600 on the machine of docs/performance.md), and
at 100 a second: between rare messages the caches go cold, so the same work costs more there (`benchmarks.cold`).
"""

from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure
from benchmarks.meter import Idle, Meter, measure_idle
from benchmarks.subjects import Candidate, Subject
from tests.interop.ports import free_port
from tests.interop.sipp import Result, Sipp, User, register
from tests.interop.switch import DOMAIN, users

EXTENSIONS = 10_000
FIRST = 10_000
CALLEES = 500
CALL_RATES = {"seldom ": 100, "": 300}
REGISTER_RATE = 500


def extensions() -> list[User]:
    """10,000 that register and call, and 500 that are called by them."""
    callees = users(FIRST + EXTENSIONS, CALLEES)
    callers = users(FIRST, EXTENSIONS)
    return [caller._replace(dialled=callees[index % CALLEES].number) for index, caller in enumerate(callers)] + callees


def measure(candidate: Candidate, calls: int, everyone: Sequence[User]) -> Iterator[Figure]:
    """All signalling figures of one server; raises RuntimeError when a single call failed."""
    with candidate.start(everyone) as subject:
        idle = measure_idle(subject.pids)
        yield Figure("idle cpu", subject.name, idle.cpu * 100, "10 s, Ray's own processes included where there are any")
        yield Figure("idle memory", subject.name, idle.memory / 1e6, "10,000 extensions known")
        callers, callees = everyone[:-CALLEES], everyone[-CALLEES:]
        yield from _registrations(subject, idle, callers)
        yield from _calls(subject, calls, callers, callees)


def checked(result: Result) -> Result:
    if result.failed or result.unexpected:
        raise RuntimeError(f"{result.failed} calls failed: {result.errors[:2000]}")
    return result


def _registrations(subject: Subject, idle: Idle, phones: Sequence[User]) -> Iterator[Figure]:
    with Meter(subject.pids, idle) as meter:
        result = checked(register(subject.address, DOMAIN, phones, rate=REGISTER_RATE))
    detail = f"{result.successful} at {REGISTER_RATE}/s, {result.repeated_by_sipp} repeated"
    yield Figure("register", subject.name, meter.cpu / result.successful * 1e3, detail)
    yield Figure("registration memory", subject.name, meter.memory / result.successful / 1e3, detail)


def _calls(subject: Subject, calls: int, callers: Sequence[User], callees: Sequence[User]) -> Iterator[Figure]:
    port = free_port()
    checked(register(subject.address, DOMAIN, callees, port=port))
    with Sipp("callee", subject.address, domain=DOMAIN, port=port) as callee:
        idle = measure_idle(subject.pids)  # again: what is registered now has its own timers
        for which, rate in CALL_RATES.items():
            yield from _calls_at(subject, which, rate, idle, calls, callers)
        checked(callee.stop())


def _calls_at(
    subject: Subject, which: str, rate: int, idle: Idle, calls: int, callers: Sequence[User]
) -> Iterator[Figure]:
    with Meter(subject.pids, idle) as meter:
        with Sipp("caller", subject.address, domain=DOMAIN, users=callers, calls=calls, rate=rate, hold=1000) as caller:
            result = checked(caller.result())
        subject.idle()
    detail = f"{result.successful} at {rate}/s, {result.repeated_by_sipp} repeated"
    yield Figure(f"{which}call", subject.name, meter.cpu / result.successful * 1e3, detail)
    yield Figure(f"{which}delay", subject.name, result.percentile(0.99) * 1e3, detail)
