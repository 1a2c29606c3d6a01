"""What must not follow the call rate: links, what the Switchboard pushes, and Ray's own traffic.

`python -m benchmarks.scale` measures the same over more gateways, with the costs of a call.
"""

import pytest

from benchmarks.scale.counts import Counts
from benchmarks.scale.layout import Layout, started
from benchmarks.scale.traffic import Phones, answering, calls, registrations

SLOW, FAST, SECONDS = 10, 80, 5
PUSHED, SEGMENTS = 2000, 40
"""By how much they may differ, a second: a stray snapshot, a health check of Ray's. FAST has 70 calls/s more:
thirty bytes for each would be seen in the first, a third of a Ray call (two segments) in the second."""


def test_links_snapshots_and_ray_do_not_follow_the_call_rate(capsys: pytest.CaptureFixture[str]) -> None:
    phones = Phones.some(200, 40)
    with started(Layout(2)) as switch:
        switch.import_users([*phones.callers, *phones.callees])
        registrations(switch, phones.callers, 100)
        with answering(switch, phones.callees):
            seen = []
            for rate in (SLOW, FAST):
                before = Counts.of(switch)
                calls(switch, phones.callers, rate * SECONDS, rate)
                seen.append(Counts.of(switch).since(before))
    slow, fast = seen
    with capsys.disabled():
        for rate, counted in zip((SLOW, FAST), seen, strict=True):
            print(
                f"\n{rate} calls/s: {counted.links} links, pushed {counted.pushed_bytes / counted.at:.0f} B/s, Ray"
                f" {counted.ray_segments / counted.at:.1f} segments/s, {counted.handed_over} of {counted.received}"
                f" messages handed over",
                end="",
            )
    assert fast.handed_over > 5 * slow.handed_over, "the calls go over both gateways"
    assert fast.links == slow.links
    assert fast.pushed_bytes / fast.at < slow.pushed_bytes / slow.at + PUSHED
    assert fast.ray_segments / fast.at < slow.ray_segments / slow.at + SEGMENTS
