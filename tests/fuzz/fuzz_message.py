"""Coverage-guided fuzzing of everything that reads octets from the network: datagrams and streams.

    python tests/fuzz/fuzz_message.py [libFuzzer options, e.g. -max_total_time=60] [corpus folder …]

An exception other than BadMessage is a finding; so is a message that does not survive being written and read
again. The first octet of an input chooses the target, the rest is its input.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["rayswitch.sip"]):
    from rayswitch.sip.digest import answer, parse_credentials
    from rayswitch.sip.grammar import BadMessage
    from rayswitch.sip.message import Message, Request, Response, parse, respond, validate
    from rayswitch.sip.stream import StreamFramer

TYPED = ("via", "vias", "from_", "to", "cseq", "call_id", "contacts", "contact_star", "max_forwards", "expires")
TYPED += ("content_type", "routes", "record_routes", "ruri")


def datagram(data: bytes) -> None:
    """One datagram, all of it read, checked, answered and written."""
    try:
        message = parse(data)
    except BadMessage as error:
        if error.request is not None:
            parse(respond(error.request, error.status, to_tag="t").encode())
        return
    encoded = message.encode()
    if parse(encoded).encode() != encoded:
        raise AssertionError("reading what was written gives another message")
    for name in TYPED:
        touch(message, name)
    try:
        validate(message)
    except BadMessage:
        return
    if isinstance(message, Request):
        message.stamp("192.0.2.1", 5060)
        answered = parse(respond(message, 200, to_tag="t").encode())
        validate(answered)
        assert answered.call_id == message.call_id


def touch(message: Message, name: str) -> None:
    """Read one typed header with all its parts."""
    if name == "ruri" and isinstance(message, Response):
        return
    try:
        value = getattr(message, name)
        for item in value if isinstance(value, list) else [value]:
            uri = getattr(item, "uri", item)
            _ = (str(item), getattr(item, "rport", None), getattr(item, "q", None), getattr(uri, "user_decoded", None))
    except BadMessage:
        return


def stream(data: bytes) -> None:
    """A stream must give the same messages, and fail or not, however it is cut."""
    if outcome([data]) != outcome([data[index : index + 7] for index in range(0, len(data), 7)]):
        raise AssertionError("framing depends on how the stream is cut")


def outcome(pieces: list[bytes]) -> tuple[list[str], bool]:
    """(what came out, did it fail)."""
    framer = StreamFramer()
    found: list[str] = []
    try:
        for piece in pieces:
            found += map(repr, framer.feed(piece))
    except BadMessage as error:
        return found + [repr(item) for item in getattr(error, "found", [])], True
    return found, False


def authorization(data: bytes) -> None:
    """The two headers of digest."""
    text = data.decode("utf-8", "surrogateescape")
    for reader in (parse_credentials, lambda text: answer([text], "u", "p", "INVITE", "sip:a", "c")):
        try:
            reader(text)
        except BadMessage:
            continue


TARGETS = (datagram, datagram, stream, authorization)


def one_input(data: bytes) -> None:
    """What libFuzzer calls."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
