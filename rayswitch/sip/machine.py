"""What the four transaction machines share: a state, a table, and the actions that add effects to a list.

A table maps (state, event) to (next state, actions).  A pair that is not in it means that the state does not care: a
late timer, a repeated message.  An action is called with the event's argument and the list of effects; a machine keeps
neither, so that one which only waits holds no message.

Machines are numbered; timers carry the number, so a timer of a machine that is gone finds nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from rayswitch.sip.effects import StartTimer, Transmit
from rayswitch.sip.flow import Flow

Effects = list[Any]
Action = Callable[[Any, Any, Effects], None]
Table = dict[tuple[str, str], tuple[str, tuple[Action, ...]]]

TERMINATED = "terminated"


class Timers(NamedTuple):
    """RFC 3261 Table 4, in seconds."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    d: float = 32.0

    @property
    def patience(self) -> float:
        """Timers B, F, H, J, L, M: 64 × T1."""
        return 64 * self.t1


class Machine:
    """One transaction; `data` are the octets that it repeats, `interval` the wait before the next repetition."""

    __slots__ = ("data", "flow", "index", "interval", "number", "state", "timers")

    TABLE: ClassVar[Table] = {}
    START: ClassVar[str] = ""

    def __init__(self, number: int, index: Any, flow: Flow, timers: Timers) -> None:
        self.number = number
        self.index = index
        """Under which the layer's table of clients or servers has it."""
        self.flow = flow
        self.timers = timers
        self.state = self.START
        self.interval = timers.t1
        self.data = b""

    def step(self, event: str, argument: Any, out: Effects) -> bool:
        """Make the transition for `event`; False when this state does not care."""
        transition = self.TABLE.get((self.state, event))
        if transition is None:
            return False
        self.state, actions = transition
        for action in actions:
            action(self, argument, out)
        return True

    def transmit(self, argument: Any, out: Effects) -> None:
        """Send (again) the octets at hand."""
        if self.data:
            out.append(Transmit(self.flow, self.data))

    def start(self, name: str, delay: float, out: Effects) -> None:
        """Timer `name` of this machine."""
        out.append(StartTimer(delay, (name, self.number)))

    def linger(self, name: str, delay: float, out: Effects) -> None:
        """A wait for repetitions: none over a reliable transport, there it is over at once."""
        if self.flow.reliable:
            self.state = TERMINATED
        else:
            self.start(name, delay, out)


def kind_of(status: int) -> str:
    """The event that a response is to a machine."""
    return "1xx" if status < 200 else "2xx" if status < 300 else "failure"
