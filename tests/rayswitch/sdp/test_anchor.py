"""Our addresses in the place of theirs."""

from rayswitch.sdp.anchor import Endpoint, anchor, common_codec_names, remote_endpoints, signed
from rayswitch.sdp.session import parse

OFFER = b"""v=0
o=alice 2890844526 2890844526 IN IP4 host.atlanta.example
s=call
i=secret
b=AS:128
c=IN IP4 192.0.2.1
t=0 0
a=ice-ufrag:abcd
m=audio 49170 RTP/AVP 0 8 97
i=voice
a=rtpmap:97 iLBC/8000
a=candidate:1 1 UDP 1 192.0.2.1 49170 typ host
a=rtcp:53020
a=rtcp-mux
a=x-unknown:kept
m=video 51372 RTP/AVP 31
c=IN IP6 2001:db8::7
"""


def anchored(body: bytes, *endpoints: Endpoint | None, version: int = 0) -> list[str]:
    return anchor(parse(body), endpoints, 7, version).decode().split("\r\n")


def test_nothing_of_the_other_sides_addresses_is_left() -> None:
    text = "\n".join(anchored(OFFER, Endpoint("198.51.100.5", 20000), Endpoint("198.51.100.5", 20002)))
    for own in ("192.0.2.1", "2001:db8", "atlanta", "49170", "51372", "53020", "candidate", "ice-ufrag", "rtcp"):
        assert own not in text


def test_lines_stand_in_the_order_of_the_grammar() -> None:
    lines = anchored(OFFER, Endpoint("198.51.100.5", 20000), Endpoint("2001:db8::5", 20002))
    assert lines[:7] == [
        "v=0", "o=- 8 1 IN IP4 198.51.100.5", "s=call", "i=secret", "c=IN IP4 198.51.100.5", "b=AS:128", "t=0 0",
    ]  # fmt: skip
    assert lines[7:11] == ["m=audio 20000 RTP/AVP 0 8 97", "i=voice", "a=rtpmap:97 iLBC/8000", "a=x-unknown:kept"]
    assert lines[11:] == ["m=video 20002 RTP/AVP 31", "c=IN IP6 2001:db8::5", ""]


def test_a_line_without_an_endpoint_is_switched_off() -> None:
    lines = anchored(OFFER, Endpoint("198.51.100.5", 20000), None)
    assert "m=video 0 RTP/AVP 31" in lines


def test_what_is_missing_is_added() -> None:
    lines = anchored(b"v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n", Endpoint("198.51.100.5", 6))
    assert lines[2:5] == ["s=-", "c=IN IP4 198.51.100.5", "t=0 0"]


def test_the_version_is_what_we_say_it_is() -> None:
    assert anchored(OFFER, version=4)[1].startswith("o=- 8 5 ")


def test_hold_by_the_unspecified_address_becomes_a_direction() -> None:
    held = OFFER.replace(b"IP4 192.0.2.1\nt", b"IP4 0.0.0.0\nt")
    assert remote_endpoints(parse(held))[0] is None
    assert "a=sendonly" in anchored(held, Endpoint("198.51.100.5", 20000))
    lines = anchored(held.replace(b"a=rtcp-mux", b"a=recvonly"), Endpoint("198.51.100.5", 20000))
    assert "a=inactive" in lines
    assert "a=recvonly" not in lines


def test_endpoints_of_the_other_side() -> None:
    assert remote_endpoints(parse(OFFER)) == [Endpoint("192.0.2.1", 49170), Endpoint("2001:db8::7", 51372)]
    assert remote_endpoints(parse(OFFER.replace(b"51372", b"0")))[1] is None
    assert remote_endpoints(parse(OFFER.replace(b"IP4 192.0.2.1\nt", b"IP4 pc.example\nt")))[0] is None


def test_codec_names() -> None:
    assert common_codec_names(parse(OFFER)) == ["PCMU", "PCMA", "iLBC"]
    event = OFFER.replace(b"iLBC", b"telephone-event")
    assert common_codec_names(parse(event)) == ["PCMU", "PCMA"]
    assert common_codec_names(parse(OFFER.replace(b"49170", b"0"))) == []


def test_what_goes_past_us_is_told_by_us_all_the_same() -> None:
    """o= stays what it was in that dialog (RFC 3264 §8); everything else is as it came."""
    body = b"v=0\r\no=secret 77 1 IN IP4 10.0.0.1\r\ns=o=x\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    told = signed(parse(body), 5, 2)
    assert told == body.replace(b"o=secret 77 1 IN IP4 10.0.0.1", b"o=- 6 3 IN IP4 10.0.0.1")
