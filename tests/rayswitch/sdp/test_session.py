"""Reading descriptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sdp.anchor import anchor, common_codec_names, remote_endpoints
from rayswitch.sdp.session import MAX_MEDIA, BadSession, padded, parse, trimmed

OFFER = b"v=0\r\no=a 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 96\r\na=sendonly\r\n"


def test_reads_addresses_ports_and_directions() -> None:
    session = parse(OFFER + b"m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\n")
    audio, video = session.media
    assert (audio.kind, audio.port, audio.proto, audio.formats) == ("audio", 4000, "RTP/AVP", "0 96")
    assert (session.address_of(audio), session.address_of(video)) == ("192.0.2.1", "2001:db8::1")
    assert (session.direction_of(audio), session.direction_of(video)) == ("sendonly", "sendrecv")


def test_bare_newlines_are_understood() -> None:
    assert parse(OFFER.replace(b"\r\n", b"\n")).media[0].port == 4000


def test_direction_of_the_session_holds_for_lines_without_one() -> None:
    body = OFFER.replace(b"a=sendonly\r\n", b"").replace(b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n")
    session = parse(body)
    assert session.direction_of(session.media[0]) == "inactive"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"o=a 1 1 IN IP4 h\r\n",
        OFFER.replace(b"c=IN IP4 192.0.2.1\r\n", b""),
        OFFER.replace(b"4000", b"-1"),
        OFFER.replace(b"4000", b"65536"),
        OFFER.replace(b"4000", b"4000/2"),
        OFFER.replace(b"IP4 192.0.2.1", b"IP5 192.0.2.1"),
        OFFER.replace(b"m=audio 4000 RTP/AVP 0 96", b"m=audio 4000"),
        OFFER + b"nonsense\r\n",
        OFFER + b"a=\0\r\n",
        OFFER + b"m=audio 4000 RTP/AVP 0\r\n" * MAX_MEDIA,
    ],
)
def test_what_cannot_be_relayed_is_refused(body: bytes) -> None:
    with pytest.raises(BadSession):
        parse(body)


LINES = st.sampled_from(
    [b"v=0", b"s=-", b"t=0 0", b"b=AS:64", b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0", b"a=sendrecv", b"a=rtcp:9",
     b"m=audio 4 RTP/AVP 0", b"m=video 0 RTP/AVP 31", b"a=rtpmap:96 x", b"\xff=\xff", b"k=x", b"i=x"]
)  # fmt: skip


@given(st.binary(max_size=200) | st.lists(LINES | st.binary(max_size=9)).map(b"\r\n".join))
def test_any_octets_are_read_or_refused(body: bytes) -> None:
    try:
        session = parse(body)
    except BadSession:
        return
    remote_endpoints(session)
    common_codec_names(session)
    again = parse(anchor(session, [None] * len(session.media), 1, 0))
    assert [media.kind for media in again.media] == [media.kind for media in session.media]


TWO = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\na=x\r\nm=video 4002 RTP/AVP 96\r\na=y\r\n"
)


def test_as_many_lines_as_there_were() -> None:
    two = parse(TWO)
    one = trimmed(two, 1)
    assert one.source == TWO[: TWO.index(b"m=video")]
    again = padded(one, two)
    assert again.source == one.source + b"m=video 0 RTP/AVP 96\r\n"
    assert padded(two, one) is two and padded(one, None) is one and trimmed(two, 2) is two
