"""What a line tells a registrar about itself."""

from __future__ import annotations

from dataclasses import dataclass, field

AUTO, ALWAYS, NEVER = "auto", "true", "false"
"""`register_same_dialog`: the same Call-ID for every REGISTER (RFC 3261 §10.2.4), or a new one for each."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a registrar.

    `address` is the address-of-record, `registrar` the Request-URI of REGISTER, `user` and `secret` what its challenges
    are answered with, `expires` the seconds that are asked for, `route` the outbound proxies.
    """

    address: str
    registrar: str
    user: str
    secret: str = field(repr=False)
    expires: int = 3600
    same_dialog: str = AUTO
    route: tuple[str, ...] = ()

    def binds_as(self, other: Account) -> bool:
        """Are contacts of both bound to the same address-of-record at the same registrar?"""
        return (self.address, self.registrar) == (other.address, other.registrar)
