"""What a transaction costs beyond reading and writing its messages, and what one keeps while it waits.

    python -m benchmarks.transactions [exchanges]

Prints microseconds of CPU for each step, encoding included where there is something to encode, and octets held by one
transaction that only waits for repetitions.  Messages are parsed before the clock starts.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from benchmarks.parse import INVITE
from rayswitch.sip.effects import Deliver, StartTimer
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, Response, parse, respond, validate
from rayswitch.sip.transactions import TransactionLayer

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.15", 5060))
BATCH = 200
"""Exchanges alive at a time: as in a gateway, the tables are small and warm."""


class Steps:
    """CPU seconds and number of each step; the layer and the timers it has asked for."""

    def __init__(self) -> None:
        count = itertools.count()
        self.layer = TransactionLayer(Identifiers("s0", lambda size: next(count).to_bytes(size, "big")))
        self.spent: dict[str, float] = defaultdict(float)
        self.done: dict[str, int] = defaultdict(int)
        self.timers: list[tuple[Any, ...]] = []

    def step(self, name: str, work: Callable[[Any], list[Any]], items: list[Any]) -> list[list[Any]]:
        """`work` on each of `items`; the effects of each."""
        begin = time.process_time()
        effects = [work(item) for item in items]
        self.spent[name] += time.process_time() - begin
        self.done[name] += len(items)
        self.timers += [effect.timer for out in effects for effect in out if isinstance(effect, StartTimer)]
        return effects

    def finish(self) -> None:
        """Let every transaction end."""
        for timer in self.timers:
            if timer[0] in "DHIJKLM":
                self.layer.expired(timer, 0.0)
        self.timers.clear()


def read(data: bytes) -> Request | Response:
    message = parse(data)
    validate(message)
    return message


def incoming(method: bytes, number: int) -> Request:
    data = INVITE.replace(b"776asdhds8f2", b"%d" % number).replace(b"a84b4c76e66710b2", b"%d" % number)
    message = read(data.replace(b"INVITE", method))
    assert isinstance(message, Request)
    return message


def events(effects: list[list[Any]]) -> list[Any]:
    return [effect.event for out in effects for effect in out if isinstance(effect, Deliver)]


def serve(steps: Steps, method: str, first: int) -> None:
    """Requests that come, come again, and are answered."""
    layer = steps.layer
    requests = [incoming(method.encode(), first + index) for index in range(BATCH)]
    again = [incoming(method.encode(), first + index) for index in range(BATCH)]
    told = events(steps.step(f"{method} received", lambda m: layer.receive(m, FLOW, 0.0), requests))
    answers = [(event.server, respond(event.request, 200, to_tag="x")) for event in told]
    steps.step(f"{method} answered", lambda answer: layer.respond(answer[0], answer[1], 0.0), answers)
    steps.step(f"{method} repeated", lambda m: layer.receive(m, FLOW, 0.0), again)


def ask(steps: Steps, method: str, first: int) -> None:
    """Requests that are sent and answered."""
    layer = steps.layer
    requests = [incoming(method.encode(), first + index) for index in range(BATCH)]
    for request in requests:
        request.remove("via")
    steps.step(f"{method} sent", lambda m: layer.request(m.call_id, m, FLOW, 0.0), requests)
    answers = [read(respond(request, 200, to_tag="x").encode()) for request in requests]
    steps.step(f"{method} 200 received", lambda m: layer.receive(m, FLOW, 0.0), answers)


def kept(scenario: Callable[[Steps, str, int], None], method: str) -> float:
    """Octets that one answered transaction holds; its timers not counted, they are the shell's."""
    steps = Steps()
    tracemalloc.start()
    scenario(steps, method, 0)
    gc.collect()
    steps.timers.clear()
    before = tracemalloc.get_traced_memory()[0]
    for table in (steps.layer.machines, steps.layer.clients, steps.layer.servers, steps.layer.invites):
        table.clear()
    steps.layer.merges.clear()
    gc.collect()
    held = before - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / BATCH


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    steps = Steps()
    gc.disable()
    for first in range(0, total, BATCH):
        for method in ("INVITE", "BYE"):
            serve(steps, method, first)
            ask(steps, method, first)
        steps.finish()
    for name, spent in steps.spent.items():
        print(f"{name:24}{spent / steps.done[name] * 1e6:8.2f} µs")
    for method in ("INVITE", "BYE"):
        print(f"{method + ' server waiting':24}{kept(serve, method):8.0f} octets")
        print(f"{method + ' client waiting':24}{kept(ask, method):8.0f} octets")


if __name__ == "__main__":
    main()
