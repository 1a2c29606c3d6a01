"""Many phones: every call and every REGISTER from a source port of its own, the called ones on four ports.

The kernel chooses the gateway by source address. So half of a call of two gateways comes to the other one: the called
phone's answers land where its port leads, and its registration has its home at any of them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Self

from tests.interop.ports import free_port
from tests.interop.sipp import Result, Sipp, User, register
from tests.interop.switch import DOMAIN, Switch, users

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


def registrations(switch: Switch, phones: list[User], rate: float) -> Result:
    """Register all of them once."""
    return checked(register(switch.ipv4, DOMAIN, phones, rate=rate, transport=SCATTERED))


@contextmanager
def answering(switch: Switch, callees: list[User]) -> Iterator[None]:
    """The called phones are registered and answer."""
    with ExitStack() as stack:
        running = []
        for number in range(CALLEE_PORTS):
            port = free_port()
            checked(register(switch.ipv4, DOMAIN, callees[number::CALLEE_PORTS], port=port))
            running.append(stack.enter_context(Sipp("callee", switch.ipv4, domain=DOMAIN, port=port)))
        yield
        for callee in running:
            checked(callee.stop())


def calls(switch: Switch, callers: list[User], count: int, rate: float) -> Result:
    """`count` authenticated calls of a second each."""
    with Sipp(
        "caller", switch.ipv4, domain=DOMAIN, users=callers, calls=count, rate=rate, hold=1000, transport=SCATTERED
    ) as caller:
        return checked(caller.result())
