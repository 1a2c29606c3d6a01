"""What passed between the processes of a switch, by their own counters; and over Ray's connections, by the kernel's.

Of Ray's connections `ss` gives the segments with data that each has sent: its calls, its heartbeats, its bookkeeping. A
Ray call takes two at least. That is cruder than counting calls, and it cannot miss one.
"""

import time
from typing import Any, NamedTuple, Self

from benchmarks.scale.layout import Subject

BEATS_A_SECOND = 5
"""Frames that pass each way on a link without any traffic."""


class Counts(NamedTuple):
    """Counters at one moment, summed over the SIP gateways unless it says otherwise."""

    at: float
    received: int
    """SIP messages from the network."""
    handed_over: int
    """Of these, given to the gateway that owns them."""
    gateway_frames: int
    """Link frames from one SIP gateway to another, heartbeats included."""
    gateway_bytes: int
    media_frames: int
    """Between SIP gateways and media gateways, both ways."""
    media_bytes: int
    links: int
    """Pairs of processes that are linked."""
    pushed_bytes: int
    """By the Switchboard to all members: snapshots, questions, heartbeats."""
    ray_segments: int

    @classmethod
    def of(cls, switch: Subject) -> Self:
        """What stands now."""
        status, at = switch.status(), time.monotonic()
        gateways = [figures for host, figures in status["figures"].items() if host[0] == "s"]
        links = status["links"]
        return cls(
            at,
            sum(figure["received"] for figure in gateways),
            sum(figure["forwarded"] for figure in gateways),
            _between(links, "s", "s", "frames_out"),
            _between(links, "s", "s", "bytes_out"),
            _between(links, "s", "m", "frames_out") + _between(links, "s", "m", "frames_in"),
            _between(links, "s", "m", "bytes_out") + _between(links, "s", "m", "bytes_in"),
            len(pairs(links)),
            links["sw"]["total"]["bytes_out"],
            switch.segments(),
        )

    def since(self, before: Self) -> Self:
        """What was counted between two moments; `at` is the time between, `links` how many there are now."""
        differences: list[Any] = [now - then for now, then in zip(self, before, strict=True)]
        return type(self)(*differences)._replace(links=self.links)

    def beats(self, gateways: int) -> float:
        """Frames between `gateways` SIP gateways that were heartbeats, in the time that this is about."""
        return BEATS_A_SECOND * self.at * gateways * (gateways - 1)


def pairs(links: dict[str, Any]) -> set[frozenset[str]]:
    """Which processes are linked."""
    return {
        frozenset((host, peer)) for host, status in links.items() for peer, row in status["peers"].items() if row["up"]
    }


def _between(links: dict[str, Any], one: str, other: str, name: str) -> int:
    """The sum of a counter over all ends of links from hosts of one kind to hosts of another."""
    ends = ((host, peer, row) for host, status in links.items() for peer, row in status["peers"].items())
    return sum(row[name] for host, peer, row in ends if host[0] == one and peer[0] == other and peer != "sw")
