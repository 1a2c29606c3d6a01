"""The Ray actors of a switch: one class for each role, all thin, made into actors in one place.

An actor builds its links and lets ``actors.composition`` put everything else into the process. Ray runs ``__init__``
again when it restarts a dead actor, so a process starts itself there and nobody has to call it. A first start that
fails is told by ``ready()`` to whoever deploys; a restarted process tries again until it works, because Ray gives up
an actor whose ``__init__`` raises.

Links, not Ray, carry the traffic: the only Ray calls are those of whoever starts and ends a switch, and on several
nodes ``certify()`` of the Switchboard. Orders come over the link too: "status", "drain" (end the calls), "close" (give
everything back).
"""

import asyncio
import functools
import gc
import logging
import os
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from actors import reference, vocabulary
from actors.ending import end_process
from actors.enrolment import Enrolment
from actors.link import Links
from actors.logs import write_log
from actors.member_feed import MemberFeed, about, first_members
from actors.node_report import code_version
from actors.placement import SWITCHBOARD
from actors.rundir import digest, make_run_dir
from rayswitch.config import Config
from rayswitch.members import Isolation

__all__ = ["ROLES", "HostProcess", "actor_class", "entity_class"]

THRESHOLDS = (50_000, 20, 50)
RETRY_FIRST, RETRY_MOST = 0.05, 2.0
ENROL_SECONDS = 20.0
LOOK_SECONDS = 0.25
MOST_HOSTS = 100_000
RAY_SECONDS = 5.0

ROLES = {
    "s": "SipGatewayActor",
    "m": "MediaGatewayActor",
    "c": "CallActor",
    "r": "RegistrationActor",
    SWITCHBOARD: "SwitchboardActor",
}
"""Class of a Ray actor by its host id without the number."""
ENTITY_ROLES = {"call": "CallEntity", "registration": "RegistrationEntity"}
"""The same of one that holds a single entity, by kind."""

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
    """The host `host_id` of the switch with these settings (``Config.to_dict``), in a process of its own.

    `identity`: kind, key and home of the one entity that lives in it, and whether it has lived before; nobody dials
    such a process. `seat`: its number among those of its kind on the node, which says what share of the node's ports it
    has. `hosts`, for the Switchboard: all others of a switch that starts, with their seats.
    """

    def __init__(
        self,
        host_id: str,
        settings: dict[str, Any],
        node: str = "",
        address: str = "",
        seat: int | None = None,
        identity: Sequence[Any] = (),
        hosts: Mapping[str, int | None] | None = None,
    ) -> None:
        self.id = host_id
        self.hosts = hosts
        self.seat = seat
        self.identity = tuple(identity)
        self.config = Config.from_dict(settings)
        self.epoch = time.time_ns()
        self.node = node
        self.address = link_address(self.config, address)
        self.links = self._new_links()
        self.enrolment: Enrolment | None = None
        self.enrolled: asyncio.Task[None] | None = None
        self.looking: asyncio.Task[None] | None = None
        self.process: Any = None
        self.feed: MemberFeed | None = None
        self.failure = self.code = ""
        self.again = False

    def _new_links(self) -> Links:
        return Links(self.id, self.epoch, make_run_dir(self.config), not self.identity, self.node)

    async def start(self, again: bool) -> None:
        """Start what lives here. `again`: this is a restart, which tries until it works."""
        self.again = again
        write_log(self.config, self.id, quiet=bool(self.identity))
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
            if self.enrolment is not None:
                self.enrolment.close()
            await self.links.close()
            self.links = self._new_links()
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)

    async def _start(self) -> None:
        self.links.on_fenced(self._fenced)
        self.links.on("status", lambda peer, payload: self._status())
        self.links.on("links", lambda peer, payload: self.links.status(MOST_HOSTS))
        self.links.on("drain", lambda peer, payload: self.process.drain() if self.process else None)
        self.links.on("close", self._close)
        self.links.on("end", lambda peer, pid: end_process(pid) if peer == SWITCHBOARD else None)
        members = await first_members(self.config, self.id)
        self.links.hold()
        await self.links.start()
        self.feed = MemberFeed(self.id, self.links, members)
        self.process = await self._composed(self.feed)
        self.links.release()
        self.links.on_up(self._greet)
        if self.address:
            self._enrol()
        self.feed.start()
        if self.address and self.id != SWITCHBOARD:
            self.looking = asyncio.get_running_loop().create_task(self._look_around(self.feed))
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self.failure = ""
        log.info("%s is ready", self.id)

    async def _composed(self, feed: MemberFeed) -> Any:
        if self.id == SWITCHBOARD:
            return await self._switchboard(feed)
        from actors import composition

        if self.identity:
            kind, key, home, again = self.identity
            identity = composition.Identity(kind, key, home, again or self.again)
            return await composition.own_process(self.id, self.config, self.links, feed, identity)
        return await composition.compose(self.id, self.config, self.links, feed, self.seat)

    async def _switchboard(self, feed: MemberFeed) -> Any:
        from actors.ray_hosts import RayHosts
        from actors.switchboard import Switchboard

        self.code = code_version()  # now: what is installed may be another one later
        hosts = RayHosts(self.config.to_dict(), self.code)
        switchboard = Switchboard(self.config, self.links, feed, hosts, ray_actors(self.config))
        await switchboard.start(None if self.again else self.hosts)
        return switchboard

    def _status(self) -> dict[str, Any]:
        return (self.process.status() if self.process else {}) | {"links": self.links.status()}

    def _greet(self, peer: str, epoch: int, is_new: bool) -> None:
        """Tell the Switchboard who we are: it knows nothing when it comes back."""
        if peer == SWITCHBOARD and self.feed is not None:
            greeting = about(self.links, self.feed.members, list(self.process.listeners), os.getpid())
            self.links.tell(SWITCHBOARD, "member", greeting)

    def _enrol(self) -> None:
        """Get a certificate and listen for other nodes. This node is served meanwhile."""
        ask = self.process.authority.grant if self.id == SWITCHBOARD else certificate_by_ray
        self.enrolment = Enrolment(self.links, ask)
        self.enrolled = asyncio.get_running_loop().create_task(self._listen(self.enrolment))

    async def _listen(self, enrolment: Enrolment) -> None:
        while True:
            try:
                await enrolment.begin(self.address, self.config.links.ports.all())
                break
            except OSError as error:
                self.failure = f"{self.id}: links at {self.address} {self.config.links.ports}: {error.strerror}"
                log.error("%s", self.failure)
            await asyncio.sleep(RETRY_MOST)
        self.failure = ""
        if self.id != SWITCHBOARD and self.links.alive(SWITCHBOARD):
            self._greet(SWITCHBOARD, 0, False)

    async def certify(self, host: str, epoch: int, request: str) -> list[Any]:
        """The Switchboard's answer to a process that has no certificate for links yet, or a useless one."""
        return list(await self.process.authority.grant(host, epoch, request))

    async def _look_around(self, feed: MemberFeed) -> None:
        """End when this node is cut off from all others, before they take over what we have."""
        isolation = Isolation(self.node, self.config.members.node_silent / 2, LOOK_SECONDS)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if isolation.look(feed.members, self.links.peers(), self.links.alive(SWITCHBOARD)):
                log.critical("%s: this node is cut off from the others, who take over: ending", self.id)
                os._exit(1)

    async def _close(self, peer: str, payload: Any) -> None:
        if self.process is not None:
            await self.process.close()

    def _fenced(self, floor: int) -> None:
        """Sockets, entities, what is queued: all of it is somebody else's by now, and goes with the process at once."""
        log.critical("%s: declared dead or replaced, epochs below %d are over: ending", self.id, floor)
        os._exit(1)  # Ray starts a clean one

    async def ready(self) -> dict[str, Any]:
        """What this process listens on, or why it could not start."""
        if self.enrolled is not None:
            await asyncio.wait([self.enrolled], timeout=ENROL_SECONDS)
        listeners = [] if self.process is None else list(self.process.listeners)
        return {"host": self.id, "pid": os.getpid(), "listeners": listeners, "failure": self.failure}

    async def deployed(self) -> dict[str, str]:
        """What a later deployment compares itself with: our settings, our code, and why we could not start."""
        return {"settings": digest(self.config), "code": self.code, "failure": self.failure}

    async def obey(self, order: str) -> None:
        """ "drain" or "close" from whoever ends a switch on a cluster: he has no link to other nodes."""
        if self.process is not None:
            await getattr(self.process, order)()


