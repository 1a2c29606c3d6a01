"""Identifiers that carry their owner: whoever gets a message back knows which process it belongs to.

    branch   z9hG4bK s0.1f2e3d4c5b6a      the gateway that owns the client transaction
    call     s0.5b6a1f2e3d4c              the host that the call lives on
    tag      s0.5b6a1f2e3d4c.1            half call 1 of that call
             s0.5b6a1f2e3d4c.0.2          the same half call in a further dialog (one INVITE can make several)
    Call-ID  32 hex digits                random, and nothing else: it is all that hides one half call from the other

The short host ids are no secret: they say nothing about addresses.
"""

from __future__ import annotations

from collections.abc import Callable

MAGIC = "z9hG4bK"
"""RFC 3261 §8.1.1.7: the branch is unique in space and time."""

RANDOM = 6
"""Octets of randomness in a branch or tag; RFC 3261 §19.3 asks for 4."""

HEX = "0123456789abcdef"


class Identifiers:
    """Makes identifiers of `owner`; `token(n)` gives n random octets."""

    __slots__ = ("owner", "token")

    def __init__(self, owner: str, token: Callable[[int], bytes]) -> None:
        self.owner = owner
        self.token = token

    def branch(self) -> str:
        """A Via branch (§8.1.1.7)."""
        return f"{MAGIC}{self.owner}.{self.token(RANDOM).hex()}"

    def call(self) -> str:
        """The id of a call entity."""
        return f"{self.owner}.{self.token(RANDOM).hex()}"

    def call_id(self) -> str:
        """A Call-ID (§8.1.1.4) that tells nothing."""
        return self.token(16).hex()

    def loose_tag(self) -> str:
        """The tag of an answer behind which no call stands (§8.2.6.2): nobody's."""
        return self.token(RANDOM).hex()

    def tag(self, call: str, leg: int, fork: int = 0) -> str:
        """The tag of half call `leg` of `call` (§19.3); `fork` sets dialogs of one half call apart."""
        return f"{call}.{leg}.{fork}" if fork else f"{call}.{leg}"


def tag_parts(tag: str) -> tuple[str, int] | None:
    """(call id, leg) of a tag of ours; None for anybody else's."""
    pieces = tag.split(".")
    if not 3 <= len(pieces) <= 4 or owner_of(call := f"{pieces[0]}.{pieces[1]}") is None:
        return None
    for digits in pieces[2:]:
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 6:
            return None
    return call, int(pieces[2])


def owner_of(identifier: str) -> str | None:
    """The host that a branch, call id or tag of ours belongs to; None when it cannot be one of ours."""
    owner, dot, rest = identifier.removeprefix(MAGIC).partition(".")
    token = rest[: 2 * RANDOM]
    if not dot or len(token) != 2 * RANDOM or token.strip(HEX) or not 1 < len(owner) <= 8:
        return None
    return owner if owner.isalnum() and owner.isascii() else None
