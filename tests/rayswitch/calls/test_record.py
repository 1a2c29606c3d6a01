"""Rows of the call detail record."""

from __future__ import annotations

import msgpack
import pytest

from rayswitch.calls.features.release import q850_of
from rayswitch.calls.record import CallRecord
from rayswitch.store.writes import CDR_COLUMNS


def closed(status: int = 200) -> CallRecord:
    record = CallRecord("100", "Alice", "200", 1.0)
    record.legs = [[1, "sip:a@b", status]]
    record.close(9.0, "a", status, "x")
    return record


def test_every_row_has_every_column() -> None:
    for row in closed().rows("s0.1"):
        assert set(row) == set(CDR_COLUMNS)


def test_the_first_close_counts() -> None:
    record = closed()
    record.close(20.0, "b", 500, "late", 3)
    assert (record.end, record.release_side, record.sip_status, record.cause, record.q850) == (9.0, "a", 200, "x", 16)


@pytest.mark.parametrize(("status", "q850"), [(200, 16), (486, 17), (404, 1), (487, 16), (603, 21), (499, 31)])
def test_q850_of_a_status(status: int, q850: int) -> None:
    assert closed(status).q850 == q850


@pytest.mark.parametrize(
    ("reason", "q850"),
    [
        (None, 0),
        ("Q.850;cause=16", 16),
        ('q.850 ; cause=17 ;text="busy"', 17),
        ('SIP;cause=200;text="x", Q.850;cause=21', 21),
        ("Q.850;cause=21, SIP;cause=603", 21),
        ("SIP;cause=486", 0),
        ("Q.850;cause=9999", 0),
        ("Q.850;cause=x", 0),
        ("Q.850", 0),
    ],
)
def test_q850_of_a_reason(reason: str | None, q850: int) -> None:
    assert q850_of(reason) == q850


def test_figures_are_summed_jitter_is_the_worst() -> None:
    record = closed()
    record.figures = [
        [{"packets": 1, "jitter": 2.0}, {"packets": 10}],
        [{"packets": 2, "jitter": 1.0}, {"packets": 20}],
    ]
    whole, _, device = record.rows("x")
    assert (whole["packets_rx"], whole["packets_tx"], whole["jitter_rx"], whole["jitter_tx"]) == (3, 30, 2.0, 0)
    assert (device["packets_rx"], device["packets_tx"]) == (30, 3)


def test_snapshot() -> None:
    record = closed()
    again = CallRecord.restore(msgpack.unpackb(msgpack.packb(record.snapshot())))
    assert again.rows("x") == record.rows("x")
