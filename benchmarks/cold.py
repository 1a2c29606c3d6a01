"""What idle time does to the cost of work on this machine: one INVITE parsed, checked and refused, after pauses.

A switch at a low rate works from cold caches, and on a virtual machine from a processor that somebody else has used
meanwhile.  `python -m benchmarks.cold` prints CPU microseconds of the same work for several pauses; the ratio of two
lines is what a figure measured at a low rate owes to the machine and not to the code.
"""

import time

from rayswitch.sip.message import Request, parse, respond, validate

ROUNDS = 300
PAUSES = (0.0, 0.0005, 0.002, 0.01)
INVITE = Request.new(
    "INVITE",
    "sip:101@192.0.2.1",
    [
        ("via", "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1;rport"),
        ("from", "<sip:100@example.com>;tag=a"),
        ("to", "<sip:101@example.com>"),
        ("call-id", "cold"),
        ("cseq", "1 INVITE"),
        ("max-forwards", "70"),
        ("contact", "<sip:100@192.0.2.7:5070>"),
    ],
).encode()


def work() -> bytes:
    """What a challenge costs, but for the digest."""
    message = parse(INVITE)
    validate(message)
    assert isinstance(message, Request)
    return respond(message, 407, to_tag="x").encode()


def cost(pause: float) -> float:
    """CPU microseconds of one piece of work that comes `pause` seconds after the one before."""
    spent = 0
    for _ in range(ROUNDS):
        if pause:
            time.sleep(pause)
        began = time.thread_time_ns()
        work()
        spent += time.thread_time_ns() - began
    return spent / ROUNDS / 1000


if __name__ == "__main__":
    cost(0.0)
    for pause in PAUSES:
        print(f"after {pause * 1000:4.1f} ms of nothing: {cost(pause):6.1f} µs of CPU")
