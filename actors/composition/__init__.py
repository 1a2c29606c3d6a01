"""What is inside each process of a switch: the parts are made and joined here, and nothing is decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from actors.composition.media import media_process
from actors.composition.own import Identity, own_process
from actors.composition.parts import Process
from actors.composition.pools import call_process, registration_process
from actors.composition.sip import sip_process
from actors.link import Links
from rayswitch.config import Config

__all__ = ["Identity", "Process", "compose", "own_process"]

ROLES: dict[str, Callable[[str, Config, Links], Awaitable[Process]]] = {
    "s": sip_process,
    "m": media_process,
    "c": call_process,
    "r": registration_process,
}
"""By the first letter of the host id."""


async def compose(host_id: str, config: Config, links: Links) -> Process:
    """Everything that lives in process `host_id`, started and ready."""
    return await ROLES[host_id[0]](host_id, config, links)
