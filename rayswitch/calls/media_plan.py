"""Which ports of which media gateway carry the streams of a call, and what the two sides said about theirs.

Side "a" is the caller, side "b" the called one. A stream has one port towards A and, for each address family that B's
devices are reached over, one towards B: all devices that ring share it, because they share one offer (RFC 3264), and
the one that answers is the one it is connected to. Ports are leased before anything rings; a stream that a later offer
adds is leased then. `connect` describes the whole session every time, so that the media gateway needs no history.
"""

from __future__ import annotations

from typing import Any

from rayswitch.calls.effects import ConnectMedia, ReleaseMedia, ReserveMedia
from rayswitch.sdp.anchor import Endpoint, remote_endpoints
from rayswitch.sdp.session import Session

Side = str


class Stream:
    """One media line of the call: ports as [port, address] by side and family, the remote address of each side."""

    __slots__ = ("generation", "joined", "ports", "remotes")

    def __init__(self) -> None:
        self.ports: dict[tuple[Side, int], list[Any]] = {}
        self.remotes: dict[Side, list[Any] | None] = {"a": None, "b": None}
        self.generation = 0
        self.joined: set[tuple[Side, int]] = set()
        """Ports that the media gateway was told to use: they go back with the session."""

    def describe(self, families: dict[Side, int]) -> list[Any]:
        """[a_port, a_remote, b_port, b_remote, generation] as `MediaGateway.connect` takes it."""
        self.joined.update(families.items())
        a, b = self.ports[("a", families["a"])], self.ports[("b", families["b"])]
        return [a, self.remotes["a"], b, self.remotes["b"], self.generation]


class MediaPlan:
    """The streams of one call; `families` is 4 or 6 for each side in use."""

    __slots__ = ("asked", "connected", "families", "gateway", "streams")

    def __init__(self, family_a: int) -> None:
        self.gateway = ""
        self.streams: list[Stream] = []
        self.families: dict[Side, int] = {"a": family_a, "b": family_a}
        self.asked: list[tuple[int, Side, int]] = []
        self.connected = False

    def reserve(self, count: int, families: set[int], side: Side = "b") -> ReserveMedia | None:
        """What is missing for `count` streams towards `families` on `side`, or None when all ports are there."""
        wanted = dict.fromkeys([("a", self.families["a"]), *((side, family) for family in sorted(families))])
        if side == "a":
            wanted |= {("b", self.families["b"]): None}
        self.asked = [
            (index, side, family)
            for index in range(max(count, len(self.streams)))  # a line stays when it is not spoken of any more
            for side, family in wanted
            if index >= len(self.streams) or (side, family) not in self.streams[index].ports
        ]
        return ReserveMedia(self.gateway, [family for _, _, family in self.asked]) if self.asked else None

    def fill(self, gateway: str, ports: list[list[Any]]) -> None:
        """The ports that `reserve` asked for, in its order."""
        self.gateway = gateway
        for (index, side, family), port in zip(self.asked, ports, strict=True):
            while index >= len(self.streams):
                self.streams.append(Stream())
            self.streams[index].ports[(side, family)] = list(port)
        self.asked = []

    def decline(self, gateway: str, ports: list[list[Any]]) -> ReleaseMedia:
        """Ports that came when nobody needed them any more."""
        self.asked = []
        return ReleaseMedia(gateway, [port for port, _ in ports], False)

    def endpoints(self, side: Side, session: Session, family: int = 0) -> list[Endpoint | None] | None:
        """Our addresses towards `side`, one for each media line of `session`; None for a line that is switched off, and
        None alone when the session is passed on as it came."""
        key = (side, family or self.families[side])
        return [
            Endpoint(address=stream.ports[key][1], port=stream.ports[key][0]) if media.port else None
            for media, stream in zip(session.media, self.streams, strict=False)
        ]

    def learn(self, side: Side, session: Session) -> bool:
        """Where `side` wants its streams, from its SDP; True when that differs from what was known."""
        changed = False
        remotes = remote_endpoints(session)
        off = [None] * (len(self.streams) - len(remotes))  # who has come in the place of another may have fewer lines
        for stream, remote in zip(self.streams, [*remotes, *off], strict=False):
            known = [remote.address, remote.port] if remote else None
            if stream.remotes[side] != known:
                stream.remotes[side] = known
                stream.generation += 1
                changed = True
        return changed

    def connect(self) -> ConnectMedia | None:
        """Switch the relay through, as it stands now."""
        self.connected = True
        return ConnectMedia(self.gateway, [stream.describe(self.families) for stream in self.streams])

    def release(self) -> ReleaseMedia:
        """Give everything back: the connected session, and the ports that were leased for nothing."""
        unused = [port[0] for stream in self.streams for key, port in stream.ports.items() if key not in stream.joined]
        return ReleaseMedia(self.gateway, unused, self.connected)

    def afresh(self) -> MediaPlan:
        """The same streams without ports: those that there were are lost."""
        plan = type(self)(self.families["a"])
        plan.families = dict(self.families)
        for known in self.streams:
            stream = Stream()
            stream.remotes = dict(known.remotes)
            stream.generation = known.generation + 1
            plan.streams.append(stream)
        return plan

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able."""
        streams = [
            [[[*key, *port] for key, port in s.ports.items()], s.remotes["a"], s.remotes["b"], s.generation]
            for s in self.streams
        ]
        return [self.gateway, self.families["a"], self.families["b"], self.connected, streams]

    @classmethod
    def restore(cls, plain: list[Any]) -> MediaPlan:
        """The inverse of `snapshot`."""
        gateway, family_a, family_b, connected, streams = plain
        plan = (Bypass if gateway == PAST else MediaPlan)(family_a)
        plan.gateway, plan.connected = gateway if gateway != PAST else "", connected
        plan.families["b"] = family_b
        for ports, remote_a, remote_b, generation in streams:
            stream = Stream()
            stream.ports = {(side, family): [port, address] for side, family, port, address in ports}
            stream.remotes = {"a": remote_a, "b": remote_b}
            stream.generation = generation
            stream.joined = set(plan.families.items()) if connected else set()
            plan.streams.append(stream)
        return plan


class Bypass(MediaPlan):
    """Media that go past the switch, from phone to phone: no ports, and the descriptions as they came."""

    __slots__ = ()

    def reserve(self, count: int, families: set[int], side: Side = "b") -> ReserveMedia | None:
        """Nothing is missing."""
        return None

    def endpoints(self, side: Side, session: Session, family: int = 0) -> list[Endpoint | None] | None:
        """No addresses of ours."""
        return None

    def learn(self, side: Side, session: Session) -> bool:
        """That is between the two of them."""
        return False

    def connect(self) -> ConnectMedia | None:
        """Nothing is to be switched through."""
        return None

    def snapshot(self) -> list[Any]:
        """As of a plan whose gateway is none."""
        return [PAST, self.families["a"], self.families["b"], False, []]


PAST = "past"
"""In a snapshot, instead of a media gateway."""
