"""SIP messages as a ladder: one lane for each address, the switch on the left, an arrow for each message.

The ladder is drawn while messages come in, so lanes open when an address is first seen.  When the terminal
has room for no more, the lane that was silent longest is given away; every change of lanes draws the head
again.
"""

from collections.abc import Mapping
from typing import Any

from actors.cli.human import clock

__all__ = ["Ladder", "label"]

TIME_WIDTH = 13
LANE_WIDTH = 30
SWITCH = "rayswitch"


class Ladder:
    """Lines for {"time", "direction": "in"|"out", "transport", "remote": [host, port], "text"}."""

    def __init__(self, width: int) -> None:
        self.lanes: list[str] = []
        self.silent: dict[str, int] = {}
        self.most = max(1, (width - TIME_WIDTH - LANE_WIDTH // 2) // LANE_WIDTH)
        self.drawn = 0

    def lines(self, entry: Mapping[str, Any]) -> list[str]:
        """What to print for one message."""
        host, port = entry["remote"][:2]
        remote = f"{entry['transport']} {f'[{host}]' if ':' in host else host}:{port}"
        head = [] if remote in self.lanes else self._open(remote)
        self.drawn += 1
        self.silent[remote] = self.drawn
        arrow = self._arrow(self.lanes.index(remote), label(entry["text"]), entry["direction"] == "in")
        return [*head, f"{clock(entry['time']):<{TIME_WIDTH}}{arrow}"]

    def _open(self, remote: str) -> list[str]:
        if len(self.lanes) < self.most:
            self.lanes.append(remote)
        else:
            oldest = min(self.lanes, key=lambda lane: self.silent[lane])
            self.lanes[self.lanes.index(oldest)] = remote
        titles = [SWITCH, *self.lanes]
        return [
            "",
            " " * TIME_WIDTH + "".join(title[: LANE_WIDTH - 2].ljust(LANE_WIDTH) for title in titles).rstrip(),
        ]

    def _arrow(self, lane: int, text: str, inwards: bool) -> str:
        """From the switch's line to that of `lane`, over the lines between, or back."""
        length = (lane + 1) * LANE_WIDTH - 1
        shown = f" {text[: length - 6]} "
        shaft = shown.center(length - 1, "─")
        line = f"│◀{shaft}" if inwards else f"│{shaft}▶"
        rest = "".join("│".ljust(LANE_WIDTH) for _ in self.lanes[lane:]).rstrip()
        return line + rest


def label(text: str) -> str:
    """What a message is in a few words: ``INVITE 101 +sdp``, ``180 Ringing (INVITE)``."""
    head, _, body = text.partition("\r\n\r\n")
    first, *headers = head.split("\r\n")
    sdp = " +sdp" if body.startswith("v=0") else ""
    start, _, rest = first.partition(" ")
    if start.startswith("SIP/"):
        return f"{rest} ({_cseq_method(headers)}){sdp}"
    return f"{start} {_user(rest.partition(' ')[0])}{sdp}"


def _cseq_method(headers: list[str]) -> str:
    for header in headers:
        name, _, value = header.partition(":")
        if name.strip().lower() == "cseq":
            return value.split()[-1] if value.split() else ""
    return ""


def _user(uri: str) -> str:
    """The user part, or the host when there is none; URI parameters are of no interest here."""
    address = uri.partition(":")[2] or uri
    return address.partition("@")[0].partition(";")[0] if "@" in address else address.partition(";")[0]
