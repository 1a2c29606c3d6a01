"""How much memory this machine, or the control group that we are in, has left; and how many processes it holds.

A process of a single entity is 45 to 60 MB (PSS): Python with Ray in it, and our code.
"""

from pathlib import Path

__all__ = ["PROCESS_BYTES", "fitting", "free_bytes"]

PROCESS_BYTES = 60_000_000
SHARE = 3
"""What may be taken when nobody says how much: one part in so many."""

MEMINFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int:
    """What can be taken before something has to give way."""
    return min(_machine(), _group())


def fitting(ceiling: int, shares: int = 1) -> int:
    """Processes of one of `shares` kinds that fit into its part of what is free; `ceiling` at most, one at least."""
    return max(1, min(ceiling, free_bytes() // SHARE // shares // PROCESS_BYTES))


def _machine() -> int:
    for line in MEMINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 1 << 62


def _group() -> int:
    """The limit of our control group (version 2), if it has one."""
    try:
        limit = int((GROUP / "memory.max").read_text())  # "max": no limit
        return max(0, limit - int((GROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        return 1 << 62
