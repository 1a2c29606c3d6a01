"""Who is it that a new INVITE comes from: a line or trunk, an extension, or somebody who has to be asked first?

By the way it came: the address of a line or trunk, or one that stands for the password of an extension. Everybody else
proves himself by digest.
"""

from __future__ import annotations

from actors.outside.lines import Lines, Source
from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.directory import Directory
from rayswitch.calls.privacy import is_anonymous
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response, respond

__all__ = ["Callers"]


class Callers:
    """As `authenticator` and `directory` know them; `lines` knows those outside, where there are any."""

    def __init__(self, authenticator: Authenticator, directory: Directory) -> None:
        self.authenticator = authenticator
        self.directory = directory
        self.lines: Lines | None = None

    def question(self, request: Request, flow: Flow, now: float) -> Response | None:
        """For who shows no credentials: None when we know him all the same."""
        if request.method == "INVITE" and self.known(request, flow) is not None:
            return None
        request.stamp(*flow.remote)
        return self.authenticator.challenge(request, flow, now, stale=False)

    def known(self, request: Request, flow: Flow) -> Source | str | None:
        """The line or trunk, or the number, that the way of this INVITE stands for."""
        source = self.lines.source(request, flow.remote[0]) if self.lines is not None else None
        if source is not None:
            return source
        number = request.from_.uri.user_decoded or ""
        return number if self.directory.vouches(flow.remote[0], number) else None

    def who(self, request: Request, flow: Flow, now: float) -> Source | str | Response:
        """Who sends this INVITE: a line or trunk, or the number of an extension; or what he is answered instead."""
        known = self.known(request, flow)
        if known is not None:
            return known
        number = self.authenticator.check(request, flow, now)
        if isinstance(number, Response):
            return number
        if request.from_.uri.user_decoded != number and not is_anonymous(request):
            return respond(request, 403, "Not your number", to_tag=self.authenticator.tag)
        return number
