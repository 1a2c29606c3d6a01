"""Where calls are opened, and how one is reached.

A call lives where its placement says: in the gateway where its INVITE landed, or in a host of the call pool. Its id
carries that host, so whoever has one of its tags can reach it without asking anybody. When that host is given up, or
leaves, the snapshot of the members says who has its calls.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from actors.call import KIND, CallShell
from actors.link import Links
from actors.placement import Placement
from actors.reference import Ref
from actors.warm_calls import WarmCalls
from rayswitch.calls.events import Invited
from rayswitch.members import DEAD, LEAVING, Members
from rayswitch.sip.identifiers import Identifiers, owner_of, tag_parts

__all__ = ["CallDesk"]


class CallDesk:
    """Opens calls where the placement wants them, and refers to calls anywhere."""

    def __init__(self, links: Links, placement: Placement, ids: Callable[[str], Identifiers]) -> None:
        self.links = links
        self.placement = placement
        self.ids = ids
        self.turn = itertools.count()
        self.shell: CallShell | None = None
        """Set when calls live in this very process."""
        self.members = Members()
        self.warm: WarmCalls | None = None
        """Set in a gateway when each call is to have an actor of its own."""

    def follow(self, members: Members) -> None:
        """Which hosts there are, and who has the calls of which."""
        self.members = members
        self.placement.follow(members)

    def open(self, invited: Invited) -> Ref | None:
        """A new call; None when no process could take it."""
        waiting = self.warm.take() if self.warm is not None else None
        if waiting is not None:
            return self.open_at(*waiting, invited)
        if not self.placement.overflows:
            return None
        if self.shell is not None:
            ref = self.shell.create(self.ids(self.shell.me).call())
            ref.tell(invited)
            return ref
        hosts = [host for host in self.placement.hosts if self.links.alive(host)]
        if not hosts:
            return None
        owner = hosts[next(self.turn) % len(hosts)]
        return self.open_at(owner, self.ids(owner).call(), invited)

    def open_at(self, owner: str, id: str, invited: Invited) -> Ref:
        """In another process."""
        self.links.tell(owner, "call.open", [id, invited])
        return self.ref(id, owner)

    def serve(self, shell: CallShell) -> None:
        """This process is of the call pool: take the calls that gateways open here."""
        self.shell = shell
        self.links.on("call.open", self.opened)

    def opened(self, peer: str, payload: list[Any]) -> None:
        """A gateway has opened a call here."""
        del peer
        id, invited = payload
        assert self.shell is not None
        self.shell.create(id).tell(invited)

    def exists(self, ref: Ref) -> bool:
        """Is this call in this process?"""
        return self.shell is not None and self.shell.host.has(KIND, ref.key)

    def other(self, id: str) -> Ref | None:
        """The call `id`, wherever it lives; None when no host can have it."""
        owner = self.owner(id)
        return self.ref(id, owner) if owner and self.knows(owner) else None

    def ref(self, id: str, owner: str) -> Ref:
        """The call `id`, which lives on `owner`."""
        return Ref(KIND, id, owner)

    def named(self, tag: str | None) -> Ref | None:
        """The call that a tag of ours names; None for any other tag, and for a host that there is not: anybody can
        write one, and must not make us wait for it."""
        parts = tag_parts(tag or "")
        return self.other(parts[0]) if parts else None

    def owner(self, id: str) -> str | None:
        """Who has this call: we, when it is here; else the host in its id, or whoever took over from that."""
        if self.shell is not None and self.shell.host.has(KIND, id):
            return self.shell.me
        named = owner_of(id)
        if named is None or (self.members.state(named) == LEAVING and not self.links.alive(named)):
            return self.members.adopts.get(named or "", named)
        return self.members.owner(named) or named

    def knows(self, owner: str) -> bool:
        """Is there such a host of calls, be it one that takes no new ones?"""
        if self.members.state(owner) != DEAD and owner[0] == self.placement.letter:
            return True
        return owner in self.placement.hosts or (self.warm is not None and self.warm.knows(owner))
