"""What a trace may show: everything but secrets."""

import pytest

from gateways.sip.trace import masked

DIGEST = 'Digest username="100", realm="r", nonce={n}, uri="sip:r;nonce=shown", response={n}, cnonce={n}, qop=auth'


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "PROXY-AUTHORIZATION", "authorization "])
@pytest.mark.parametrize("secret", ['"s3cret"', "s3cret", '"s3\\"cret, x=s3cret"', '""'])
def test_digests_are_masked_and_the_rest_stays(name: str, secret: str) -> None:
    text = masked(f"INVITE sip:r SIP/2.0\r\n{name}: {DIGEST.format(n=secret)}\r\nX-Other: s3-shown\r\n\r\n".encode())
    assert "s3cret" not in text and "response=***" in text
    for part in ('username="100"', 'realm="r"', "qop=auth", "X-Other: s3-shown", "INVITE sip:r SIP/2.0\r\n"):
        assert part in text


@pytest.mark.parametrize(
    "row",
    [
        'WWW-Authenticate: Digest realm="r", nonce="s3cret", opaque="s3cret"',
        'Proxy-Authenticate:Digest realm="r",nonce="s3cret"',
        'Authentication-Info: nextnonce="s3cret", rspauth="s3cret"',
        'Authorization: Digest realm="r",\r\n nonce="s3cret",\r\n\tresponse="s3cret"',
        "Authorization: Basic s3cret==",
    ],
)
def test_every_row_that_holds_one(row: str) -> None:
    text = masked(f"SIP/2.0 401 Unauthorized\r\n{row}\r\nCSeq: 1 REGISTER\r\n\r\n".encode())
    assert "s3cret" not in text and "***" in text and text.endswith("CSeq: 1 REGISTER\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:s3cret+/=|2^20|1:4 FEC_ORDER=FEC_SRTP",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:s3cret|2^20;inline:s3cret|2^20",
        "a=key-mgmt:mikey s3cret==",
        "k=clear:s3cret",
        "k=base64:s3cret",
    ],
)
def test_keys_of_media(line: str) -> None:
    text = masked(f"v=0\r\nm=audio 1 RTP/SAVP 0\r\n{line}\r\na=sendrecv\r\n".encode())
    assert "s3cret" not in text and "***" in text and text.endswith("a=sendrecv\r\n")
    assert text.count("\r\n") == 4


def test_text_that_only_looks_like_it_stays() -> None:
    data = b"MESSAGE sip:r SIP/2.0\r\nSubject: nonce=1\r\n\r\nthe response=42, k=1, inline: yes"
    assert masked(data) == data.decode()


def test_octets_that_are_no_text_are_shown_as_escapes() -> None:
    assert masked(b"\xff\x00ok") == "\\xff\x00ok"
