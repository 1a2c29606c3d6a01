"""Figures as people read them."""

from datetime import datetime

__all__ = ["clock", "count", "duration", "moment", "size"]

_UNITS = ("B", "KB", "MB", "GB", "TB")


def duration(seconds: float | None) -> str:
    """``0:07``, ``12:34``, ``1:02:03`` or ``3d 04:05:06``; "" for None."""
    if seconds is None:
        return ""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}:{minutes:02}:{left:02}"
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def moment(seconds: float | None) -> str:
    """Unix seconds as local date and time; "" for None and 0."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}" if seconds else ""


def clock(seconds: float) -> str:
    """Unix seconds as local time of day with milliseconds."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M:%S.%f}"[:-3]


def size(octets: float | None) -> str:
    """Bytes in the largest unit that leaves a figure of 1 or more, to three digits."""
    if octets is None:
        return ""
    value, unit = float(octets), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 100 or unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def count(number: int, thing: str) -> str:
    """``1 call``, ``2 calls``, ``100,000 extensions``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
