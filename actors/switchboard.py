"""The Switchboard: which hosts there are, which version of the extensions is current, and the operator's questions.

Nothing on the path of a call asks it. When it dies, Ray starts it again; the store has the last snapshot of the members
(``member_desk.py``), they greet it over their links, and what it needs to know is back. It pushes version numbers, not
extensions: a gateway reads what changed from the store itself.

Questions come on topic "control" as ``[command, arguments]`` from the command line, which is a mere client of our link
socket; answers are plain data. Live SIP messages flow from the gateways (topic "trace", switched on and off by the same
topic) to the clients that follow them.
"""

import asyncio
import logging
import os
import platform
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from actors import census
from actors.alarms import Alarms
from actors.cdr_files import CdrFiles
from actors.link import LinkError, Links
from actors.link_authority import LinkAuthority
from actors.member_desk import KINDS, MemberDesk
from actors.member_feed import MemberFeed
from actors.node_desk import NodeDesk
from actors.own_actors import Actors, OwnActors
from actors.placement import SWITCHBOARD, is_own
from actors.ray_hosts import Hosts
from actors.rundir import Record, identity, run_dir
from actors.tasks import Tasks
from rayswitch.config import Config
from rayswitch.store import Extensions, Store, StoreError

__all__ = ["Switchboard"]

ASK_SECONDS = 2.0
POLL_SECONDS = 10.0
RETRY_SECONDS = 1.0
ROLES = {"s": "sip gateway", "m": "media gateway", "c": "call pool", "r": "registration pool"}

REGISTRATION = ("aor", "uri", "expires", "transport", "remote", "natted")
CALL = ("id", "caller", "dialled", "state", "start", "answer", "media")
LINE = ("line", "state", "detail", "server")
ENTITY = ("kind", "key", "host", "age", "messages")

Row = dict[str, Any]

log = logging.getLogger(__name__)


