"""One layout: registrations, then calls at two rates; what each cost, and what passed between the processes."""

from dataclasses import dataclass

from benchmarks.meter import Idle, Meter, measure_idle
from benchmarks.scale.counts import Counts
from benchmarks.scale.layout import Layout, Subject, started
from benchmarks.scale.traffic import Phones, answering, calls, registrations

REGISTER_RATE, SLOW, FAST = 250, 20, 100
"""A second. What may not follow the rate is compared between SLOW and FAST."""
CALLERS, CALLEES = 4000, 400


@dataclass(frozen=True)
class Row:
    """What one layout showed. CPU is of the whole process tree, idle cost taken off; rates are a second."""

    gateways: int
    nodes: int
    call_ms: float
    register_ms: float
    handed_over: float
    """Share of the received SIP messages that another gateway owned."""
    frames_a_call: float
    """Link frames between SIP gateways, without heartbeats; and between them and media gateways."""
    delay_p50_ms: float
    delay_p99_ms: float
    idle: float
    """Of a core."""
    links: int
    pushed_slow: float
    pushed_fast: float
    """Bytes that the Switchboard sent, at both call rates."""
    ray_slow: float
    ray_fast: float
    """TCP segments of Ray's own connections, at both call rates."""


def measure(layout: Layout, count: int) -> Row:
    """Start it, load it, take it down."""
    phones = Phones.some(CALLERS, CALLEES)
    with started(layout) as switch:
        switch.import_users([*phones.callers, *phones.callees])
        idle = measure_idle(switch.all_pids)
        with Meter(switch.all_pids, idle, settle=5.0) as registering:
            registrations(switch, phones.callers, REGISTER_RATE)
        with answering(switch, phones.callees):
            return _calls(layout, switch, phones, count, idle, registering.cpu)


def _calls(layout: Layout, switch: Subject, phones: Phones, count: int, idle: Idle, registering: float) -> Row:
    begin = Counts.of(switch)
    calls(switch, phones.callers, count // 5, SLOW)
    middle = Counts.of(switch)
    with Meter(switch.all_pids, measure_idle(switch.all_pids)) as calling:
        before = Counts.of(switch)
        result = calls(switch, phones.callers, count, FAST)
        fast = Counts.of(switch).since(before)
        switch.await_idle()
    slow = middle.since(begin)
    beats = fast.beats(layout.gateways)
    return Row(
        layout.gateways,
        layout.nodes,
        calling.cpu / count * 1e3,
        registering / len(phones.callers) * 1e3,
        fast.handed_over / fast.received,
        max(0.0, fast.gateway_frames - beats + fast.media_frames) / count,
        result.percentile(0.5) * 1e3,
        result.percentile(0.99) * 1e3,
        idle.cpu,
        fast.links,
        slow.pushed_bytes / slow.at,
        fast.pushed_bytes / fast.at,
        slow.ray_segments / slow.at,
        fast.ray_segments / fast.at,
    )
