"""The tenure of the Switchboard: one at a time for each store, whatever machine or Ray it comes from.

A row of the store says who it is (`holder`: which switch; `epoch`: which process of it) and until when. A later process
of the same switch takes over at once, because Ray, or the lock on the data folder, has seen to it that there is no
other; one of another switch has to wait until the time is over. Whoever finds that the row is no longer his own is over
himself.

Every step is one UPDATE that names the old value, so two who try at once cannot both succeed.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from rayswitch.store.errors import StoreError
from rayswitch.store.store import Store

__all__ = ["Held", "Holder", "Tenure"]

KEY = "switchboard"


class Holder(NamedTuple):
    """Who is the Switchboard until then (unix seconds)."""

    holder: str
    epoch: int
    until: float


class Held(StoreError):
    """Somebody else is the Switchboard of this store."""

    def __init__(self, by: Holder, now: float) -> None:
        self.by = by
        wait = max(0.0, by.until - now)
        super().__init__(
            f"this store belongs to a running switch, {by.holder}: stop that one first, or give this one a store of its"
            f" own (when it is dead, try again in {wait:.0f} s)"
        )


class Tenure:
    """That of process `epoch` of the switch `holder`; it lasts `life` seconds after each `renew`."""

    def __init__(self, holder: str, epoch: int, life: float) -> None:
        self.holder = holder
        self.epoch = epoch
        self.life = life

    def begin(self, store: Store, now: float) -> None:
        """Become the Switchboard. Raises Held."""
        found = store.setting(KEY)
        by = _read(found)
        if by is not None and not self._may_follow(by, now):
            raise Held(by, now)
        self._take(store, found, now)

    def _may_follow(self, by: Holder, now: float) -> bool:
        return by.until <= now or (by.holder == self.holder and by.epoch <= self.epoch)

    def renew(self, store: Store, now: float, settings: Mapping[str, str] | None = None) -> None:
        """Stay the Switchboard, and keep these settings with it. Raises Held: another one is by now."""
        found = store.setting(KEY)
        by = _read(found)
        if by is not None and not self._is_ours(by):
            raise Held(by, now)
        with store.transaction():
            self._take(store, found, now)
            for key, value in (settings or {}).items():
                store.put_setting(key, value)

    def end(self, store: Store) -> None:
        """Somebody else may begin at once."""
        found = store.setting(KEY)
        by = _read(found)
        if found is not None and by is not None and self._is_ours(by):
            store.change_setting(KEY, found, self._until(0.0))

    def _is_ours(self, by: Holder) -> bool:
        return (by.holder, by.epoch) == (self.holder, self.epoch)

    def _take(self, store: Store, found: str | None, now: float) -> None:
        """From whoever was found in it; somebody may be faster."""
        mine = self._until(now + self.life)
        done = store.put_new_setting(KEY, mine) if found is None else store.change_setting(KEY, found, mine)
        if not done:
            raise Held(_read(store.setting(KEY)) or Holder("another", 0, now), now)

    def _until(self, until: float) -> str:
        return json.dumps(Holder(self.holder, self.epoch, until))


def _read(text: str | None) -> Holder | None:
    try:
        return Holder(*json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None