class Switchboard:
    """What lives in the Switchboard's process; it has the shape of a `Process`."""

    def __init__(
        self, config: Config, links: Links, feed: MemberFeed, ray: Hosts | None = None, actors: Actors | None = None
    ) -> None:
        """`ray`: how hosts are started, `actors`: how those of single entities are, where there are any."""
        self.config = config
        self.links = links
        self.listeners: list[str] = []
        self.greetings: dict[str, Row] = {}
        self.restarts: dict[str, int] = {}
        self.version = -1
        self.alarms = Alarms()
        self.files = CdrFiles(config.store, Path(config.data) / "cdr") if config.cdr.daily_csv == "yes" else None
        self.authority = LinkAuthority(config, links)
        self.desk = MemberDesk(config, links, feed, self.alarms, identity(config), ray)
        self.nodes = NodeDesk(self.desk, self._ask)
        self.own = OwnActors(config, links, actors, self._node_of, self._ended) if actors is not None else None
        self._tracing: set[str] = set()
        self._tasks = Tasks()
        links.on("member", self._joined)
        links.on("control", self._control)
        links.on("trace", self._traced)
        links.on_down(self._left)

    async def start(self, expected: Iterable[str] | None) -> None:
        """Be the Switchboard; `expected`: the hosts of a switch that starts. Raises Held: another one is."""
        await self.desk.start(expected)
        self._tasks.spawn(self._poll())

    # Members.

    def _joined(self, peer: str, about: Row) -> None:
        known = self.greetings.get(peer)
        if known is not None and known["epoch"] != about["epoch"]:
            self.restarts[peer] = self.restarts.get(peer, 0) + 1
            log.warning("%s is back as process %d", peer, about["pid"])
        self.greetings[peer] = about
        self.desk.greeted(peer, about)
        if peer[0] == "s":
            self.links.tell(peer, "config", max(self.version, 0))
            if self._tracing:
                self.links.tell(peer, "trace", True)

    def _left(self, peer: str) -> None:
        if peer in self._tracing:
            self._tracing.discard(peer)
            if not self._tracing:
                self._gateways("trace", False)
        elif peer in self.greetings:
            log.warning("%s is down", peer)

    def _up(self) -> list[str]:
        return [host for host in self._hosts() if host in self.greetings and self.links.alive(host)]

    def _hosts(self) -> list[str]:
        """Those that are not given up, in the order of their kinds."""
        members = self.desk.members
        return [host for letter in KINDS for host in members.ids(letter)]

    def _everybody(self) -> list[str]:
        """With those of single entities."""
        single = self.own.hosts() if self.own is not None else []
        return self._up() + [host for host in single if host in self.greetings and self.links.alive(host)]

    def _node_of(self, host: str) -> str:
        """The node that a member is on; "" when it is not known, or there is only one."""
        return str(self.greetings.get(host, {}).get("endpoints", [""])[0])

    def _ended(self, host: str) -> None:
        """One of a single entity is no more."""
        self.greetings.pop(host, None)
        self.restarts.pop(host, None)

    def _gateways(self, topic: str, payload: Any) -> None:
        for host in self._up():
            if host[0] == "s":
                self.links.tell(host, topic, payload)

    # Versions of the extensions.

    async def _poll(self) -> None:
        """Now, and in case that nobody told us of a change (we may have been away)."""
        while True:
            await self._publish()
            await self._file()
            await asyncio.sleep(RETRY_SECONDS if self.alarms.standing else POLL_SECONDS)

    async def _publish(self) -> int:
        """Push the version when it is new; returns it once every gateway that is up has it."""
        try:
            current = await asyncio.to_thread(self._current)
        except StoreError as error:
            self.alarms.up("store", str(error), "Calls go on with the extensions as they were. Bring the database back")
            return self.version
        self.alarms.down("store", "the database can be read")
        if current != self.version:
            self.version = current
            await self._ask([host for host in self._up() if host[0] == "s"], "config", current)
        return current

    async def _file(self) -> None:
        """Append new call records to their files."""
        if self.files is None:
            return
        try:
            await asyncio.to_thread(self.files.write)
        except StoreError as error:
            log.warning("call records are not written to files for now: %s", error)
        except OSError as error:
            remedy = f"They are in the database. Make {self.files.folder} writable: what is missing is then added"
            self.alarms.up("cdr files", f"call records cannot be written to files: {error}", remedy)
        else:
            self.alarms.down("cdr files", "call records are written to files")

    def _current(self) -> int:
        with Store.open(self.config.store) as store:
            return Extensions(store, self.config.domain).version()

    # The operator.

    async def _control(self, peer: str, payload: list[Any]) -> Any:
        command, arguments = payload
        answer = COMMANDS.get(command)
        if answer is not None:
            return await answer(self, peer, arguments)
        if command in self.nodes.commands:
            return await self.nodes.commands[command](arguments)
        raise LinkError(f"there is no command {command}")

    async def _ask(self, hosts: list[str], topic: str, payload: Any) -> dict[str, Any]:
        """Answers by host; those that do not answer are left out."""
        asks = [self.links.ask(host, topic, payload, ASK_SECONDS) for host in hosts]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        for host, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, BaseException):
                log.warning("%s does not answer %s: %s", host, topic, answer)
        found = zip(hosts, answers, strict=True)
        return {host: answer for host, answer in found if not isinstance(answer, BaseException)}

    async def _status(self, peer: str, arguments: Row) -> Row:
        record = Record.load(run_dir(self.config))
        figures = await self._ask(self._everybody(), "status", None)
        links = {host: figure.pop("links", {}) for host, figure in figures.items() if not is_own(host)} | {
            SWITCHBOARD: self.links.status()
        }
        alarms = [{"host": host, **alarm} for host, figure in figures.items() for alarm in figure.pop("alarms", [])]
        alarms += [{"host": SWITCHBOARD, **alarm} for alarm in self.alarms.rows()]
        processes = await asyncio.to_thread(self._processes, record)
        hosts = self._hosts()
        return {
            "ready": bool(record and record.ready) and len(self._up()) == len(hosts),
            "version": _installed("rayswitch"),
            "ray": _installed("ray"),
            "python": platform.python_version(),
            "domain": self.config.domain,
            "uptime": round(time.time() - record.started, 1) if record else 0.0,
            "listeners": list(record.listeners) if record else [],
            "extensions": self.version,
            "registrations": sum(figure.get("registrations", 0) for figure in figures.values()),
            "calls": sum(figure.get("calls", 0) for figure in figures.values()),
            "down": [host for host in hosts if host not in self._up()],
            "alarms": alarms,
            "figures": {host: figure for host, figure in figures.items() if not is_own(host)},
            "links": links,
            "processes": processes,
        }

    def _processes(self, record: Record | None) -> list[census.Process]:
        return census.inventory(record.signs, record.pid) if record else []

    async def _registrations(self, peer: str, arguments: Row) -> list[Row]:
        return [row | {"home": host} for host, row in await self._list("registrations", REGISTRATION)]

    async def _calls(self, peer: str, arguments: Row) -> list[Row]:
        now = time.time()
        rows = await self._list("calls", CALL)
        return [row | {"duration": now - row["answer"] if row["answer"] else None, "host": host} for host, row in rows]

    async def _lines(self, peer: str, arguments: Row) -> list[Row]:
        return [row | {"home": host} for host, row in await self._list("lines", LINE)]

    async def _actors(self, peer: str, arguments: Row) -> list[Row]:
        """The processes; with ``{"entities": true}`` every entity that lives in them."""
        if arguments.get("entities"):
            return [row | {"node": self._node_of(host)} for host, row in await self._list("actors", ENTITY)]
        record = Record.load(run_dir(self.config))
        memory = {row["id"]: row["memory"] for row in await asyncio.to_thread(self._processes, record)}
        everybody = self._everybody()
        figures = await self._ask(everybody, "status", None)
        us: Row = {"pid": os.getpid(), "epoch": self.links.epoch}
        rows = [(SWITCHBOARD, "switchboard", us)]
        rows += [(host, self._role(host), self.greetings[host]) for host in everybody]
        return [self._actor(*row, memory, figures.get(row[0], {})) for row in rows]

    def _role(self, host: str) -> str:
        own = self.own.living.get(host) if self.own is not None else None
        return ROLES[host[0]] if own is None else f"{own.name}, {own.state}"

    def _actor(self, host: str, role: str, about: Row, memory: dict[Any, Any], figures: Row) -> Row:
        kinds = (("call", "calls"), ("registration", "registrations"), ("session", "sessions"))
        return {
            "id": host,
            "role": role,
            "pid": about["pid"],
            "uptime": round(time.time() - about["epoch"] / 1e9, 1),
            "memory": memory.get(about["pid"], 0),
            "restarts": self.restarts.get(host, 0),
            "entities": {kind: figures[name] for kind, name in kinds if name in figures},
        }

    async def _list(self, what: str, names: tuple[str, ...]) -> list[tuple[str, Row]]:
        """Rows of all hosts that have entities, as (host, row by name)."""
        hosts = [host for host in self._everybody() if host[0] != "m"]
        answers = await self._ask(hosts, "list", what)
        return [(host, dict(zip(names, row, strict=True))) for host, rows in answers.items() for row in rows]

    async def _reload(self, peer: str, arguments: Row) -> Row:
        return {"version": await self._publish()}

    async def _bans(self, peer: str, arguments: Row) -> Row:
        """Have every gateway read the bans again: an operator has changed them."""
        return {"bans": await self._ask([host for host in self._up() if host[0] == "s"], "bans", None)}

    async def _trace(self, peer: str, arguments: Row) -> Row:
        self._tracing.add(peer)
        self._gateways("trace", True)
        return {"gateways": [host for host in self._up() if host[0] == "s"]}

    def _traced(self, peer: str, entry: Any) -> None:
        for follower in self._tracing:
            self.links.tell(follower, "trace", entry)

    async def _links(self, peer: str, arguments: Row) -> Row:
        """Every link as both ends see it, or those of one host; with ``{"rotate": true}`` a new authority for all."""
        if arguments.get("rotate"):
            return await self.authority.rotate()
        chosen = arguments.get("host")
        links = await self._ask([host for host in self._up() if chosen in (None, host)], "links", None)
        if chosen in (None, SWITCHBOARD):
            links[SWITCHBOARD] = self.links.status()
        return {"links": links} | await self.authority.describe()

    async def _stop(self, peer: str, arguments: Row) -> Row:
        record = Record.load(run_dir(self.config))
        stopped = record is not None and census.signal_process(record.pid, record.born, signal.SIGTERM)
        return {"stopping": stopped}

    # The shape of a Process.

    def status(self) -> Row:
        return {"members": len(self._up())}

    async def drain(self) -> None:
        """Nothing of a call is here, but those that live alone are ours to tell."""
        if self.own is not None:
            await self.own.drain()

    async def close(self) -> None:
        if self.own is not None:
            await self.own.close()
        await self.desk.close()
        self._tasks.cancel()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


Command = Callable[[Switchboard, str, Row], Coroutine[Any, Any, Any]]

COMMANDS: dict[str, Command] = {
    "status": Switchboard._status,
    "registrations": Switchboard._registrations,
    "calls": Switchboard._calls,
    "lines": Switchboard._lines,
    "actors": Switchboard._actors,
    "reload": Switchboard._reload,
    "bans": Switchboard._bans,
    "trace": Switchboard._trace,
    "links": Switchboard._links,
    "stop": Switchboard._stop,
}
