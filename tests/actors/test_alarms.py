"""Alarms: one line in the log when one comes, one when it goes; `status` sees those that stand."""

import logging

import pytest

from actors.alarms import Alarms


def test_an_alarm_is_logged_once_and_told_as_it_is_now(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([100.0, 200.0, 260.0, 300.0])
    alarms = Alarms(lambda: next(times))
    with caplog.at_level(logging.WARNING):
        alarms.up("store", "the database is away", "Bring it back")
        alarms.up("disk", "the disk is full", "Free space")
        alarms.up("store", "the database is away; 7 records wait", "Bring it back")
        assert alarms.rows() == [
            {"since": 100.0, "what": "the database is away; 7 records wait", "remedy": "Bring it back"},
            {"since": 200.0, "what": "the disk is full", "remedy": "Free space"},
        ]
        alarms.down("store", "it is back")
        alarms.down("store", "it is back")
        alarms.down("never raised", "nothing")
    assert [record.getMessage() for record in caplog.records] == [
        "alarm: the database is away. Bring it back",
        "alarm: the disk is full. Free space",
        "alarm over after 160 s: it is back",
    ]
    assert [row["what"] for row in alarms.rows()] == ["the disk is full"]
