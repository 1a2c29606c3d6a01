"""Figures as people read them."""

import time

import pytest

from actors.cli.human import clock, count, duration, moment, size


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (273906, "3d 04:05:06")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (41_000_000, "41 MB"),
        (217_400_000, "217 MB"),
        (2.5e9, "2.5 GB"),
    ],
)
def test_size(octets: float | None, text: str) -> None:
    assert size(octets) == text


def test_times() -> None:
    assert (moment(None), moment(0)) == ("", "")
    assert moment(86400.0) == "1970-01-02 00:00:00"
    assert clock(1.5) == "00:00:01.500"


def test_count() -> None:
    assert [count(1, "call"), count(0, "call"), count(100_000, "extension")] == [
        "1 call",
        "0 calls",
        "100,000 extensions",
    ]
