"""What calls and registrations want done; the shell that hosts them does it, and answers with an event.

| effect | done by | answered with |
|---|---|---|
| `Respond`, `SendRequest`, `CancelRequest`, `SendAck`, `RepeatAnswer` | the gateway of the flow | SIP events |
| `FindRoute` | the dial plan of a gateway | `Routed` |
| `Admit` | the homes of the extensions, where its calls are counted | `Admitted` |
| `Seize` | the line or trunk | `MemberSeized`, `MemberRefused` |
| `FindAccount` | a gateway, which has the records | `AccountFound` |
| `Shun` | the line or trunk | – |
| `Hold`, `Free` | both of them | – |
| `Locate` | the home of the registration | `Located` |
| `ReserveMedia`, `ConnectMedia`, `ReleaseMedia` | a media gateway | `MediaReserved`, `MediaRefused`, `MediaFigures` |
| `StartTimer` | the wheel of the hosting process | `TimerFired` |
| `SaveCall`, `Record`, `SaveBindings` | the journal | – (`Reply` of a saved binding waits for the disk) |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response


@dataclass(slots=True)
class Respond:
    """Answer a server transaction; `server` is (gateway, number) as the event had it."""

    server: Any
    response: Response


@dataclass(slots=True)
class SendRequest:
    """A request in a client transaction of `gateway`; its events carry `key`. `flow` says where to (see
    `next_hop`)."""

    gateway: str
    key: int
    request: Request
    flow: Flow


@dataclass(slots=True)
class CancelRequest:
    """CANCEL the INVITE that was sent under `key` (RFC 3261 §9.1); `reason` is a Reason header value or None."""

    gateway: str
    key: int
    flow: Flow
    reason: str | None


@dataclass(slots=True)
class SendAck:
    """An ACK of a 2xx: outside of any transaction (RFC 3261 §13.2.2.4)."""

    gateway: str
    request: Request
    flow: Flow


@dataclass(slots=True)
class RepeatAnswer:
    """A 2xx to an INVITE once more, whose transaction died with its process: out as it is."""

    gateway: str
    response: Response
    flow: Flow


@dataclass(slots=True)
class StartTimer:
    """Call back with `TimerFired(name, data)` after `delay` seconds."""

    delay: float
    name: str
    data: Any = None


@dataclass(slots=True)
class FindRoute:
    """Where does `called` lead, when `caller` dials it with the rights of `rights` (see `Dialled`)? `gateway` has the
    call."""

    gateway: str
    caller: str
    called: str
    rights: str


@dataclass(slots=True)
class Admit:
    """Count this call for all of these, or for none when one has its limit: rows of [name, outgoing, most calls, most
    calls that go out from it], as in a `Route`.

    `called` is the dialled number that it is about; it comes back.
    """

    called: str
    rows: list[list[Any]]


@dataclass(slots=True)
class Seize:
    """Can the line or trunk `member` ("line/NAME") take a call from `caller` to `number`? `called` as in `Admit`."""

    called: str
    member: str
    caller: str
    number: str


@dataclass(slots=True)
class FindAccount:
    """After a restart: with which user and secret does `member` prove who calls?"""

    member: str


@dataclass(slots=True)
class Shun:
    """The server of `member` behind `flow` is out of order: it was silent, unreachable, or said 503 (RFC 3263 §4.3)."""

    member: str
    flow: Flow


@dataclass(slots=True)
class Hold:
    """After a restart: the call is counted for these names ([name, outgoing], lines and trunks among them)."""

    rows: list[list[Any]]


@dataclass(slots=True)
class Free:
    """The call is not counted for these names any more."""

    rows: list[list[Any]]


@dataclass(slots=True)
class Locate:
    """Where can this address-of-record be reached?"""

    aor: str


@dataclass(slots=True)
class ReserveMedia:
    """One port for each family (4 or 6) in the list, on `gateway` or, when that is "", on any."""

    gateway: str
    families: list[int]


@dataclass(slots=True)
class ConnectMedia:
    """Describe the whole session to its media gateway; idempotent (see `MediaGateway.connect`)."""

    gateway: str
    streams: list[list[Any]]


@dataclass(slots=True)
class ReleaseMedia:
    """The session is over: `unused` ports were leased and never connected."""

    gateway: str
    unused: list[int]
    connected: bool


@dataclass(slots=True)
class SaveCall:
    """Journal the call (DESIGN §5): a begun row is finished even when this process dies."""

    answered: bool
    snapshot: list[Any]


@dataclass(slots=True)
class Record:
    """The call is over: write its CDR rows and drop it from the journal."""

    rows: list[dict[str, Any]]


@dataclass(slots=True)
class Ended:
    """The entity has nothing more to do and may be forgotten."""


@dataclass(slots=True)
class SaveBindings:
    """Make the bindings durable, then send `reply`; `snapshot` None removes the row. `expires` is unix time."""

    snapshot: list[Any] | None
    expires: float
    reply: Reply | None


@dataclass(slots=True)
class Reply:
    """The answer to a message that came with `token`."""

    token: Any
    value: Any


@dataclass(slots=True)
class KeepAlive:
    """An OPTIONS over the flow of a natted binding, so that the NAT keeps its mapping."""

    uri: str
    flow: Flow
