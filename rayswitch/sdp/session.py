"""Session descriptions (RFC 8866) as far as a B2BUA with a relay looks into them: addresses, ports, directions.

A description is lines; those that nobody here understands are kept where they stand. `parse` is strict about what we
rely on (an m= line, addresses, ports) and silent about the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_MEDIA = 16
"""More lines than any phone has, and few enough that each may cost a pair of ports."""

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class BadSession(Exception):
    """This is no description we could relay; the text says why."""


class Media:
    """One m= line and the lines that follow it; `address` is the one of its own c= line, "" without."""

    __slots__ = ("address", "formats", "kind", "lines", "port", "proto")

    def __init__(self, kind: str, port: int, proto: str, formats: str) -> None:
        self.kind = kind
        self.port = port
        self.proto = proto
        self.formats = formats
        self.address = ""
        self.lines: list[str] = []

    def attributes(self, name: str) -> Iterator[str]:
        """Values of a=name:… in order; "" for one that is a mere flag."""
        return attributes(self.lines, name)

    @property
    def direction(self) -> str:
        """Its own direction attribute, "" when it has none (RFC 8866 §6.7)."""
        return direction_of(self.lines)


class Session:
    """`lines` are those of the session part in order, o=, c= and all; `media` the m= blocks; `source` is all of it."""

    __slots__ = ("address", "lines", "media", "source")

    def __init__(self, source: bytes = b"") -> None:
        self.source = source
        self.lines: list[str] = []
        self.address = ""
        self.media: list[Media] = []

    def address_of(self, media: Media) -> str:
        """Where a media line wants to be sent to: its own c= or that of the session."""
        return media.address or self.address

    def direction_of(self, media: Media) -> str:
        """The direction in force for a media line (RFC 8866 §6.7: sendrecv when nobody says)."""
        return media.direction or direction_of(self.lines) or "sendrecv"


def parse(body: bytes) -> Session:
    """Read a description; raises BadSession, and nothing else, on any octets."""
    session = Session(body)
    for line in body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"):
        if line:
            take(session, line)
    if not session.lines or session.lines[0][:2] != "v=":
        raise BadSession("no v= line at the start")
    for media in session.media:
        if media.port and not session.address_of(media):
            raise BadSession("a media line without an address")
    return session


def reopened(session: Session) -> Session:
    """The same without hold: every line that is there goes both ways again."""
    lines = session.source.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    kept = [line for line in lines if line[:2] != "a=" or line[2:].strip() not in DIRECTIONS]
    return parse("".join(kept).encode("utf-8", "surrogateescape"))


def padded(session: Session, like: Session | None) -> Session:
    """With at least as many lines as `like`, those that are missing switched off: a new offer cannot have fewer than
    there were (RFC 3264 §8)."""
    missing = like.media[len(session.media) :] if like is not None else []
    if not missing:
        return session
    off = "".join(f"m={media.kind} 0 {media.proto} {media.formats}\r\n" for media in missing)
    return parse(session.source.rstrip() + b"\r\n" + off.encode("utf-8", "surrogateescape"))


def trimmed(session: Session, count: int) -> Session:
    """Its first lines: an answer has as many as the offer (RFC 3264 §6)."""
    if len(session.media) <= count:
        return session
    text = session.source.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    kept = "\nm=".join(text.split("\nm=")[: count + 1]).rstrip("\n")
    return parse(f"{kept}\n".replace("\n", "\r\n").encode("utf-8", "surrogateescape"))


def take(session: Session, line: str) -> None:
    """One line."""
    if line[1:2] != "=" or "\r" in line or "\0" in line:
        raise BadSession("a line that is not x=value")
    if line[0] == "m":
        if len(session.media) == MAX_MEDIA:
            raise BadSession(f"more than {MAX_MEDIA} media lines")
        session.media.append(media_line(line))
        return
    part = session.media[-1] if session.media else session
    part.lines.append(line)
    if line[0] == "c":
        part.address = connection(line)


def media_line(line: str) -> Media:
    """`m=audio 49170 RTP/AVP 0 8` (RFC 8866 §5.14); a count of ports is refused, nobody offers one."""
    parts = line[2:].split(None, 3)
    if len(parts) < 4:
        raise BadSession("an incomplete m= line")
    kind, port, proto, formats = parts
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadSession("a bad port in an m= line")
    return Media(kind, int(port), proto, formats)


def connection(line: str) -> str:
    """The address of `c=IN IP4 192.0.2.1/127` without TTL (§5.7)."""
    parts = line[2:].split()
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
        raise BadSession("a bad c= line")
    return parts[2].partition("/")[0]


def attributes(lines: list[str], name: str) -> Iterator[str]:
    """Values of the attribute in these lines."""
    for line in lines:
        if line.startswith("a="):
            key, _, value = line[2:].partition(":")
            if key == name:
                yield value


def direction_of(lines: list[str]) -> str:
    """The direction attribute among these lines, ""."""
    for line in lines:
        if line[:2] == "a=" and line[2:] in DIRECTIONS:
            return line[2:]
    return ""
