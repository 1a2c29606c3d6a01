"""A dialog: the state two user agents share after the first answer (RFC 3261 §12).

It makes requests inside the dialog with the right route, target and numbers, and judges those that come in.  URIs and
routes are kept as the text they came in, so that what we send is what the peer wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from rayswitch.sip.headers import NameAddr
from rayswitch.sip.message import BadMessage, Message, Request, Response
from rayswitch.sip.uri import Uri

Headers = Iterable[tuple[str, str]]

TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests whose Contact is the peer's new address (§12.2, RFC 3311, 6665, 3515)."""


class Dialog:
    """One side's view; `local` and `remote` are From/To values without tag, `target` the peer's Contact URI."""

    __slots__ = (
        "call_id", "local", "local_seq", "local_tag", "remote", "remote_seq", "remote_tag", "routes", "target",
    )  # fmt: skip

    def __init__(
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        target: str,
        routes: list[str],
        local_seq: int,
        remote_seq: int,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.target = target
        self.routes = routes
        self.local_seq = local_seq
        self.remote_seq = remote_seq

    @classmethod
    def uas(cls, request: Request, local_tag: str) -> Self:
        """Of the server of `request`, answered with `local_tag` (§12.1.1)."""
        return cls(
            request.call_id,
            untagged(request.get("to")),
            local_tag,
            untagged(request.get("from")),
            request.from_.tag or "",
            contact_of(request) or request.from_.uri_text,
            request.values("record-route"),
            0,
            request.cseq.number,
        )

    @classmethod
    def uac(cls, request: Request, response: Response) -> Self:
        """Of the client of `request`, after a response with a To tag (§12.1.2); routes in reverse."""
        return cls(
            request.call_id,
            untagged(request.get("from")),
            request.from_.tag or "",
            untagged(response.get("to")),
            response.to.tag or "",
            contact_of(response) or request.uri,
            response.values("record-route")[::-1],
            request.cseq.number,
            0,
        )

    @classmethod
    def sibling(cls, dialog: Dialog, response: Response) -> Self:
        """A further dialog that the same INVITE has made behind a proxy (§13.2.2.4)."""
        twin = cls.restore(dialog.snapshot())
        twin.remote_tag = response.to.tag or ""
        twin.target = contact_of(response) or dialog.target
        twin.routes = response.values("record-route")[::-1]
        return twin

    def request(self, method: str, contact: str | None, headers: Headers = (), body: bytes = b"") -> Request:
        """A request inside the dialog, with the next CSeq (§12.2.1.1)."""
        self.local_seq += 1
        own = [("contact", contact)] if contact else []
        return self._request(method, self.local_seq, [*own, *headers], body)

    def ack(self, cseq: int, headers: Headers = (), body: bytes = b"") -> Request:
        """The ACK of a 2xx to our INVITE number `cseq` (§13.2.2.4)."""
        return self._request("ACK", cseq, list(headers), body)

    def _request(self, method: str, cseq: int, headers: list[tuple[str, str]], body: bytes) -> Request:
        uri, routes = self._way()
        rows = [
            *(("route", route) for route in routes),
            ("max-forwards", "70"),
            ("from", f"{self.local};tag={self.local_tag}"),
            ("to", f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} {method}"),
            *headers,
        ]
        return Request.new(method, uri, rows, body)

    def _way(self) -> tuple[str, list[str]]:
        """Request-URI and Route: a strict router takes the place of the target (§12.2.1.1)."""
        strict = strict_router(self.routes[0]) if self.routes else None
        if strict is None:
            return self.target, self.routes
        return strict, [*self.routes[1:], f"<{self.target}>"]

    def matches(self, request: Request) -> bool:
        """Is this request inside this dialog? Call-ID and both tags (§12.2.2)."""
        return (
            request.call_id == self.call_id
            and (request.to.tag or "") == self.local_tag
            and (request.from_.tag or "") == self.remote_tag
        )

    def accept(self, request: Request) -> bool | int:
        """Take a request in: True, or the status that refuses it; 500 when it comes after a later one (§12.2.2)."""
        if request.method == "ACK":
            return True
        number = request.cseq.number
        if number < self.remote_seq:
            return 500
        self.remote_seq = number
        if request.method in TARGET_REFRESH:
            self.refresh(request)
        return True

    def refresh(self, message: Message) -> None:
        """The Contact of a target refresh request, or of its 2xx, is the new target."""
        self.target = contact_of(message) or self.target

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able."""
        return [
            self.call_id, self.local, self.local_tag, self.remote, self.remote_tag, self.target, list(self.routes),
            self.local_seq, self.remote_seq,
        ]  # fmt: skip

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """The inverse of `snapshot`."""
        return cls(*plain)


def contact_of(message: Message) -> str | None:
    """The URI of the (first) Contact."""
    contacts = message.contacts
    return contacts[0].uri_text if contacts else None


def strict_router(route: str) -> str | None:
    """The URI of a Route value without lr, less what no Request-URI may have (§19.1.1); None for any other.

    A value that cannot be read is taken for a loose router: so it stands in the Route, and is its writer's to judge.
    """
    try:
        uri = NameAddr.parse(route).uri
    except BadMessage:
        return None
    if "lr" in uri.params or uri.scheme not in ("sip", "sips"):
        return None
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return str(Uri(uri.scheme, uri.user, uri.host, uri.port, params, password=uri.password))


def untagged(value: str | None) -> str:
    """A From or To value without its tag parameter, otherwise as it is written."""
    text = value or ""
    head, _, tag = text.rpartition(";tag=")
    if head and "tag" not in head.lower() and set('";<>').isdisjoint(tag):
        return head  # where nearly everybody writes it: at the end
    address = NameAddr.parse(text)
    if "tag" not in address.params:
        return text
    params = {name: value for name, value in address.params.items() if name != "tag"}
    return str(NameAddr(address.display, address.uri_text, params))
