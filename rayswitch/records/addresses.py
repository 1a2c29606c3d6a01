"""Address lists (FEATURES §7): whose packets are dropped unseen, and who is never banned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rayswitch.config.kinds import NETWORK, choice
from rayswitch.config.settings import setting
from rayswitch.records.numbering import NOTE

__all__ = ["AddressRule"]


@dataclass(frozen=True, slots=True)
class AddressRule:
    """An address or network, besides those of `protection.accept` and `protection.reject`."""

    KEY: ClassVar[tuple[str, ...]] = ("network",)
    network: str = setting(NETWORK, "", "The address or network.")
    action: str = setting(
        choice("reject", "accept"),
        "reject",
        "`reject`: every packet is dropped; `accept`: let through, and never banned. Where both fit, `accept` decides.",
    )
    note: str = setting(NOTE, "", "For people.")
