"""What the dial plan is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rayswitch.sip.flow import Flow

EXTENSION, GROUP, SERVICE, REJECT = "extension", "group", "service", "reject"
ANONYMOUS = "anonymous"
OUTSIDE = ("line/", "trunk/")
"""How the names of lines and trunks begin."""


@dataclass(slots=True)
class Dialled:
    """A call that wants a route: the numbers as they came in.

    `rights` says who asks: the number of an extension (the caller's, or of the one who forwards the call), or the line
    or trunk that it came by ("line/NAME").
    """

    caller: str
    called: str
    rights: str


@dataclass(slots=True)
class Route:
    """Where a call goes.

    `kind` is extension, group, service or reject; `name` the address-of-record, group or service. `caller` and
    `called` are the numbers as the other side sees them. `members` are the lines and trunks of a group, in the order
    in which they are to be tried. A rejected call gets `status` and `reason`, and `q850` as its cause.

    The rest is what extensions say: `limits` as [address-of-record, outgoing, max_calls, max_outgoing_calls] (None: no
    limit); `bypass`, media shall not pass the switch; `no_answer`, seconds, 0 for the system's; `address`, [transport,
    host, port] of an extension that is reached there and does not register, and `contacts`, how (see `Located`).
    """

    kind: str
    name: str = ""
    caller: str = ""
    called: str = ""
    members: list[str] = field(default_factory=list)
    status: int = 0
    reason: str = ""
    q850: int = 0
    limits: list[list[Any]] = field(default_factory=list)
    bypass: bool = False
    no_answer: float = 0.0
    address: list[Any] = field(default_factory=list)
    contacts: list[list[Any]] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where a line or trunk takes a call: as a contact of `Located`, and what it wants besides.

    `others` are the ways to further servers of the same name, in the order in which they are to be tried.
    `domain` stands in From and To, "" for ours; `no_answer` seconds of ringing, 0 for the system's; `bypass`: media may
    go past the switch; `caller` stands in From instead of the caller's number ("anonymous": nobody is named); `user`
    and `secret` answer the challenges of the other side; `identity` says whether the caller is named to it besides
    ("asserted", "preferred"), `form` how numbers are written ("sip", "user=phone", "tel").
    """

    uri: str
    flow: Flow
    path: list[str] = field(default_factory=list)
    domain: str = ""
    no_answer: float = 0.0
    bypass: bool = False
    caller: str = ""
    user: str = ""
    secret: str = field(default="", repr=False)
    identity: str = ""
    form: str = "sip"
    others: list[Flow] = field(default_factory=list)


class Step(NamedTuple):
    """One step of a decision, for people: what was done, what came of it, and what was seen on the way."""

    name: str
    outcome: str
    details: list[str]
