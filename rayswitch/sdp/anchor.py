"""Anchoring: one side's description as the other side shall see it, with the relay's addresses in it.

What is ours to say: o= (nothing of the other side's host or session is shown; the version rises when we say something
new, RFC 3264 §8), c=, the ports, a=rtcp.  What falls away: ICE and everything else that names transport addresses,
because the relay is the only address there is.  Everything else is passed on as it came, known or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rayswitch.sdp.session import Media, Session

UNSPECIFIED = ("0.0.0.0", "::")

TRANSPORT_ATTRIBUTES = (
    "candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite", "ice-mismatch",
    "remote-candidates", "rtcp", "rtcp-mux", "rtcp-mux-only", "alt",
)  # fmt: skip
"""Attributes that speak of transport addresses (RFC 8839, 3605, 5761)."""

HELD = {"sendrecv": "sendonly", "recvonly": "inactive"}
"""What a c= of 0.0.0.0 makes of a direction (RFC 3264 §8.4: put on hold)."""

STATIC = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729"}
"""Payload types that need no rtpmap (RFC 3551 §6)."""


class Endpoint(NamedTuple):
    """A transport address for RTP; RTCP is at the next port."""

    address: str
    port: int


def anchor(session: Session, endpoints: Sequence[Endpoint | None], origin: int, version: int) -> bytes:
    """`session` with `endpoints` in place of its addresses; None: that line is switched off (port 0)."""
    shown = next((endpoint.address for endpoint in endpoints if endpoint), "0.0.0.0")
    lines = ["v=0", f"o=- {origin + 1} {version + 1} IN {net(shown)}"]
    lines += [line for line in session.lines if line[0] not in "voct" and kept(line)]
    if len(lines) == 2 or lines[2][0] != "s":
        lines.insert(2, "s=-")
    lines.insert(after(lines, "vosiuep"), f"c=IN {net(shown)}")
    times = [line for line in session.lines if line[0] == "t"] or ["t=0 0"]
    place = after(lines, "vosiuepcb")
    lines[place:place] = times
    for number, media in enumerate(session.media):
        endpoint = endpoints[number] if number < len(endpoints) else None
        lines += media_lines(session, media, endpoint, shown)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def signed(session: Session, origin: int, version: int) -> bytes:
    """`session` with its own addresses, told by us: within a dialog o= stays the same but for its version."""
    ours = f"o=- {origin + 1} {version + 1} IN {net(session.address or UNSPECIFIED[0])}".encode()
    lines = session.source.splitlines(keepends=True)
    return b"".join(ours + line[len(line.rstrip()) :] if line[:2] == b"o=" else line for line in lines)


def after(lines: list[str], earlier: str) -> int:
    """The place behind all lines of these types; c= and t= have theirs (RFC 8866 §5)."""
    for place, line in enumerate(lines):
        if line[0] not in earlier:
            return place
    return len(lines)


def media_lines(session: Session, media: Media, endpoint: Endpoint | None, shown: str) -> list[str]:
    """One m= block."""
    port = endpoint.port if endpoint else 0
    lines = [f"m={media.kind} {port} {media.proto} {media.formats}"]
    held = session.address_of(media) in UNSPECIFIED
    direction = HELD.get(session.direction_of(media)) if held and media.port else None
    own = [line for line in media.lines if line[0] != "c" and kept(line)]
    if direction:
        own = [line for line in own if line != f"a={media.direction}"] + [f"a={direction}"]
    place = next((n for n, line in enumerate(own) if line[0] != "i"), len(own))
    if endpoint is not None and endpoint.address != shown:
        own.insert(place, f"c=IN {net(endpoint.address)}")
    return lines + own


def kept(line: str) -> bool:
    """Is this line passed on?"""
    return line[:2] != "a=" or line[2:].partition(":")[0] not in TRANSPORT_ATTRIBUTES


def net(address: str) -> str:
    """`IP4 192.0.2.1` or `IP6 2001:db8::1`."""
    return f"IP6 {address}" if ":" in address else f"IP4 {address}"


def remote_endpoints(session: Session) -> list[Endpoint | None]:
    """Where each media line wants its RTP; None for one that is off, on hold by 0.0.0.0, or named by a host name."""
    return [remote_endpoint(session, media) for media in session.media]


def remote_endpoint(session: Session, media: Media) -> Endpoint | None:
    """The address of one media line."""
    address = session.address_of(media)
    numeric = ":" in address or (address.isascii() and address.replace(".", "").isdigit())
    if not media.port or address in UNSPECIFIED or not numeric:
        return None
    return Endpoint(address, media.port)


def common_codec_names(session: Session) -> list[str]:
    """Names of the codecs of the first live audio line of an answer, the preferred first; DTMF events left out."""
    for media in session.media:
        if media.port and media.kind == "audio":
            names = dict(STATIC)
            for value in media.attributes("rtpmap"):
                number, _, encoding = value.partition(" ")
                names[number] = encoding.partition("/")[0]
            listed = (names.get(number, number) for number in media.formats.split())
            return [name for name in listed if name.lower() not in ("telephone-event", "cn")]
    return []
