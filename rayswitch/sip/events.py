"""What the transaction layer tells its user; reading this and `effects.py` explains the layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request, Response


@dataclass(slots=True)
class RequestReceived:
    """A new server transaction; never ACK, never CANCEL."""

    server: Any
    request: Request
    flow: Flow


@dataclass(slots=True)
class CancelReceived:
    """A CANCEL for that INVITE server transaction; it has been answered 200 already (RFC 3261 §9.2).

    `reason`: its Reason header (RFC 3326), None without one.
    """

    server: Any
    reason: str | None = None


@dataclass(slots=True)
class CancelUnmatched:
    """A CANCEL that no transaction here belongs to: the shell asks the other gateways, or answers 481."""

    request: Request
    flow: Flow


@dataclass(slots=True)
class AckReceived:
    """An ACK outside of any transaction: that of a 2xx."""

    request: Request
    flow: Flow


@dataclass(slots=True)
class ResponseReceived:
    """A response to the request sent under `key`; None: a stray one, such as a 2xx after a restart."""

    key: Any
    response: Response
    flow: Flow | None


@dataclass(slots=True)
class TimedOut:
    """No final response in time (timers B and F)."""

    key: Any


@dataclass(slots=True)
class Unreachable:
    """The transport could not send the request."""

    key: Any
