"""A trunk at work: an OPTIONS from time to time says whether its peer is there."""

from __future__ import annotations

from typing import Any

from actors.outside.peer import Ground, Peer
from rayswitch.calls.leg import contact, hostport
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.message import Request, Response

__all__ = ["TrunkAtWork"]

MISSES = 3
"""OPTIONS without an answer, after which it is down."""
SOONEST = 0.05


class TrunkAtWork(Peer):
    """The trunk of a record; it is up until it has not answered MISSES times."""

    def __init__(self, member: str, record: Trunk, ground: Ground) -> None:
        super().__init__(member, record, record.server, ground)
        self.interval = record.options
        self.misses = 0
        self.number = 0
        self.begun = False

    def goes_on_with(self, record: Line | Trunk) -> bool:
        """Only one that is somewhere else, or asked after otherwise, has to be begun anew."""
        former = self.record
        if not isinstance(record, Trunk) or not isinstance(former, Trunk):
            return False
        if (record.server, record.options) != (former.server, former.options):
            return False
        self.record = record
        return True

    def resolved(self) -> None:
        """Ask from now on."""
        if self.interval and not self.begun:
            self.begun = True
            self.ground.wheel.start(SOONEST, self.ask)

    def ask(self) -> None:
        """One OPTIONS more (RFC 3261 §11); not while one is under way."""
        if self.closed:
            return
        self.ground.wheel.start(self.interval, self.ask)
        flow = self.way()
        if self.asked is not None:
            return
        if flow is None:
            self.unanswered(self.number, "it has no address that a listener of ours reaches")
            return
        ids = self.ground.gateway.layer.ids
        self.number += 1
        host = hostport(flow.local)
        self.send(
            self.number,
            Request.new(
                "OPTIONS",
                str(self.uri),
                [
                    ("max-forwards", "70"),
                    ("from", f"<sip:{host}>;tag={ids.loose_tag()}"),
                    ("to", f"<{self.uri}>"),
                    ("call-id", ids.call_id()),
                    ("cseq", "1 OPTIONS"),
                    ("contact", contact("trunk", flow)),
                    ("accept", "application/sdp"),
                ],
            ),
        )

    def answered(self, number: int, response: Response) -> None:
        """Whatever it says, it is there."""
        del number, response
        self.misses = 0
        self.ground.alarms.down(self.member, f"{self.member} answers again")

    def unanswered(self, number: int, why: str) -> None:
        del number
        self.misses += 1
        if self.trouble():
            remedy = "Its calls are refused meanwhile, or go to the next of the group. See rayswitch lines"
            self.ground.alarms.up(self.member, f"{self.member} is down: {why}", remedy)

    def trouble(self) -> str:
        return f"is down: {self.misses} OPTIONS without an answer" if self.misses >= MISSES else ""

    def close(self) -> None:
        self.ground.alarms.down(self.member, f"{self.member} is no more")
        super().close()

    def row(self) -> list[Any]:
        """Without OPTIONS nobody knows."""
        row = super().row()
        return row if self.interval else [row[0], "not asked", *row[2:]]
