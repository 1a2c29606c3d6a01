"""The call detail record: who, when, how long, how it ended, how it sounded (FEATURES §9).

One row for each half call ("a", and "b1", "b2", … for every device that rang) and one end-to-end row ("call").  Times
are unix seconds; a row is plain data, so the journal of an unfinished call can be turned into rows by another
process.
"""

from __future__ import annotations

from typing import Any

from rayswitch.sip.reasons import REASONS

Q850 = {
    200: 16, 400: 41, 403: 21, 404: 1, 408: 102, 410: 22, 480: 18, 482: 25, 484: 28, 486: 17, 487: 16, 488: 65,
    500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 600: 17, 603: 21, 604: 1, 606: 88,
}  # fmt: skip
"""Release cause of a SIP status (RFC 3398 §8.2.6.1); anything else is 31, normal unspecified."""

FIELDS = (
    "caller", "display", "dialled", "reached", "start", "ring", "answer", "end", "release_side", "sip_status", "q850",
    "cause", "codec", "marks", "came_by", "went_by",
)  # fmt: skip


COLUMNS = ("packets", "bytes", "lost", "jitter")
NO_FIGURES = {f"{column}_{direction}": 0 for direction in ("rx", "tx") for column in COLUMNS}
WHOLE = {"leg": "call"}
HALF_A = {"leg": "a"}


class CallRecord:
    """What the rows of one call share; attributes are the columns of `FIELDS`."""

    __slots__ = (*FIELDS, "figures", "legs")

    def __init__(self, caller: str, display: str, dialled: str, start: float) -> None:
        self.caller = caller
        self.display = display
        self.dialled = dialled
        self.reached = ""
        self.start = start
        self.ring: float | None = None
        self.answer: float | None = None
        self.end: float | None = None
        self.release_side = ""
        self.sip_status = 0
        self.q850 = 0
        self.cause = ""
        self.codec = ""
        self.marks: list[str] = []
        self.came_by = ""
        self.went_by = ""
        """The line or trunk ("line/NAME") by which the call came in, and by which it went out at last."""
        self.legs: list[list[Any]] = []
        """Devices that were rung: [leg, uri, sip_status], and the line or trunk that led there."""
        self.figures: list[Any] = []

    def close(self, wall: float, side: str, status: int, cause: str, q850: int = 0) -> None:
        """The call is over at `wall`; the first close counts, whoever comes second is too late."""
        if self.end is not None:
            return
        self.end = wall
        self.release_side = side
        self.sip_status = status
        self.cause = cause
        self.q850 = q850 or Q850.get(status, 31)

    def rows(self, call_id: str) -> list[dict[str, Any]]:
        """The rows for the store: A's half, one for each device of B, and the whole."""
        near = {name: getattr(self, name) for name in FIELDS} | self.side_figures(0, 1)
        near["call_id"] = call_id
        near["duration"] = self.end - self.answer if self.end and self.answer else 0.0
        return [near | WHOLE, near | HALF_A, *(self.device(near, *device) for device in self.legs)]

    def device(self, near: dict[str, Any], leg: int, uri: str, status: int, member: str = "") -> dict[str, Any]:
        """The row of one device of B; only the one that answered has an answer and figures.

        One that has said nothing shares the fate of the call.
        """
        row = near | {"leg": f"b{leg}", "reached": uri, "went_by": member}
        if 200 <= status < 300:
            return row | self.side_figures(1, 0)
        lost = NO_FIGURES | {"answer": None, "duration": 0.0}
        if status in (0, self.sip_status):
            return row | lost
        cause = "not this device" if status == 487 else REASONS.get(status, "")
        return row | lost | {"sip_status": status, "q850": Q850.get(status, 31), "cause": cause}

    def side_figures(self, near: int, far: int) -> dict[str, Any]:
        """Media columns as this half call heard (`rx`, from its phone) and was sent (`tx`), over all streams."""
        if not self.figures:
            return NO_FIGURES
        return {
            f"{column}_{direction}": total(self.figures, side, column)
            for direction, side in (("rx", near), ("tx", far))
            for column in COLUMNS
        }

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able."""
        return [[getattr(self, name) for name in FIELDS], self.legs]

    @classmethod
    def restore(cls, plain: list[Any]) -> CallRecord:
        """The inverse of `snapshot`."""
        values, legs = plain
        record = cls("", "", "", 0.0)
        for name, value in zip(FIELDS, values, strict=False):  # an earlier version knew fewer
            setattr(record, name, value)
        record.legs = legs
        return record


def total(figures: list[Any], side: int, column: str) -> float:
    """Sum over the streams (jitter: the worst)."""
    values = [stream[side].get(column, 0) for stream in figures]
    return (max(values, default=0) if column == "jitter" else sum(values)) if values else 0
