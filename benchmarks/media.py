"""The relay: calls with G.711 both ways, 20 ms packets, through rayswitch and through rtpengine."""

import time
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.meter import Meter, measure_idle
from benchmarks.rtpengine import Rtpengine
from benchmarks.subjects import Candidate
from tests.interop.agent import Agent
from tests.interop.calls import Conversation
from tests.interop.processes import descendants
from tests.interop.rtp import Audio
from tests.interop.switch import DOMAIN, users

CALLS = 50
SECONDS = 20
MEMORY_CALLS = 200


def measure(candidate: Candidate) -> Iterator[Figure]:
    """CPU per relayed packet and memory per relayed call of a switch."""
    callers, callees = users(1000, MEMORY_CALLS), users(2000, MEMORY_CALLS)
    with (
        candidate.start([*callers, *callees]) as subject,
        Audio() as audio,
        Agent(subject.address, DOMAIN) as calling,
        Agent(subject.address, DOMAIN, lambda: audio.add().port) as called,
    ):
        conversation = Conversation(calling, called, audio)
        idle = measure_idle(subject.pids)
        conversation.set_up(callers[:CALLS], callees[:CALLS])
        time.sleep(1)
        with Meter(subject.pids, idle, settle=0) as meter:
            heard = _listen(audio)
        yield _packet_figure(subject.name, meter, heard)
        with Meter(subject.pids, idle, settle=3) as meter:
            conversation.set_up(callers[CALLS:], callees[CALLS:])
        more = MEMORY_CALLS - CALLS
        yield Figure("call memory", subject.name, meter.memory / more / 1e3, f"{more} calls with audio")


def measure_rtpengine() -> Iterator[Figure]:
    """CPU per relayed packet of the peer."""
    with Rtpengine() as relay, Audio() as audio:
        idle = measure_idle(lambda: descendants(relay.pid))
        with Meter(lambda: descendants(relay.pid), idle, settle=1) as memory:
            for number in range(CALLS):
                near, far = audio.add(), audio.add()
                near_to, far_to = relay.connect(f"call{number}", near.port, far.port)
                near.remote, far.remote = ("127.0.0.1", near_to), ("127.0.0.1", far_to)
        with Meter(lambda: descendants(relay.pid), idle, settle=0) as meter:
            heard = _listen(audio)
    yield _packet_figure("rtpengine", meter, heard)
    yield Figure("call memory", "rtpengine", memory.memory / CALLS / 1e3, f"{CALLS} calls with audio")


def _listen(audio: Audio) -> int:
    """Packets heard in `SECONDS`, all streams together; raises RuntimeError when more than one in 1,000 is
    lost.
    """
    before = sum(stream.received for stream in audio.streams)
    time.sleep(SECONDS)
    heard = sum(stream.received for stream in audio.streams) - before
    sent = len(audio.streams) * SECONDS * 50
    if heard < sent * 0.999:
        raise RuntimeError(f"of about {sent} packets {heard} arrived")
    return heard


def _packet_figure(subject: str, meter: Meter, heard: int) -> Figure:
    return Figure("packet", subject, meter.cpu / heard * 1e6, f"{CALLS} calls, {heard} packets in {SECONDS} s")
