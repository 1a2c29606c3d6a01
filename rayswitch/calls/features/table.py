"""The features of a call and what each of them takes: a new one is a file beside this and a name in `FEATURES`."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from rayswitch.calls.features import (
    answer,
    branches,
    exchange,
    failover,
    limits,
    ports,
    proving,
    relay,
    release,
    reliable,
    relocation,
    replacing,
    revival,
    routing,
    session_timer,
    setup,
    silence,
    transfer,
)

FEATURES: tuple[ModuleType, ...] = (
    setup, routing, limits, failover, ports, branches, answer, exchange, proving, reliable, relay, release,
    relocation, replacing, revival, session_timer, silence, transfer,
)  # fmt: skip

Take = Callable[..., None]


def joined(name: str) -> dict[Any, Take]:
    """The tables of this name, as one; two features that want the same thing are an error."""
    table: dict[Any, Take] = {}
    for feature in FEATURES:
        rows = getattr(feature, name, {})
        doubled = table.keys() & rows.keys()
        if doubled:
            raise ValueError(f"{feature.__name__}.{name}: {doubled} is another feature's already")
        table |= rows
    return table


METHODS: dict[str, Take] = joined("METHODS")
TIMERS: dict[str, Take] = joined("TIMERS")
EVENTS: dict[type, Take] = joined("EVENTS")
