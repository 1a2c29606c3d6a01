"""The relay: one thread, one epoll, one packet after the other.

A thread of its own because a loop that also serves links would add its own cost to every packet; blocking epoll
because nothing is cheaper per packet in one process. Two thirds of what is left is the kernel's, most of it `send`.

Sleeping a millisecond after each round, to wake up once for several packets, was tried: it costs more than it saves,
here and in a relay written in C.

The other thread (the process's loop) never touches a socket that is relayed: it hands over orders, which this one
carries out between two rounds, so that neither needs a lock and no descriptor is closed or used again under the relay.
Sockets that the relay has not seen yet are joined by the loop itself, and what is no hurry waits for others of its
kind: a wake-up costs more than the order does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from gateways.media.half import LARGEST, Half, Nothing, Wires

log = logging.getLogger(__name__)

EVENTS = 1024
SWITCH_INTERVAL = 0.0005
"""Seconds the loop's thread may keep the interpreter while a packet waits (the default of 5 ms would be heard)."""
LOG_EVERY = 1.0
PATIENCE = 0.1
"""Seconds for which orders that are not urgent are gathered."""


class Relay:
    """Moves packets between halves that were joined."""

    def __init__(self) -> None:
        self.halves: dict[int, Half] = {}
        self.wires: Wires = {}
        self.buffer = bytearray(LARGEST)
        self.views = [memoryview(self.buffer)[:size] for size in range(LARGEST + 1)]
        self.epoll = select.epoll()
        self.packets = 0
        self.failed = 0
        self.blocked = 0
        self.orders: deque[Callable[[], None]] = deque()
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.epoll.register(self.wake_fd, select.EPOLLIN)
        self.woken = False
        self.waker: asyncio.TimerHandle | None = None
        self.stopping = False
        self.logged = 0.0
        self.thread = threading.Thread(target=self.run, name="relay", daemon=True)

    def start(self) -> None:
        """Relay from now on."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.thread.start()

    def close(self) -> None:
        """End the thread and close everything."""
        self.order(self.stop)
        if self.thread.ident is not None:
            self.thread.join()
        self.obey()
        for half in self.halves.values():
            half.close()
        self.halves.clear()
        self.epoll.close()
        os.close(self.wake_fd)

    def order(self, work: Callable[[], None], urgent: bool = True) -> None:
        """Have `work` done by the relay's thread, in order: at once, or within PATIENCE."""
        self.orders.append(work)
        if urgent:
            self.wake()
        elif self.waker is None:
            self.waker = asyncio.get_running_loop().call_later(PATIENCE, self.wake)

    def wake(self) -> None:
        """Have the orders carried out now."""
        if self.waker is not None:
            self.waker.cancel()
            self.waker = None
        if not self.woken:  # one for all orders of a session
            self.woken = True
            os.eventfd_write(self.wake_fd, 1)

    def stop(self) -> None:
        """An order: the last one."""
        self.stopping = True

    def join(self, near: Half, far: Half) -> None:
        """An order, unless both are new to the relay: what comes in at one goes out at the other.

        Both are joined before either is watched: from then on packets change them.
        """
        near.join(far, self.wires)
        far.join(near, self.wires)
        for half in (near, far):
            if half.fd not in self.halves:
                self.halves[half.fd] = half
                self.epoll.register(half.fd, select.EPOLLIN)

    def drop(self, halves: Iterable[Half]) -> None:
        """An order: watch these no longer, and close them."""
        for half in halves:
            if self.halves.pop(half.fd, None) is not None:
                with contextlib.suppress(OSError):
                    self.epoll.unregister(half.fd)
            self.blocked += half.blocked
            half.close()

    def dropped(self) -> int:
        """Packets that were not relayed; from any thread."""
        return self.failed + self.blocked + sum(half.blocked for half in tuple(self.halves.values()))

    def run(self) -> None:
        """Until told to stop; one packet of each socket that has some, through one buffer. No packet and no order ends
        this thread.

        All in one function, because most rounds are of one or two packets: what a round costs, each of them costs. A
        look-up that fails is `order` waking us.
        """
        poll, clock, orders = self.epoll.poll, time.monotonic, self.orders
        wires, buffer, views = self.wires, self.buffer, self.views
        while not self.stopping:
            ready = poll(-1, EVENTS)
            now = clock()
            for fd, _ in ready:
                try:
                    receive, count, forward = wires[fd]
                    size = receive(buffer)
                    count(buffer, size, now)
                    forward(views[size])
                except Nothing:
                    pass
                except KeyError:
                    self.acknowledge()
                except OSError:
                    self.failed += 1  # nobody listens there (ICMP), or there is no way there
                except Exception:
                    self.failed += 1
                    self.complain("a packet could not be relayed")
            self.packets += len(ready)
            if orders:
                self.obey()

    def acknowledge(self) -> None:
        """`order` woke the thread up: that was no packet."""
        self.packets -= 1
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake_fd)

    def obey(self) -> None:
        """Carry out what was ordered so far; what is ordered from now on wakes us again."""
        self.woken = False
        for _ in range(len(self.orders)):
            try:
                self.orders.popleft()()
            except Exception:
                log.exception("an order to the relay failed")

    def complain(self, what: str) -> None:
        """At most one line a second, whatever comes in."""
        now = time.monotonic()
        if now - self.logged >= LOG_EVERY:
            self.logged = now
            log.exception(what)
