"""References: the one way to hold and reach an entity, wherever it lives.

A reference is three strings, so it is cheap to keep, crosses links and Ray calls, and is good for as long
as the entity's host has its id. It uses the host of the process it is in (`attach`, once a process).
"""

import asyncio
from typing import TYPE_CHECKING, Any

from actors.placement import is_own

if TYPE_CHECKING:
    from actors.host import Host

__all__ = ["Ref", "attach", "attached"]

NAMESPACE = "rayswitch"
"""Ray namespace of a switch; each switch has a Ray of its own."""

_attached: "list[Host]" = []


def attach(host: "Host") -> None:
    """From now on references in this process go through `host`."""
    _attached[:] = [host]


def attached() -> "Host":
    """The host of this process. Raises RuntimeError before `attach`."""
    if not _attached:
        raise RuntimeError("this process hosts no entities: references lead nowhere")
    return _attached[0]


class Ref:
    """The entity `kind`/`key` on `host` (a host id)."""

    __slots__ = ("host", "key", "kind")

    def __init__(self, kind: str, key: str, host: str) -> None:
        self.kind = kind
        self.key = key
        self.host = host

    def tell(self, message: Any) -> None:
        """Send a message; no answer, no error."""
        attached().tell_ref(self, message)

    def ask(self, message: Any, timeout: float = 3.0) -> asyncio.Future[Any]:
        """Send a message, await the entity's Reply. Raises LinkError: gone, unreachable, or too late."""
        return attached().ask_ref(self, message, timeout)

    @property
    def handle(self) -> Any:
        """The Ray actor that hosts the entity. Raises ValueError when there is none of that name."""
        import ray  # 0.3 s and 20 MB: only for those who want the handle

        name = f"{self.kind}/{self.key}" if is_own(self.host) else self.host
        return ray.get_actor(name, namespace=NAMESPACE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"Ref({self.kind}/{self.key} on {self.host})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Ref, self._identity

    @property
    def _identity(self) -> tuple[str, str, str]:
        return self.kind, self.key, self.host
