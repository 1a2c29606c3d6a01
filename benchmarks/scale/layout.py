"""A layout: how many SIP gateways on how many nodes; and a switch of that shape.

The number of nodes is part of every layout and every figure: one is `rayswitch up`, several are machines that `ray up`
launches (``cluster.py``).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Self

from benchmarks.scale.cluster import OnCluster, cluster
from benchmarks.scale.segments import segments
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


class OneMachine(Switch):
    """The switch on this machine, as the benchmark asks it."""

    local = "127.0.0.1"

    @property
    def addresses(self) -> list[str]:
        """Where phones send."""
        return [self.ipv4]

    def segments(self) -> int:
        """Segments with data that Ray's connections have sent so far."""
        return segments(self.all_pids())


Subject = OneMachine | OnCluster


@contextmanager
def one_node(layout: Layout, settings: dict[str, Any]) -> Iterator[OneMachine]:
    """All of it on this machine."""
    with OneMachine(gateways=layout.gateways, settings={"media": MEDIA, **settings}) as switch:
        yield switch


def started(layout: Layout, **settings: Any) -> AbstractContextManager[Subject]:
    """A switch of this layout; `settings` are sections of switch.yaml."""
    return one_node(layout, settings) if layout.nodes == 1 else cluster(layout, settings)