def link_address(config: Config, of_node: str) -> str:
    """Where to listen for other nodes; "" when there can be none."""
    if config.links.address != "auto":
        return config.links.address
    return "" if not of_node or ip_address(of_node).is_loopback else of_node


async def certificate_by_ray(host: str, epoch: int, request: str) -> list[Any]:
    """`certify` of the Switchboard, wherever it is."""

    def ask() -> list[Any]:
        import ray

        switchboard: Any = ray.get_actor(SWITCHBOARD, namespace=reference.NAMESPACE)
        answer: Any = ray.get(switchboard.certify.remote(host, epoch, request), timeout=RAY_SECONDS)
        return list(answer)

    return await asyncio.to_thread(ask)


def ray_actors(config: Config) -> Any:
    """How the Switchboard starts actors of single entities; None when there are none."""
    if not any(kind.is_single for kind in config.actors.kinds.values()):
        return None
    from actors.ray_actors import RayActors

    return RayActors(config.to_dict())


async def _begin(
    self: HostProcess,
    host_id: str,
    settings: dict[str, Any],
    *identity: Any,
    seat: int | None = None,
    hosts: Mapping[str, int | None] | None = None,
) -> None:
    """``__init__`` of the Ray actors: an asynchronous one, so that it runs on the actor's loop."""
    import ray

    HostProcess.__init__(self, host_id, settings, *_here(), seat, identity, hosts)
    again = ray.get_runtime_context().was_current_actor_reconstructed
    await self.start(again)


def _here() -> tuple[str, str]:
    """This node's id and address, as Ray knows them."""
    import ray

    context: Any = ray.get_runtime_context()
    return context.get_node_id(), ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]


def actor_class(host_id: str, **options: Any) -> Any:
    """The Ray actor class for this host; `options` say on which node, and what it asks of that."""
    return _actor(ROLES[host_id.rstrip("0123456789")]).options(name=host_id, **OPTIONS, **options)


def entity_class(kind: str, **options: Any) -> Any:
    """The Ray actor class for a process of one entity of this kind; `options` say its name."""
    return _actor(ENTITY_ROLES[kind]).options(**OPTIONS, **options)


@functools.cache  # Ray keeps a copy of each class that it is given
def _actor(name: str) -> Any:
    """The one place where a class becomes an actor."""
    import ray

    plain = type(name, (HostProcess,), {"__init__": _begin, "__module__": __name__})
    return ray.remote(plain)


_REGISTERED = vocabulary.ROWS  # importing it is what matters: everything that crosses a link has its code
