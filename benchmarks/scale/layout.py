"""A layout: how many SIP gateways on how many nodes; and a switch of that shape.

The number of nodes is part of every layout and every figure. What starts a switch is looked up by it, in STARTERS: one
node is `rayswitch up`. A cluster is one more starter, for the numbers that have none of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Self

from tests.interop.switch import Switch


class Layout(NamedTuple):
    """`gateways` in all, spread evenly over `nodes`."""

    gateways: int
    nodes: int = 1

    @classmethod
    def of(cls, text: str | Self) -> Self:
        """From `4` or `4x2`; ValueError for anything else."""
        if not isinstance(text, str):
            return text
        gateways, _, nodes = text.partition("x")
        return cls(int(gateways), int(nodes or 1))

    def __str__(self) -> str:
        return f"{self.gateways} on {self.nodes}"


MEDIA = {"address": ["127.0.0.1", "::1"], "ports": "20000-31999"}


@contextmanager
def one_node(layout: Layout, settings: dict[str, Any]) -> Iterator[Switch]:
    """All of it on this machine."""
    with Switch(gateways=layout.gateways, settings={"media": MEDIA, **settings}) as switch:
        yield switch


Starter = Callable[[Layout, dict[str, Any]], AbstractContextManager[Switch]]

STARTERS: dict[int, Starter] = {1: one_node}


def started(layout: Layout, **settings: Any) -> AbstractContextManager[Switch]:
    """A switch of this layout; `settings` are sections of switch.yaml."""
    starter = STARTERS.get(layout.nodes)
    if starter is None:
        known = ", ".join(str(nodes) for nodes in STARTERS)
        raise ValueError(f"a switch on {layout.nodes} nodes cannot be started here (known: {known})")
    return starter(layout, settings)
