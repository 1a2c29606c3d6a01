"""What is inside each process of a switch: the parts are made and joined here, and nothing is decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from actors.composition.media import media_process
from actors.composition.own import Identity, own_process
from actors.composition.parts import Process
from actors.composition.pools import call_process, registration_process
from actors.composition.sip import sip_process
from actors.link import Links
from actors.member_feed import MemberFeed
from rayswitch.config import Config

__all__ = ["Identity", "Process", "compose", "own_process"]

Composer = Callable[[str, Config, Links, MemberFeed], Awaitable[Process]]

ROLES: dict[str, Composer] = {
    "s": sip_process,
    "c": call_process,
    "r": registration_process,
}
"""By the first letter of the host id."""


async def compose(host_id: str, config: Config, links: Links, feed: MemberFeed, seat: int | None = None) -> Process:
    """Everything that lives in process `host_id`, started and ready; `seat` is its number on the node."""
    if host_id[0] == "m":
        return await media_process(host_id, config, links, feed, int(host_id[1:]) if seat is None else seat)
    return await ROLES[host_id[0]](host_id, config, links, feed)
