"""How long to wait before asking a registrar again (RFC 5626 §4.5), and when to refresh what it granted."""

from __future__ import annotations

from typing import NamedTuple

TRANSACTION = 32.0
"""Seconds that a REGISTER may take (timer F): a refresh has to begin before that."""
SOONEST, LATEST = 0.5, 0.9
"""Parts of the time granted between which it is refreshed."""


class Patience(NamedTuple):
    """Seconds: `first` after one failure, twice as much after each further one, `most` at last."""

    first: float
    most: float

    def wait(self, failures: int, chance: float) -> float:
        """After so many failures in a row; `chance` (0 to 1) spreads those who failed at the same moment over half of
        the time."""
        upper = min(self.most, self.first * float(2 ** min(failures - 1, 16)))
        return upper * (1 - chance / 2)


SILENT = Patience(30.0, 1800.0)
"""The registrar is away or in trouble: RFC 5626's own figures."""
REFUSED = Patience(300.0, 3600.0)
"""It does not want us: a wrong secret is not cured by asking, and whoever asks too often is banned."""


def refresh_after(granted: float, chance: float) -> float:
    """Seconds from a 200 to the next REGISTER: late, but with time enough for a transaction that fails."""
    latest = max(SOONEST * granted, min(LATEST * granted, granted - TRANSACTION))
    return latest - (latest - SOONEST * granted) * chance / 2
