"""The relay: one thread, one epoll, one packet after the other.

A thread of its own because a loop that also serves links would add its own cost to every packet; plain blocking epoll
because nothing is cheaper per packet in one process.  Nearly all of the cost is the kernel's `send`.  The other thread (the
process's loop) adds and removes sockets while this one runs: every look-up tolerates that a socket is gone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time

from gateways.media.half import LARGEST, Half

log = logging.getLogger(__name__)

EVENTS = 512


class Relay:
    """Moves packets between halves that were added."""

    def __init__(self) -> None:
        self.halves: dict[int, Half] = {}
        self.epoll = select.epoll()
        self.packets = 0
        self.failed = 0
        self.stop_read, self.stop_write = os.pipe()
        self.epoll.register(self.stop_read, select.EPOLLIN)
        self.thread = threading.Thread(target=self.run, name="relay", daemon=True)

    def start(self) -> None:
        """Relay from now on."""
        self.thread.start()

    def close(self) -> None:
        """End the thread and close everything."""
        os.write(self.stop_write, b".")
        if self.thread.ident is not None:
            self.thread.join()
        for half in self.halves.values():
            half.close()
        self.halves.clear()
        self.epoll.close()
        os.close(self.stop_read)
        os.close(self.stop_write)

    def add(self, half: Half) -> None:
        """Watch a socket."""
        self.halves[half.fd] = half
        with contextlib.suppress(FileExistsError):
            self.epoll.register(half.fd, select.EPOLLIN)

    def remove(self, half: Half) -> None:
        """Watch it no longer; it may be closed then."""
        if self.halves.pop(half.fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):
                self.epoll.unregister(half.fd)

    def run(self) -> None:
        """Until told to stop. No packet ends this thread."""
        poll, halves, clock, stop = self.epoll.poll, self.halves, time.monotonic, self.stop_read
        while True:
            ready = poll(-1, EVENTS)
            now = clock()
            for fd, _ in ready:
                half = halves.get(fd)
                if half is not None:
                    try:
                        self.move(half, now)
                    except OSError:
                        self.failed += 1  # nobody listens there (ICMP), or the socket went away under us
                    except Exception:
                        self.failed += 1
                        log.exception("a packet could not be relayed")
                elif fd == stop:
                    return

    def move(self, half: Half, now: float) -> None:
        """One packet."""
        data = half.recv(LARGEST) if half.latched else half.latch()
        self.packets += 1
        if half.reception is not None:
            half.reception.packet(data, now)
        partner = half.partner
        if partner is not None:
            if partner.latched:
                partner.send(data)
            else:
                partner.deliver(data)
