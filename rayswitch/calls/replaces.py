"""The Replaces header (RFC 3891 §6.1): the dialog in whose place an INVITE comes, as its receiver sees that."""

from __future__ import annotations

from typing import NamedTuple, Self
from urllib.parse import unquote

from rayswitch.sip.message import BadMessage, Message
from rayswitch.sip.uri import Uri

HEADER = "replaces"


class Replaces(NamedTuple):
    """`to_tag` is the receiver's tag, `from_tag` the other side's; `early_only`: only while nobody has answered."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadMessage(400) for a value without a Call-ID and both tags, each once."""
        call_id, *rows = (piece.strip() for piece in text.split(";"))
        names = [row.partition("=")[0].strip().lower() for row in rows]
        values = dict(zip(names, (row.partition("=")[2].strip() for row in rows), strict=True))
        tags = values.get("to-tag", ""), values.get("from-tag", "")
        if not call_id or not all(tags) or len(values) < len(names):
            raise BadMessage(400, "Bad Replaces")
        return cls(call_id, *tags, "early-only" in values)

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """That of a message, None without one; more than one make no sense (§3: 400)."""
        values = message.get_all(HEADER)
        if len(values) > 1:
            raise BadMessage(400, "More than one Replaces")
        return cls.parse(values[0]) if values else None


def in_uri(uri: Uri) -> str:
    """The value that a Refer-To wants to see in the INVITE (RFC 3261 §19.1.1), "" for none."""
    for piece in uri.headers.split("&"):
        name, _, value = piece.partition("=")
        if unquote(name).lower() == HEADER:
            return unquote(value)
    return ""
