"""Digest authentication: RFC 7616 §3.9.1 (its examples), RFC 8760, RFC 3261 §22."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.sip.digest import (
    ALGORITHMS,
    Credentials,
    answer,
    challenge,
    challenges,
    ha1,
    parse_credentials,
    response,
    verify,
)
from rayswitch.sip.grammar import BadMessage

REALM = "http-auth@example.org"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
EXPECTED = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_examples_of_rfc_7616(algorithm: str) -> None:
    secret = ha1("Mufasa", REALM, "Circle of Life", algorithm)
    proof = response(secret, NONCE, "00000001", CNONCE, "auth", "GET", "/dir/index.html", algorithm)
    assert proof == EXPECTED[algorithm]
    header = (
        f'Digest username="Mufasa", realm="{REALM}", uri="/dir/index.html", algorithm={algorithm}, nonce="{NONCE}", '
        f'nc=00000001, cnonce="{CNONCE}", qop=auth, response="{proof}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtz"'
    )
    credentials = parse_credentials(header)
    assert credentials is not None
    assert verify(credentials, secret, "GET")
    assert not verify(credentials, secret, "POST")
    assert (credentials.username, credentials.realm, credentials.nc) == ("Mufasa", REALM, 1)
    assert credentials.opaque == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtz"
    assert "8ca5" not in repr(credentials)


def granted(header: str, secret: str, method: str = "INVITE") -> bool:
    credentials = parse_credentials(header)
    assert credentials is not None
    return verify(credentials, secret, method)


@given(st.text(max_size=10), st.text(max_size=10), st.sampled_from(["MD5", "SHA-256"]), st.integers(1, 2**32 - 1))
def test_both_sides_agree(user: str, password: str, algorithm: str, nc: int) -> None:
    realm = 'say "hi", all'
    header = answer([challenge(realm, "n", algorithm)], user, password, "INVITE", 'sip:a;x="y,z"', "c", nc)
    assert header is not None
    assert granted(header, ha1(user, realm, password, algorithm))
    assert not granted(header, ha1(user, realm, password + "x", algorithm))
    assert not granted(header, ha1(user, realm, password, algorithm), "BYE")
    credentials = parse_credentials(header)
    assert credentials is not None
    assert (credentials.username, credentials.realm, credentials.nc) == (user, realm, nc)
    assert credentials.uri == 'sip:a;x="y,z"'


@given(st.text('Digest ,="\\abcrealmnonce01;') | st.text())
def test_any_text_is_credentials_none_or_a_bad_message(text: str) -> None:
    for header in (text, "Digest " + text):
        try:
            parse_credentials(header)
        except BadMessage as error:
            assert error.status == 400


def test_unusual_spellings_of_the_same_credentials() -> None:
    usual = 'Digest username="u", realm="a, b", nonce="n", uri="sip:a", response="x", nc=00000001'
    spellings = (
        usual,
        usual.replace(", ", ",").replace("a,b", "a, b"),
        usual.replace("=", "= "),
        usual.replace("=", " = ").replace(", ", "  ,\t").replace("a  ,\tb", "a, b"),
        usual.replace("username", "USERNAME").replace("Digest", "digest"),
        usual.replace('"u"', '"\\u"'),
        usual + ', username="other", strange=thing',
    )
    for text in spellings:
        credentials = parse_credentials(text)
        assert credentials is not None
        assert (credentials.username, credentials.realm, credentials.response) == ("u", "a, b", "x")


@pytest.mark.parametrize("text", ["", "username", "=x", 'username="u', "username=u,,realm=r", 'x="a"b, "'])
def test_broken_credentials(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_credentials("Digest " + text)


def test_a_server_offers_the_best_first_and_the_client_takes_it() -> None:
    offer = challenges("r", "n", stale=True)
    assert offer == [
        'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", stale=true',
        'Digest realm="r", nonce="n", algorithm=MD5, qop="auth", stale=true',
    ]
    header = answer(offer, "u", "p", "INVITE", "sip:a", "c")
    assert header is not None
    assert "algorithm=SHA-256" in header
    assert list(ALGORITHMS) == ["SHA-256", "MD5"]


def test_the_client_passes_over_what_it_cannot_answer() -> None:
    secret = {"MD5": ha1("u", "r", "p")}
    offer = [
        'Basic realm="r"',
        'Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth"',
        'Digest realm="r", nonce="n", algorithm=MD5, qop="auth-int"',
        'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"',
        'Digest realm="r", nonce="n", qop="auth-int, auth", opaque="o"',
    ]
    header = answer(offer, "u", secret, "INVITE", "sip:a", "c", 10)
    assert header is not None
    assert granted(header, secret["MD5"])
    assert 'opaque="o"' in header
    assert "nc=0000000a" in header
    assert answer(offer[:4], "u", secret, "INVITE", "sip:a", "c") is None


def test_a_server_without_qop_gets_the_older_form() -> None:
    """§22.4 item 8; RFC 2069."""
    header = answer(['Digest realm="testrealm@host.com", nonce="n"'], "u", "p", "GET", "/", "c")
    assert header is not None
    assert "cnonce" not in header
    secret = ha1("u", "testrealm@host.com", "p")
    assert f'response="{response(secret, "n", "", "", None, "GET", "/")}"' in header
    assert not granted(header, secret, "GET")  # but as a server we insist on qop


FIELDS = {"username": "u", "realm": "r", "nonce": "n", "uri": "sip:a", "response": "x"}


@pytest.mark.parametrize("missing", list(FIELDS))
def test_credentials_must_be_complete(missing: str) -> None:
    with pytest.raises(BadMessage, match=missing):
        Credentials({name: value for name, value in FIELDS.items() if name != missing})


@pytest.mark.parametrize("nc", ["1", "0000000g", "000000001", "+0000001"])
def test_the_nonce_count_is_8_hex_digits(nc: str) -> None:
    with pytest.raises(BadMessage):
        Credentials(FIELDS | {"nc": nc})


def test_an_unknown_algorithm_or_a_missing_cnonce_proves_nothing() -> None:
    proof = {"qop": "auth", "nc": "00000001"}
    assert not verify(Credentials(FIELDS | proof | {"cnonce": "c", "algorithm": "x"}), "h", "M")
    assert not verify(Credentials(FIELDS | proof), "h", "M")
    assert not verify(Credentials(FIELDS | proof | {"cnonce": "c", "response": "é"}), "h", "M")
