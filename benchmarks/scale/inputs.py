"""What the simulation begins with: costs that follow the size of the switch and not its traffic.

Idle CPU grows with the number of links (heartbeats, both ends); the slope over the measured layouts is the cost of one
more link. A snapshot of the members is packed and unpacked here at several sizes. What a record costs the store comes
from `benchmarks.store`, a hop between nodes from `benchmarks.link`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from benchmarks.scale.run import Row
from rayswitch.members import UP, Member, Members

SIZES = (10, 100, 1000)


def inputs(rows: Sequence[Row]) -> dict[str, Any]:
    """Seconds of CPU and bytes, by name."""
    return {"link_idle_cpu": link_slope(rows), "snapshots": [snapshot(size) for size in SIZES]}


def link_slope(rows: Sequence[Row]) -> float:
    """Share of a core that one more link costs, both ends together; least squares, 0 when there is one layout only."""
    ours = [row for row in rows if row.nodes == 1]
    if len({row.links for row in ours}) < 2:
        return 0.0
    links, idle = [float(row.links) for row in ours], [row.idle for row in ours]
    mean_links, mean_idle = sum(links) / len(links), sum(idle) / len(idle)
    spread = sum((x - mean_links) ** 2 for x in links)
    return sum((x - mean_links) * (y - mean_idle) for x, y in zip(links, idle, strict=True)) / spread


def snapshot(size: int) -> dict[str, float]:
    """Of so many hosts: its bytes on the wire, seconds to pack it once, seconds for each receiver to read it."""
    hosts = [
        Member(f"s{n}", "0" * 56, f"10.0.{n // 250}.{n % 250}", 21000, (f"udp://10.0.0.{n % 250}:5060",), 1 << 40, UP)
        for n in range(size)
    ]
    members = Members(1, 1, 1, {host.id: host for host in hosts})
    packed: bytes = msgpack.packb(members.plain())
    return {
        "hosts": size,
        "bytes": len(packed),
        "pack": _seconds(lambda: msgpack.packb(members.plain())),
        "read": _seconds(lambda: Members.of(msgpack.unpackb(packed, strict_map_key=False))),
    }


def _seconds(work: Callable[[], object], turns: int = 20) -> float:
    """CPU of one turn, the least of several."""
    spent = []
    for _ in range(turns):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)
