"""The driver: creates the detached actors of a switch, waits until all are ready, prints what they say, and ends.

It is a process of its own because ``import ray`` costs 40 MB that the supervisor, which stays, need not have. It reads
``{"address", "settings", "hosts"}`` as JSON from standard input and prints a list of ``ready()`` answers as its last
line.
"""

import json
import logging
import sys
from typing import Any

import ray

from actors.processes import actor_class
from actors.reference import NAMESPACE

__all__ = ["main"]

READY_SECONDS = 60.0


def main() -> None:
    order = json.load(sys.stdin)
    ray.init(
        address=order["address"],
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    actors = [actor_class(host).remote(host, order["settings"]) for host in order["hosts"]]
    answers: list[dict[str, Any]] = ray.get([actor.ready.remote() for actor in actors], timeout=READY_SECONDS)
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
