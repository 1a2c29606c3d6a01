"""The budget table (docs/design.md): what is measured, in which unit, against which budget and goal."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Work:
    """A line of the table. Smaller is better everywhere."""

    key: str
    title: str
    unit: str
    budget: float | None
    goal: float | None


WORK = {
    work.key: work
    for work in (
        Work("call", "authenticated call, signalling, at 300/s", "ms CPU", 0.8, None),
        Work("seldom call", "the same at 100/s", "ms CPU", None, None),
        Work("register", "authenticated REGISTER", "ms CPU", 0.30, 0.08),
        Work("packet", "RTP packet relayed", "µs CPU", 7.0, 4.5),
        Work("parse", "message parse + route, 13 headers", "µs CPU", 25.0, 10.0),
        Work("registration memory", "memory per registration", "KB", 5.0, 2.0),
        Work("call memory", "memory per relayed call", "KB", 100.0, 50.0),
        Work("delay", "INVITE → 180, p99, at 300 calls/s", "ms", 10.0, 5.0),
        Work("seldom delay", "the same at 100/s", "ms", None, None),
        Work("idle cpu", "idle, share of a core", "%", 5.0, 2.0),
        Work("idle memory", "idle, all processes", "MB PSS", 450.0, 300.0),
    )
}


@dataclass(frozen=True)
class Figure:
    """One measured value of one subject; `detail` says over what."""

    work: str
    subject: str
    value: float
    detail: str = ""


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [
        row.partition(":")[2].strip() for row in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in row
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write_json(figures: list[Figure]) -> Path:
    """The figures with the machine and the time, for programs."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "latest.json"
    document = {
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "work": [asdict(work) for work in WORK.values()],
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path
