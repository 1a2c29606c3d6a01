"""What still finds room when the backlog fills up, in the order of what its loss would cost.

First snapshots of calls are left out: a call goes on without one, unless its process is killed in this very outage.
Then bindings: a phone gets 503 and keeps what it had, instead of a 200 that promises what is not kept.  Last come call
records and the removal of what is over: nothing can bring a call record back.
"""

__all__ = ["WARN", "left_out", "words_for"]

WARN = 0.5
"""Share of the space from which on people are told."""

_LEVELS = (
    (0.80, "put_call", "snapshots of calls"),
    (0.90, "put_binding", "registrations"),
    (1.00, "", "call records"),
)


def left_out(fill: float) -> tuple[str, ...]:
    """Statements that are not taken at this fill (1.0: full); "" stands for all others."""
    return tuple(statement for level, statement, _ in _LEVELS if fill >= level)


def words_for(left: tuple[str, ...]) -> str:
    """What that means, in words."""
    return ", ".join(words for _, statement, words in _LEVELS if statement in left)
