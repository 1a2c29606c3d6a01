"""What happens to a call or a registration besides SIP itself.

The SIP events (`RequestReceived`, `ResponseReceived`, …) come from `rayswitch.sip.events`; these are the others:
answers to the effects of `rayswitch.calls.effects`, timers that ran out, and orders from the operator. Every class
is slotted and positional in slot order, so that it can cross a link.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rayswitch.calls.routing.route import Place, Route
from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request


@dataclass(slots=True)
class Invited:
    """A new call: an authenticated initial INVITE (RFC 3261 §13.3) and who sent it.

    `server` is (gateway, number of its server transaction), as in every event and effect of a call.
    `caller` is the number that was proved, `name` its display name, `target` the dialled number, or the whole address
    (user@host) when that is not in our domain.  `rights` says who asks (see `Dialled`): an extension, a line or trunk.
    """

    server: Any
    request: Request
    flow: Flow
    caller: str
    name: str
    target: str
    rights: str


@dataclass(slots=True)
class Replacing:
    """An INVITE that wants the place of a half call of this call (RFC 3891); the rest is as of `Invited`."""

    server: Any
    request: Request
    flow: Flow
    caller: str
    name: str
    target: str = ""
    rights: str = ""


@dataclass(slots=True)
class TimerFired:
    """A timer of the entity ran out; a stale one is ignored by the state that no longer cares."""

    name: str
    data: Any = None


@dataclass(slots=True)
class Routed:
    """Answer to `FindRoute` for `called`."""

    called: str
    route: Route


@dataclass(slots=True)
class Admitted:
    """Answer to `Admit`: the call is counted for these `rows` of [name, outgoing], or for nothing because of the one
    that is `full`."""

    called: str
    rows: list[list[Any]]
    full: list[Any] | None = None


@dataclass(slots=True)
class MemberSeized:
    """Answer to `Seize`: the call is counted for that line or trunk, and goes to `place`."""

    called: str
    member: str
    place: Place


@dataclass(slots=True)
class AccountFound:
    """Answer to `FindAccount`: how requests to that line or trunk are to be proved; no `user`, no proof."""

    member: str
    user: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class MemberRefused:
    """Answer to `Seize`: it is down, or full, or does not exist; `reason` is for people."""

    called: str
    member: str
    reason: str


@dataclass(slots=True)
class Located:
    """Answer to `Locate`: the live contacts of the address-of-record, most wanted first; each [uri, flow, path]."""

    contacts: list[list[Any]]
    aor: str


@dataclass(slots=True)
class MediaReserved:
    """Answer to `ReserveMedia`: a media gateway and, in the order asked, one [port, address] for each family."""

    gateway: str
    ports: list[list[Any]]


@dataclass(slots=True)
class MediaRefused:
    """No media gateway has the ports that were asked for."""


@dataclass(slots=True)
class MediaFigures:
    """Answer to `ReleaseMedia`: per stream the figures of side A and of side B."""

    streams: list[Any]


@dataclass(slots=True)
class MediaSilent:
    """Nothing has come from either side for `seconds`; told again as long as that lasts."""

    seconds: float


@dataclass(slots=True)
class MediaGatewayRestarted:
    """The media gateway that carries this call lost its memory: describe the session to it again."""


@dataclass(slots=True)
class Relocated:
    """The call is here from now on, or reached in another way, or its media gateway is "lost" or "leaves": both sides
    have to be told."""

    media: str


@dataclass(slots=True)
class Release:
    """An order to end the call (shutdown, operator): BYE or CANCEL to everybody, and a CDR with `cause`."""

    cause: str


@dataclass(slots=True)
class RegisterReceived:
    """An authenticated REGISTER for this address-of-record (RFC 3261 §10.3), reduced to what a registrar reads.

    `wanted`: None for a query, "*" to remove everything, else a list of [uri, params, seconds | None].
    `wall` is unix time in seconds; `token` comes back in the `Reply`; `nat` and `most` (devices at once, 0: as many as
    others) are options of the extension.
    """

    token: Any
    call_id: str
    cseq: int
    wanted: list[list[Any]] | str | None
    expires: int | None
    path: list[str]
    flow: Flow
    wall: float
    nat: str = "auto"
    most: int = 0


@dataclass(slots=True)
class LookedUp:
    """Somebody asks where this address-of-record can be reached: answered by a `Reply` with the contacts."""

    token: Any
    wall: float
