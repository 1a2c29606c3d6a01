"""What is refused before anybody looks at what a request wants (RFC 3261 §8.2, 16.3)."""

from __future__ import annotations

import pytest

from rayswitch.calls.screening import answer_without_state, objection, refusal_of_method
from rayswitch.sip.message import Request
from tests.rayswitch.sip.station import incoming


def with_body(method: str = "INVITE", **headers: str) -> Request:
    request = incoming(method, **headers)
    request.body = b"v=0"
    return request


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        (incoming(uri="http://example.com"), 416, None),
        (incoming(uri="TEL:123"), None, None),
        (incoming(require="100rel, Path, gruu, x"), 420, ("unsupported", "gruu, x")),
        (incoming(proxy_require="privacy"), 420, ("unsupported", "privacy")),
        (incoming("REGISTER", require="outbound"), None, None),
        (incoming(max_forwards="0"), 483, None),
        (incoming("OPTIONS", max_forwards="0"), None, None),
        (with_body(content_type="text/plain"), 415, ("accept", "application/sdp")),
        (with_body(), 415, ("accept", "application/sdp")),
        (with_body(content_type="text/plain", content_disposition="x; handling = optional"), None, None),
        (with_body(content_type="application/sdp", content_encoding="gzip"), 415, ("accept-encoding", "identity")),
        (with_body(content_type="application/sdp"), None, None),
        (with_body("MESSAGE", content_type="text/plain"), None, None),
    ],
)
def test_objections(request_: Request, status: int | None, header: tuple[str, str] | None) -> None:
    answer = objection(request_)
    assert (answer and answer[0]) == status
    if header is not None:
        assert answer is not None and header in answer[1]


@pytest.mark.parametrize(("method", "status"), [("PUBLISH", 405), ("REFER", 405), ("FOO", 501)])
def test_methods_that_are_not_served(method: str, status: int) -> None:
    answer, headers = refusal_of_method(method)
    assert answer == status and dict(headers)["allow"].startswith("INVITE, ACK")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (incoming("OPTIONS"), 200),
        (incoming("BYE"), 481),
        (incoming("SUBSCRIBE"), 405),
        (incoming("FOO"), 501),
        (incoming("INVITE"), None),
        (incoming("REGISTER"), None),
        (incoming("ACK", require="x"), None),
        (incoming("CANCEL", require="x"), None),
        (incoming("BYE", to="<sip:a@b>;tag=somebody-elses"), 481),
        (incoming("BYE", to="<sip:a@b>;tag=s0.000000000001.1"), None),
    ],
)
def test_what_needs_no_state(request_: Request, status: int | None) -> None:
    answer = answer_without_state(request_)
    assert (answer and answer[0]) == status
