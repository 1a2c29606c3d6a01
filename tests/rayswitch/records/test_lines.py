"""Lines and trunks in pbx.yaml, and the variables of a miniSIPServer."""

from __future__ import annotations

import pytest

from rayswitch.config import ConfigError
from rayswitch.records import KINDS, Line, Trunk
from rayswitch.records.content import plain
from rayswitch.records.imported import lines_with, read_variables
from rayswitch.records.lines import address_and_port
from rayswitch.records.reading import Plan
from rayswitch.records.writing import written

NOTHING: dict[str, dict[tuple[str, ...], object]] = {kind: {} for kind in KINDS}
LINE = "lines:\n  - {name: home, registrar: sip.example.net, user: alice, secret: 1234%s}"
TRUNK = "trunks:\n  - {name: carrier, server: %s}"


def line(more: str = "") -> Line:
    found: Line = Plan(LINE % more, "pbx.yaml").merged(NOTHING)["lines"]["home",]
    return found


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Plan(text, "pbx.yaml").merged(NOTHING)
    return str(caught.value)


def test_a_line_with_its_defaults() -> None:
    made = line()
    assert (made.registrar, made.user, made.secret) == ("sip:sip.example.net", "alice", "1234")
    assert (made.register_same_dialog, made.no_answer, made.expires) == ("auto", 0.0, 3600)
    assert made.max_incoming is None and made.media == "relay"


@pytest.mark.parametrize("value", ["auto", "true", "false"])
def test_the_three_settings_of_register_same_dialog(value: str) -> None:
    assert line(f", register_same_dialog: {value}").register_same_dialog == value


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        ("192.0.2.5", "sip:192.0.2.5"),
        ("192.0.2.5:5080", "sip:192.0.2.5:5080"),
        ("'sip:example.com;transport=tcp'", "sip:example.com;transport=tcp"),
        ("'sips:example.com'", "sips:example.com"),
        ("'[2001:db8::5]:5070'", "sip:[2001:db8::5]:5070"),
    ],
)
def test_servers(server: str, uri: str) -> None:
    trunk = Plan(TRUNK % server, "pbx.yaml").merged(NOTHING)["trunks"]["carrier",]
    assert trunk == Trunk(name="carrier", server=uri)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (TRUNK % "'sip:alice@example.com'", "(a server has no user and no headers)"),
        (TRUNK % "'sip:example.com;transport=sctp'", "(its transport is none of udp, tcp, tls)"),
        (TRUNK % "'not a host'", "(URI: bad host)"),
        (TRUNK % "x, no_anser: 15", "unknown key, did you mean 'no_answer'?"),
        (TRUNK % "''", "trunks[1].server: expected a server, got nothing"),
        (LINE % ", register_same_dialog: maybe", "expected auto or true or false, got 'maybe'"),
        (LINE % ", uri_parameters: 'a b'", "expected URI parameters"),
        (LINE % ", certificate: 192.0.2.1", "(a certificate is known by a name, not by an address)"),
        (LINE % ", certificate: '*.example.com'", "expected a name in a certificate, such as sip.example.com"),
        (LINE % ", addresses: ['192.0.2.1:0']", "(port '0' is not from 1 to 65535)"),
        (LINE % ", addresses: ['192.0.2.0/24:5060']", "'192.0.2.0/24:5060' is no address and no network"),
        (TRUNK % "x, incoming_user: pbx", "trunks[1].incoming_secret: expected both"),
        (TRUNK % "x, incoming_secret: hush", "trunks[1].incoming_user: expected both"),
        ("lines:\n  - {name: home, user: a}", "lines[1].registrar: expected a registrar, got nothing"),
        ("lines:\n  - {name: home, registrar: b}", "lines[1].user: expected the user of the account, got nothing"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    assert problem in complaint(text)
    assert complaint(text).startswith("pbx.yaml:2: ")


def test_who_proves_to_be_a_trunk_is_nobody_else() -> None:
    trunk = "{name: %s, server: x, incoming_user: '100', incoming_secret: hush}"
    one, two = f"trunks:\n  - {trunk % 'a'}\n", f"  - {trunk % 'b'}\n"
    assert Plan(one, "f").merged(NOTHING)
    taken = complaint(one + "extensions:\n  - {number: 100, password: x}")
    assert "trunks[1].incoming_user: expected the name of no extension, got '100'" in taken
    assert "trunks[2].incoming_user: expected another than that of trunk a" in complaint(one + two)
    assert "hush" not in complaint(one + two)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.5", "192.0.2.5", 0),
        ("192.0.2.0/24", "192.0.2.0/24", 0),
        ("2001:db8::/32", "2001:db8::/32", 0),
        ("2001:DB8::0:1", "2001:db8::1", 0),
        ("192.0.2.5:5080", "192.0.2.5", 5080),
        ("'[2001:db8::0:1]:5080'", "2001:db8::1", 5080),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    (kept,) = line(f", addresses: [{text}]").addresses
    assert address_and_port(kept) == (host, port)


def test_a_secret_that_cannot_be_is_not_shown() -> None:
    assert "hush" not in complaint(LINE.replace("1234", "[hush]") % "")


def test_what_is_written_reads_as_the_same() -> None:
    content = Plan(LINE % ", register_same_dialog: true, addresses: 192.0.2.0/24, max_incoming: 0", "x").merged(NOTHING)
    assert Plan(written(content), "again").merged(NOTHING) == content
    assert plain(content["lines"]["home",])["secret"] == "1234"


INI = "\ufeff; miniSIPServer\r\n[system]\r\ngVarLanguage=en\r\n[sip]\r\ngVarSipRegSameDialog = 0 ; new\r\n"


def test_the_variables_of_a_minisipserver() -> None:
    imported = read_variables(INI, "mss_var_param.ini")
    assert imported.fields == {"register_same_dialog": "false"}
    assert imported.left_out == [(3, "[system] gVarLanguage")]
    assert lines_with(imported, {("home",): line()})["home",] == line(", register_same_dialog: false")
    assert read_variables("[SIP]\ngVarSipRegSameDialog=1", "f").fields == {"register_same_dialog": "true"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[sip]\ngVarSipRegSameDialog=2", "f:2: [sip] gVarSipRegSameDialog: expected 0 or 1, got '2'"),
        ("[sip]\ngVarSipRegSameDialog", "f:2: expected a section, or a variable such as name=value"),
        ("[a]\ngVarSipRegSameDialog=0", "f:2: gVarSipRegSameDialog: expected in section [sip], got it in [a]"),
        ("[sip\nx=1", "f:1: expected a section such as [sip], got '[sip'"),
        (
            "[sip]\ngVarSipRegSameDialog=0\ngVarSipRegSameDialog=1",
            "f:3: [sip] gVarSipRegSameDialog: expected once, it is in line 2 already",
        ),
    ],
)
def test_mistakes_in_variables(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_variables(text, "f")
    assert str(caught.value).startswith(problem)


def test_a_name_that_is_nearly_known() -> None:
    assert read_variables("[sip]\ngVarSipRegSameDialg=0", "f").left_out == [
        (2, "[sip] gVarSipRegSameDialg (did you mean gVarSipRegSameDialog?)")
    ]
