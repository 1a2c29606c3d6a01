"""Addresses that are sent to, and those that are not."""

from typing import Any

import pytest

from rayswitch.media.remote import rtcp_address, rtp_address


@pytest.mark.parametrize(
    ("remote", "family"),
    [
        (None, 4), ([], 4), (["pc.example", 4000], 4), (["999.1.1.1", 4000], 4), (["192.0.2.1", 0], 4),
        (["192.0.2.1", 65536], 4), (["0.0.0.0", 4000], 4), (["224.0.0.1", 4000], 4), (["192.0.2.1", 4000], 6),
        (["::1", 4000], 4), (["fe80::1%eth0", 4000], 6), (["127.0.0.1", 20000], 4),
    ],
)  # fmt: skip
def test_refused(remote: Any, family: int) -> None:
    assert rtp_address(remote, family, [("127.0.0.1", 20000)]) is None


def test_taken() -> None:
    assert rtp_address(["192.0.2.1", 4000], 4) == ("192.0.2.1", 4000)
    assert rtp_address(["2001:DB8:0::1", 4000], 6) == ("2001:db8::1", 4000)


def test_rtcp_is_at_the_next_port() -> None:
    assert rtcp_address(("192.0.2.1", 4000)) == ("192.0.2.1", 4001)
    assert rtcp_address(("192.0.2.1", 65535)) is None
    assert rtcp_address(None) is None
