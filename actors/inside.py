"""Half calls between two calls of the switch, wherever these live (see `rayswitch/calls/inside.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.host import Host
from actors.reference import Ref
from gateways.wheel import Wheel
from rayswitch.calls import effects as fx
from rayswitch.calls.inside import SECONDS, crossing
from rayswitch.sip.events import TimedOut, Unreachable

__all__ = ["Inside"]


class Inside:
    """For the calls of `host`, which are of `kind`; `other(id)` refers to any call, None when it cannot be one."""

    def __init__(self, kind: str, host: Host, wheel: Wheel, other: Callable[[str], Ref | None]) -> None:
        self.kind = kind
        self.host = host
        self.wheel = wheel
        self.other = other

    def perform(self, id: str, effect: Any) -> None:
        """What call `id` sends to another one."""
        whom, event = crossing(id, effect)
        ref = self.other(whom)
        if type(effect) is fx.SendRequest:
            self.watch(id, effect.key, ref)
        if ref is not None:
            self.host.tell_ref(ref, event)

    def watch(self, id: str, key: int, ref: Ref | None) -> None:
        """The other one may be gone, or go; one that has answered is not waited for, as calls use no key twice."""
        if ref is None:
            self.host.tell(self.kind, id, Unreachable(key))
        else:
            self.wheel.start(SECONDS, self.host.tell, self.kind, id, TimedOut(key))
