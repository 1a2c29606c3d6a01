"""The trace ladder: lanes open as addresses appear, arrows point the way the message went."""

import time
from typing import Any

import pytest

from actors.cli.ladder import Ladder, label

INVITE = "INVITE sip:101@example.com;user=phone SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"
RINGING = "SIP/2.0 180 Ringing\r\nVia: x\r\ncseq : 1 INVITE\r\n\r\n"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def entry(text: str, host: str = "192.0.2.1", direction: str = "in") -> dict[str, Any]:
    return {"time": 1.5, "direction": direction, "transport": "UDP", "remote": [host, 5060], "text": text}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (INVITE, "INVITE 101 +sdp"),
        (RINGING, "180 Ringing (INVITE)"),
        ("REGISTER sip:example.com SIP/2.0\r\n\r\n", "REGISTER example.com"),
        ("BYE tel:+4912;phone-context=x SIP/2.0\r\n\r\n", "BYE +4912"),
        ("SIP/2.0 200 OK\r\nCSeq:\r\n\r\n", "200 OK ()"),
        ("", " "),
    ],
)
def test_labels(text: str, shown: str) -> None:
    assert label(text) == shown


def test_a_call() -> None:
    ladder = Ladder(120)
    lines = ladder.lines(entry(INVITE)) + ladder.lines(entry(INVITE, "2001:db8::1", "out"))
    lines += ladder.lines(entry(RINGING, "2001:db8::1")) + ladder.lines(entry(RINGING, direction="out"))
    assert lines == [
        "",
        "             rayswitch                     UDP 192.0.2.1:5060",
        "00:00:01.500 │◀───── INVITE 101 +sdp ──────│",
        "",
        "             rayswitch                     UDP 192.0.2.1:5060            UDP [2001:db8::1]:5060",
        "00:00:01.500 │──────────────────── INVITE 101 +sdp ─────────────────────▶│",
        "00:00:01.500 │◀────────────────── 180 Ringing (INVITE) ──────────────────│",
        "00:00:01.500 │─── 180 Ringing (INVITE) ───▶│                             │",
    ]


def test_the_lane_that_was_silent_longest_is_given_away() -> None:
    ladder = Ladder(90)
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        ladder.lines(entry(INVITE, host))
    assert ladder.lanes == ["UDP 192.0.2.1:5060", "UDP 192.0.2.3:5060"]


def test_a_narrow_terminal_still_has_one_lane() -> None:
    ladder = Ladder(20)
    assert len(ladder.lines(entry(INVITE))) == 3


def test_a_long_label_is_cut() -> None:
    line = Ladder(80).lines(entry("SIP/2.0 200 " + "x" * 100 + "\r\n\r\n"))[-1]
    assert len(line) == len("00:00:01.500 ") + 31
