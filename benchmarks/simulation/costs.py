"""What one unit of work costs, in seconds of CPU and bytes; each with the command that measures it.

`benchmarks/results/scale.json` has what `benchmarks.scale` found on this machine; what it does not have is written
here with its source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Self

from benchmarks.figures import RESULTS

SOURCE = RESULTS / "scale.json"


@dataclass(frozen=True)
class Costs:
    """Of one switch like the one that was measured."""

    call: float = 0.00232
    """Of the process tree, one gateway (`benchmarks`: authenticated call at 300/s)."""
    call_media: float = 0.00035
    """Of that, the media gateway's part (profile in docs/performance.md)."""
    register: float = 0.0005
    """`benchmarks`: authenticated REGISTER."""
    frame: float = 8.3e-6
    """A frame between nodes, both ends together, in a stream of them (`benchmarks.link`, TCP and TLS)."""
    ask: float = 114e-6
    """A question there and back with waking up on both ends (`benchmarks.link`)."""
    wire: float = 0.00025
    """Seconds that a frame is under way between two nodes of one data centre: assumed, not measured."""
    link: float = 0.0002
    """Share of a core of both ends together for a link with heartbeats only (`benchmarks.scale`, slope of idle)."""
    group: float = 148e-6
    record: float = 14e-6
    """The database server's CPU for a transaction and for each record in it (`benchmarks.store`)."""
    group_wait: float = 0.025
    """Seconds that a gateway gathers records for one transaction; 0.01 for what a phone waits for."""
    snapshot_row: float = 130.0
    """Bytes of a snapshot for each host."""
    snapshot_pack: float = 2e-6
    snapshot_read: float = 2e-6
    """Seconds of CPU for each host in it: packed once, read by everybody."""
    push_byte: float = 1e-9
    """Seconds of the Switchboard's CPU for each byte that goes out through TLS."""

    @classmethod
    def measured(cls) -> Self:
        """With what the last `benchmarks.scale` found; FileNotFoundError names the command when there was none."""
        if not SOURCE.exists():
            raise FileNotFoundError(f"{SOURCE.name} is not there yet: run python -m benchmarks.scale first")
        return cls().over(json.loads(SOURCE.read_text()))

    def over(self, document: dict[str, Any]) -> Self:
        """With the figures of one document of `benchmarks.scale`."""
        one = document["layouts"][0]
        largest = document["inputs"]["snapshots"][-1]
        hosts = largest["hosts"]
        link = document["inputs"]["link_idle_cpu"]
        return replace(
            self,
            call=one["call_ms"] / 1e3,
            register=one["register_ms"] / 1e3,
            link=link if link > 0 else self.link,
            snapshot_row=largest["bytes"] / hosts,
            snapshot_pack=largest["pack"] / hosts,
            snapshot_read=largest["read"] / hosts,
        )
