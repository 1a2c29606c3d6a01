"""switch.yaml: every key has a default, and every mistake is named with its place."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.config import Config, ConfigError, Listener, PortRange, load, parse

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def read(text: str) -> Config:
    return parse(text, "switch.yaml", Path("/etc/rayswitch"))


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_nothing_written_means_all_defaults() -> None:
    config = read("")
    assert config.domain == "rayswitch.local"
    assert config.data == "/etc/rayswitch/data"
    assert config.store == "sqlite:////etc/rayswitch/data/rayswitch.db"
    assert [str(listener) for listener in config.sip.listen] == [
        "udp://0.0.0.0:5060", "tcp://0.0.0.0:5060", "udp://[::]:5060", "tcp://[::]:5060",
    ]  # fmt: skip
    assert config.media.addresses == {}
    assert read("sip:\nmedia:\n") == config


def test_no_file_means_defaults_in_this_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None).data == str(tmp_path / "data")


def test_what_is_written_is_read() -> None:
    config = read(
        """
        domain: Example.COM
        data: /var/lib/rayswitch
        sip: {listen: [udp://127.0.0.1, "tcp://[0:0::1]:5080"], gateways: 2, t1: 0.25}
        media: {address: [192.0.2.1, "2001:db8::1"], ports: 30000-30100, gateways: 3}
        actors: {call: {placement: pool, pool: 4}}
        registration: {max_contacts: 1, when_full: refuse}
        call: {no_answer: 30}
        """
    )
    assert config.domain == "example.com"
    assert config.sip.listen == (Listener("udp", "127.0.0.1", 5060), Listener("tcp", "::1", 5080))
    assert config.sip.listen[1].family == 6
    assert config.media.addresses == {4: "192.0.2.1", 6: "2001:db8::1"}
    assert config.media.ports == PortRange(30000, 30099)
    assert (config.actors.call.placement, config.actors.call.pool) == ("pool", 4)
    assert config.actors.registration.placement == "gateway"
    assert config.store == "sqlite:////var/lib/rayswitch/rayswitch.db"
    assert Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("store", "resolved"),
    [
        ("sqlite:///calls.db", "sqlite:////etc/rayswitch/calls.db"),
        ("sqlite:////srv/calls.db", "sqlite:////srv/calls.db"),
        ("postgresql://ray@db:5433/calls", "postgresql://ray@db:5433/calls"),
        (
            "postgresql://ray@db/calls?password_file=db.secret&sslmode=verify-full&sslrootcert=/ca.pem",
            "postgresql://ray@db/calls?password_file=/etc/rayswitch/db.secret&sslmode=verify-full&sslrootcert=/ca.pem",
        ),
        ("postgresql:///calls?host=/run/postgresql", "postgresql:///calls?host=/run/postgresql"),
    ],
)
def test_store_is_relative_to_the_file(store: str, resolved: str) -> None:
    assert read(f"store: {store}").store == resolved


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://ray@db", "it names no database"),
        ("postgresql://ray@db:x/calls", "its port is not a number"),
        ("postgresql:///calls", "it names no host"),
        ("postgresql://ray@db/calls?colour=red", "option 'colour' is not one of password_file, host"),
        ("postgresql://ray@db/calls?sslmode=none", "sslmode is one of disable"),
    ],
)
def test_what_is_wrong_with_a_postgresql_url_is_said(url: str, why: str) -> None:
    assert why in complaint(f"store: '{url}'")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ray:geheim@db/calls",
        "postgresql://ray:ge/he@im:geheim@db/calls",
        "postgres://ray:geheim@db/calls",
        "postgresql://ray@db/calls?password=geheim",
        "postgresql://ray@db/calls?sslmode=no&password=geheim",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    found = complaint(f"store: '{url}'")
    assert "geheim" not in found
    assert "***" in found


COMPLAINTS = {
    "sip:\n  gatways: 2": "2: sip.gatways: unknown key, did you mean 'gateways'?",
    "zzz: 2": "1: zzz: unknown key, expected one of domain, data, store, sip, media, actors",
    "sip:\n  gateways: two": "2: sip.gateways: expected a whole number from 1 to 64, got 'two'",
    "sip: {gateways: 0}": "1: sip.gateways: expected a whole number from 1 to 64, got '0'",
    "sip: {gateways: 1_0}": "1: sip.gateways: expected a whole number from 1 to 64, got '1_0'",
    "sip: {gateways: [1]}": "1: sip.gateways: expected a whole number from 1 to 64, got a list",
    "sip: {gateways: }": "1: sip.gateways: expected a whole number from 1 to 64, got nothing",
    "sip: {t1: nan}": "1: sip.t1: expected a number of seconds from 0.05 to 4, got 'nan'",
    "sip: {t1: fast}": "1: sip.t1: expected a number of seconds from 0.05 to 4, got 'fast'",
    "sip:\n  gateways: 1\n  gateways: 2": "3: sip.gateways: expected once, got it a second time",
    "sip: 5060": "1: sip: expected keys, got '5060'",
    "- a": "1: expected keys, got a list",
    "a: [": "1: expected YAML, but",
    "domain: exa_mple": "1: domain: expected a domain name such as example.com, got 'exa_mple'",
    "domain: -a.com": "1: domain: expected a domain name",
    "store: mysql://x": "1: store: expected sqlite:///FILE",
    "data: ''": "1: data: expected the path of a folder, got ''",
    "actors: {call: {placement: cloud}}": "1: actors.call.placement: expected gateway or pool or actor, got 'cloud'",
    "actors: {call: {most: 0}}": "1: actors.call.most: expected auto or a whole number from 1 to 1000, got '0'",
    "sip: {listen: []}": "1: sip.listen: expected a URL such as",
    "sip:\n  listen:\n    - udp://127.0.0.1\n    - sctp://127.0.0.1": "4: sip.listen: expected a URL such as",
    "media: {ports: 20001-30000}": "(the first port must be even)",
    "media: {ports: 20000}": "1: media.ports: expected a range such as 20000-29999",
    "media: {ports: 40000-30000}": "1: media.ports: expected a range such as 20000-29999",
    "media: {ports: 60000-65536}": "1: media.ports: expected a range such as 20000-29999",
    "media: {address: 0.0.0.0}": "(phones cannot send to a wildcard address)",
    "media: {address: localhost}": "('localhost' is not an IP address)",
    "media: {address: [auto, 192.0.2.1]}": "1: media.address: expected auto alone, or at most one IPv4",
    "media: {address: [192.0.2.1, 192.0.2.2]}": "1: media.address: expected auto alone, or at most one IPv4",
    "media: {ports: 20000-20009, gateways: 3}": "media.ports: expected at least 4 ports for each of 3",
    "registration: {min_expires: 4000}": "1: registration.min_expires: expected min_expires <= default",
    "sip: {listen: [udp://127.0.0.1, udp://127.0.0.1:5060]}": "udp://127.0.0.1:5060 is there twice",
    "sip: {listen: tls://127.0.0.1}": "expected sip.tls.certificate to be set for a tls:// listener",
    "sip: {listen: [tcp://127.0.0.1, tls://127.0.0.1:5060]}": "another port than that of tcp:// for tls://127.0.0.1:5060",
    "sip: {tls: {clients: required}}": "sip.tls.clients: expected sip.tls.authorities to be set for 'required'",
    "protection: {accept: [pc.example]}": "1: protection.accept: expected an address or a network",
    "media: {ports: 5000-6000}": "expected ports clear of SIP's, but 5000-5999 holds the port of udp",
    "sip: {listen: udp://127.0.0.1:20002}": "1: sip.listen: expected ports clear of SIP's",
    "a: \x01": "switch.yaml: expected YAML",
    "&a sip: &b\n  listen: *b": "1: sip.listen: expected a URL such as",
}


@pytest.mark.parametrize("text", COMPLAINTS)
def test_mistakes_are_named_with_their_line(text: str) -> None:
    found = complaint(text)
    assert COMPLAINTS[text] in found
    assert found.startswith("switch.yaml")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:5060", "it does not begin with udp://, tcp:// or tls://"),
        ("udp://::1:5060", "an IPv6 address stands in brackets"),
        ("udp://[::1", "its IPv6 address has no closing bracket"),
        ("udp://[::1]5060", "its IPv6 address has no closing bracket"),
        ("udp://[127.0.0.1]:5060", "only an IPv6 address stands in brackets"),
        ("udp://127.0.0.1:0", "port '0' is not from 1 to 65535"),
        ("udp://127.0.0.1:65536", "port '65536' is not from 1 to 65535"),
        ("udp://127.0.0.1:", "port '' is not from 1 to 65535"),
        ("udp://phone.example.com", "'phone.example.com' is not an IP address"),
    ],
)
def test_listener_urls(url: str, why: str) -> None:
    assert f"got '{url}' ({why})" in complaint(f"sip: {{listen: '{url}'}}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"domain: m\xfcller.de")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load(latin)


def test_values_without_a_file_are_checked_too() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict({"sip": {"gateways": 0}})
    assert str(caught.value) == "sip.gateways: expected a whole number from 1 to 64, got '0'"


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["sip", ":", " ", "\n", "listen", "-", "[", "{", "&a", "*a", "udp://"])).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except ConfigError as error:
        assert str(error)


def documented(section: Any, prefix: str = "") -> list[str]:
    """The rows that docs/configuration.md must have, in the order of the tree."""
    rows = []
    for item in fields(section):
        value = getattr(section, item.name)
        if not item.metadata:
            rows += documented(value, f"{prefix}{item.name}.")
            continue
        values = value if item.metadata["several"] else (value,)
        default = ", ".join(f"`{item.metadata['kind'].plain(one)}`" for one in values)
        expected = item.metadata["kind"].expected + (", or a list" if item.metadata["several"] else "")
        rows.append(f"| `{prefix}{item.name}` | {default} | {expected} | {item.metadata['meaning']} |")
    return rows


def test_docs_and_code_name_the_same_keys() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert rows == documented(Config())


def test_the_example_of_the_docs_is_valid() -> None:
    example = DOCS.read_text().split("```yaml\n")[1].split("```")[0]
    assert read(example).domain == "example.com"
