"""A host s1 alone in its network namespace: an order in JSON on standard input, a line for each thing that happens.

It keeps a link to sw, tells it a number every 50 ms, and ends when it is fenced off, as a process of the switch does.
"""

import asyncio
import json
import os
import sys
from typing import Any

import uvloop

from actors.address_book import Endpoints
from actors.credentials import Credentials
from actors.link import Links


def say(*about: Any) -> None:
    print(*about, flush=True)


def ended(floor: int) -> None:
    say("fenced", floor)
    os._exit(3)


async def main() -> None:
    order = json.load(sys.stdin)
    links = Links("s1", order["epoch"], order["run_dir"], node="n1")
    links.peering.sockets.credentials = Credentials(*order["credentials"])
    links.book.update("sw", Endpoints("n0", *order["switchboard"]), 1)
    links.on_fenced(ended)
    links.on_up(lambda peer, epoch, new: say("up", peer))
    links.on_down(lambda peer: say("down", peer))
    await links.start()
    links.connect(["sw"])
    for number in range(10_000):
        links.tell("sw", "number", number)
        await asyncio.sleep(0.05)


uvloop.run(main())
