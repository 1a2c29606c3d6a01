"""Which lines and trunks are at work at a gateway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from actors.outside.lines import Lines
from actors.outside.peer import Ground
from actors.placement import Placement
from rayswitch.records.lines import Line

ONE = Line(name="one", user="4100", registrar="sip:198.51.100.7", target="100")


def test_one_that_is_at_home_elsewhere_has_no_place_here() -> None:
    made = Lines(cast(Ground, SimpleNamespace(me="s0")), Placement(["s1"]))
    made.changed([(Line, ("one",), ONE)])
    assert made.place("line/one", "100", "555") == "line/one does not exist, or has no server"
