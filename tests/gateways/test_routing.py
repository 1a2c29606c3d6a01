"""Whose is a message? Branch, tag and nonce carry their owner; what anybody else wrote names nobody."""

import pytest

from gateways.sip.routing import owner
from rayswitch.sip.digest import Nonces
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import BadMessage, parse
from tests.gateways.loopback import request

OURS = Identifiers("s1", lambda size: bytes(range(size)))
CALL = OURS.call()
NONCE = Nonces(b"k" * 16, "s1", 300).issue(1.0)


def response(branch: str) -> bytes:
    head = request(via=f"UDP 127.0.0.1:5060;branch={branch}").partition(b"\r\n")[2]
    return b"SIP/2.0 200 OK\r\n" + head.replace(b";branch=z9hG4bKtest", b";x=")


@pytest.mark.parametrize(
    ("branch", "whose"), [(OURS.branch(), "s1"), ("z9hG4bKother", None), ("s1.0", None), ("", None)]
)
def test_a_response_is_of_who_made_its_branch(branch: str, whose: str | None) -> None:
    assert owner(parse(response(branch))) == whose


@pytest.mark.parametrize(
    ("tag", "whose"),
    [(OURS.tag(CALL, 0), "s1"), (OURS.tag(CALL, 12), "s1"), ("theirs", None), ("s1.nothex.0", None), (".", None)],
)
@pytest.mark.parametrize("method", ["BYE", "ACK", "INVITE"])
def test_a_request_in_a_dialog_is_of_who_made_its_tag(tag: str, whose: str | None, method: str) -> None:
    assert owner(parse(request(method, to_tag=tag))) == whose


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization"])
def test_credentials_are_of_who_counts_their_nonce(name: str) -> None:
    ours = f'Digest username="a", cnonce="s7.0000", nonce="{NONCE}", response="x"'
    theirs = 'Digest username="a", nonce="abcdef", response="x"'
    assert owner(parse(request("REGISTER", **{name: ours}))) == "s1"
    assert owner(parse(request("REGISTER", **{name: theirs}))) is None
    both = request("REGISTER", **{name: theirs}).replace(b"\r\n\r\n", f"\r\n{name}: {ours}\r\n\r\n".encode())
    assert owner(parse(both)) == "s1", "those for another realm come first"


def test_a_dialog_goes_before_credentials() -> None:
    theirs = f'Digest username="a", nonce="{NONCE}", response="x"'
    message = parse(request("BYE", to_tag="theirs", Authorization=theirs))
    assert owner(message) is None


def test_a_new_request_is_nobodys() -> None:
    assert owner(parse(request("INVITE"))) is None
    assert owner(parse(request("CANCEL"))) is None


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadMessage):
        owner(parse(request(To="<sip:broken")))
