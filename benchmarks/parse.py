"""What a SIP message costs: reading an INVITE of 13 headers, and the other steps of the hot path.

    python benchmarks/parse.py [seconds for each line]

Prints microseconds of one operation.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable

from rayswitch.sip.digest import Nonces, answer, challenges, ha1, parse_credentials, verify
from rayswitch.sip.message import Request, parse, respond, validate

BUDGET = 25.0  # µs, for "parse + route"
BODY = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.15\r\ns=-\r\nc=IN IP4 192.0.2.15\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
INVITE = (
    "INVITE sip:101@rayswitch.local SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK776asdhds8f2;rport\r\n"
    "Max-Forwards: 70\r\n"
    'From: "Alice Liddell" <sip:100@rayswitch.local>;tag=1928301774\r\n'
    "To: <sip:101@rayswitch.local>\r\n"
    "Call-ID: a84b4c76e66710b2@192.0.2.15\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Contact: <sip:100@192.0.2.15:5060;transport=udp>\r\n"
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE, PRACK\r\n"
    "Supported: replaces, timer, 100rel\r\n"
    "User-Agent: Example Phone 3.1\r\n"
    "Session-Expires: 1800\r\n"
    "Content-Type: application/sdp\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
CONTACT = [("contact", "<sip:s0.00c0ffee@192.0.2.1:5060>"), ("content-type", "application/sdp")]


def route() -> Request:
    """Read the INVITE and look at what routing it needs."""
    message = parse(INVITE)
    assert isinstance(message, Request)
    _ = (message.via.branch, message.from_.tag, message.to.tag, message.cseq.number, message.call_id)
    return message


def checked() -> Request:
    """As `route`, with the checks a gateway makes: they parse the Request-URI and the Contact too."""
    message = parse(INVITE)
    assert isinstance(message, Request)
    validate(message)
    _ = (message.via.branch, message.from_.tag, message.to.tag)
    return message


def cases() -> dict[str, Callable[[], object]]:
    """Name of a step -> the step, on data prepared here."""
    known = checked()
    nonces = Nonces(b"0" * 32, "s0", 300.0)
    nonce = nonces.issue(1.0)
    hashes = {name: ha1("100", "rayswitch.local", "secret", name) for name in ("MD5", "SHA-256")}
    offer = challenges("rayswitch.local", nonce)[1:]
    header = answer(offer, "100", hashes, "INVITE", known.uri, "0a4f113b") or ""
    credentials = parse_credentials(header)
    assert credentials is not None
    return {
        "parse": lambda: parse(INVITE),
        "parse + route": route,
        "parse + validate + route": checked,
        "stamp": lambda: known.stamp("203.0.113.9", 40000),
        "encode": known.encode,
        "respond 100": lambda: respond(known, 100).encode(),
        "respond 200 with body": lambda: respond(known, 200, None, "s0.00c0ffee.1", CONTACT, BODY).encode(),
        "issue a nonce, two challenges": lambda: challenges("rayswitch.local", nonces.issue(2.0)),
        "parse_credentials": lambda: parse_credentials(header),
        "verify (MD5)": lambda: verify(credentials, hashes["MD5"], "INVITE"),
    }


def measure(step: Callable[[], object], seconds: float) -> float:
    """Microseconds of one call of `step`: the best of many short rounds, since others only add to them."""
    timer = timeit.Timer(step)
    once = timer.timeit(1000) / 1000
    number = max(10, int(0.002 / once))
    return min(timer.repeat(max(5, int(seconds / 0.002)), number)) / number * 1e6


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    for name, step in cases().items():
        cost = measure(step, seconds)
        budget = f"   (budget {BUDGET:g})" if name == "parse + route" else ""
        print(f"{name:32} {cost:7.2f} µs{budget}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
