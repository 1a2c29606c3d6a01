"""What the transaction layer wants its shell to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rayswitch.sip.flow import Flow


@dataclass(slots=True)
class Transmit:
    """Send these octets over this flow."""

    flow: Flow
    data: bytes


@dataclass(slots=True)
class StartTimer:
    """Call `expired(timer)` after `delay` seconds."""

    delay: float
    timer: tuple[Any, ...]


@dataclass(slots=True)
class Deliver:
    """Tell the user."""

    event: Any
