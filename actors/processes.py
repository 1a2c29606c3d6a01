"""The Ray actors of a switch: one class for each role, all thin, made into actors in one place.

An actor builds its links and lets ``actors.composition`` put everything else into the process. Ray runs ``__init__``
again when it restarts a dead actor, so a process starts itself there and nobody has to call it. A first start that
fails is told by ``ready()`` to whoever deploys; a restarted process tries again until it works, because Ray gives up
an actor whose ``__init__`` raises.

Links, not Ray, carry the traffic: the only Ray call is ``ready()``, once. Orders come over the link too: "status",
"drain" (end the calls), "close" (give everything back).
"""

import asyncio
import gc
import logging
import os
import time
from typing import Any

from actors import reference, vocabulary
from actors.link import Links
from actors.logs import write_log
from actors.placement import SWITCHBOARD, hosts_of
from actors.rundir import run_dir
from rayswitch.config import Config

__all__ = ["ROLES", "HostProcess", "actor_class"]

THRESHOLDS = (50_000, 20, 50)
RETRY_FIRST, RETRY_MOST = 0.05, 2.0

ROLES = {
    "s": "SipGatewayActor",
    "m": "MediaGatewayActor",
    "c": "CallActor",
    "r": "RegistrationActor",
    SWITCHBOARD: "SwitchboardActor",
}
"""Class of a Ray actor by its host id without the number."""

OPTIONS = {
    "namespace": reference.NAMESPACE,
    "lifetime": "detached",
    "max_restarts": -1,
    "max_task_retries": 0,  # nothing here may be done twice
    "num_cpus": 0,
    "enable_task_events": False,
}

log = logging.getLogger(__name__)


class HostProcess:
    """The host `host_id` of the switch with these settings (``Config.to_dict``), in a process of its own."""

    def __init__(self, host_id: str, settings: dict[str, Any]) -> None:
        self.id = host_id
        self.config = Config.from_dict(settings)
        self.epoch = time.time_ns()
        self.links = Links(host_id, self.epoch, run_dir(self.config))
        self.process: Any = None
        self.failure = ""

    async def start(self, again: bool) -> None:
        """Start what lives here. `again`: this is a restart, which tries until it works."""
        write_log(self.config, self.id)
        log.info("%s begins, process %d%s", self.id, os.getpid(), ", again" if again else "")
        delay = RETRY_FIRST
        while True:
            try:
                await self._start()
                return
            except Exception as error:
                log.exception("%s cannot start", self.id)
                self.failure = f"{self.id}: {str(error) or type(error).__name__}"
                if not again:
                    return
            await self.links.close()
            self.links = Links(self.id, self.epoch, run_dir(self.config))
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)

    async def _start(self) -> None:
        self.links.on_fenced(self._fenced)
        self.links.on("status", lambda peer, payload: self.process.status() if self.process else {})
        self.links.on("drain", lambda peer, payload: self.process.drain() if self.process else None)
        self.links.on("close", self._close)
        await self.links.start()
        self.process = await _composed(self.id, self.config, self.links)
        self.links.on_up(self._greet)
        self.links.connect([SWITCHBOARD] if self.id[0] == "m" else [SWITCHBOARD, *hosts_of(self.config)])
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self.failure = ""
        log.info("%s is ready", self.id)

    def _greet(self, peer: str, epoch: int, is_new: bool) -> None:
        """Tell the Switchboard who we are: it knows nothing when it comes back."""
        if peer == SWITCHBOARD:
            about = {"pid": os.getpid(), "epoch": self.epoch, "listeners": list(self.process.listeners)}
            self.links.tell(SWITCHBOARD, "member", about)

    async def _close(self, peer: str, payload: Any) -> None:
        if self.process is not None:
            await self.process.close()

    def _fenced(self, epoch: int) -> None:
        log.critical("%s: a newer process is this host now, ending", self.id)
        os._exit(1)

    async def ready(self) -> dict[str, Any]:
        """What this process listens on, or why it could not start. The only Ray call there is."""
        listeners = [] if self.process is None else list(self.process.listeners)
        return {"host": self.id, "pid": os.getpid(), "listeners": listeners, "failure": self.failure}


async def _composed(host_id: str, config: Config, links: Links) -> Any:
    if host_id == SWITCHBOARD:
        from actors.switchboard import Switchboard

        return Switchboard(config, links)
    from actors import composition

    return await composition.compose(host_id, config, links)


async def _begin(self: HostProcess, host_id: str, settings: dict[str, Any]) -> None:
    """``__init__`` of the Ray actors: an asynchronous one, so that it runs on the actor's loop."""
    import ray

    HostProcess.__init__(self, host_id, settings)
    again = ray.get_runtime_context().was_current_actor_reconstructed
    await self.start(again)


def actor_class(host_id: str) -> Any:
    """The Ray actor class for this host: the one place where a class becomes an actor."""
    import ray

    name = ROLES[host_id.rstrip("0123456789")]
    plain = type(name, (HostProcess,), {"__init__": _begin, "__module__": __name__})
    return ray.remote(plain).options(name=host_id, **OPTIONS)


_REGISTERED = vocabulary.ROWS  # importing it is what matters: everything that crosses a link has its code
