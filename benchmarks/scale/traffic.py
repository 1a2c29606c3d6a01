"""Many phones: every call and every REGISTER from a source port of its own, the called ones on four ports.

The kernel chooses the gateway by source address. So half of a call of two gateways comes to the other one: the called
phone's answers land where its port leads, and its registration has its home at any of them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Self

from benchmarks.scale.layout import Subject
from tests.interop.ports import free_port
from tests.interop.sipp import Result, Sipp, User, register
from tests.interop.switch import DOMAIN, users

FIRST = 10_000
SCATTERED = "udp, many ports"
CALLEE_PORTS = 4


class Phones(NamedTuple):
    """Who calls, and who is called."""

    callers: list[User]
    callees: list[User]

    @classmethod
    def some(cls, callers: int, callees: int) -> Self:
        """So many of each; the callers dial the callees in turn."""
        called = users(FIRST + callers, callees)
        calling = users(FIRST, callers)
        return cls([user._replace(dialled=called[n % callees].number) for n, user in enumerate(calling)], called)


def checked(result: Result) -> Result:
    """The result; RuntimeError when a single call or registration has failed."""
    if result.failed or result.unexpected:
        raise RuntimeError(f"{result.failed} failed, {result.unexpected} unexpected: {result.errors[:2000]}")
    return result


def registrations(switch: Subject, phones: list[User], rate: float) -> Result:
    """Register all of them once, at all nodes in turn."""
    each = [phones[number :: len(switch.addresses)] for number in range(len(switch.addresses))]
    runs = [
        Sipp("register", address, domain=DOMAIN, users=some, calls=len(some), rate=rate / len(each),
             transport=SCATTERED, address=switch.local)
        for address, some in zip(switch.addresses, each, strict=True)
    ]  # fmt: skip
    return together(runs)


@contextmanager
def answering(switch: Subject, callees: list[User]) -> Iterator[None]:
    """The called phones are registered, at all nodes in turn, and answer."""
    with ExitStack() as stack:
        running = []
        for number in range(CALLEE_PORTS):
            port = free_port(switch.local)
            at = switch.addresses[number % len(switch.addresses)]
            mine = callees[number::CALLEE_PORTS]
            checked(register(at, DOMAIN, mine, port=port, address=switch.local))
            running.append(stack.enter_context(Sipp("callee", at, domain=DOMAIN, port=port, address=switch.local)))
        yield
        for callee in running:
            checked(callee.stop())


def calls(switch: Subject, callers: list[User], count: int, rate: float) -> Result:
    """`count` authenticated calls of a second each, at all nodes in turn; every node is called from every node."""
    nodes = len(switch.addresses)
    runs = [
        Sipp("caller", address, domain=DOMAIN, users=callers[place * len(callers) // nodes :], calls=count // nodes,
             rate=rate / nodes, hold=1000, transport=SCATTERED, address=switch.local)
        for place, address in enumerate(switch.addresses)
    ]  # fmt: skip
    return together(runs)


def together(runs: list[Sipp]) -> Result:
    """All of them at once; the sums, and the response times of all."""
    with ExitStack() as stack:
        results = [checked(run.result()) for run in [stack.enter_context(run) for run in runs]]
    times = [time for result in results for time in result.response_times]
    return results[0]._replace(response_times=times)
