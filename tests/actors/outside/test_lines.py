"""Whose call an INVITE from outside is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.outside.lines import Lines, Source
from actors.outside.peer import Ground
from actors.placement import Placement
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.message import Request


def lines(*records: Line | Trunk) -> Lines:
    """All at home somewhere else."""
    made = Lines(cast(Ground, SimpleNamespace(me="s0")), Placement(["s1"]))
    made.changed((type(record), (record.name,), record) for record in records)
    return made


def invite(user: str) -> Request:
    return Request.new("INVITE", f"sip:{user}@192.0.2.1", [])


ONE = Line(name="one", user="4100", registrar="sip:198.51.100.7", target="100")
TWO = Line(name="two", number="4200", user="u", registrar="sip:198.51.100.7:5080")
PEER = Trunk(name="peer", server="sip:pbx.example.org", addresses=("203.0.113.0/24", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("user", "host", "expected"),
    [
        ("4100", "198.51.100.7", Source("line/one", "100")),
        ("4200", "198.51.100.7", Source("line/two", "4200")),
        ("555", "198.51.100.7", Source("line/one", "100")),
        ("555", "203.0.113.9", Source("trunk/peer", "555")),
        ("555", "2001:db8::9", Source("trunk/peer", "555")),
        ("4100", "192.0.2.99", None),
    ],
)
def test_by_address_and_account(user: str, host: str, expected: Source | None) -> None:
    assert lines(ONE, TWO, PEER).source(invite(user), host) == expected


def test_one_that_is_removed_is_nobody() -> None:
    made = lines(ONE)
    assert made.source(invite("4100"), "198.51.100.7") is not None
    rows: list[tuple[type, tuple[str, ...], Any]] = [(Line, ("one",), None)]
    made.changed(rows)
    assert made.source(invite("4100"), "198.51.100.7") is None


def test_one_that_is_at_home_elsewhere_has_no_place_here() -> None:
    assert lines(ONE).place("line/one", "100", "555") == "line/one does not exist, or has no server"
