"""A host: the entities of one process, their mailboxes and their supervision.

One message at a time for each entity: a message that an entity's own effects send back to it waits until
these are done. Otherwise a tell inside the process is a call, 1.5 µs, no task and no queue. An exception in
an entity, or in doing what it wanted, ends that entity alone: it is dropped, logged, and its kind told.

Hosts reach each other's entities over the topic "entity": ``[kind, key, message]``, as a tell or an ask.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from actors.entity import Ask, Entity, Kind, Reply, Retire
from actors.link import LinkError, Links
from actors.reference import Ref

if TYPE_CHECKING:
    from gateways.wheel import Wheel

__all__ = ["Host", "Kind", "NoSuchEntity"]

ASK_SECONDS = 3.0

log = logging.getLogger(__name__)


class NoSuchEntity(LinkError):
    """The entity does not live here (any more)."""


class _Cell:
    """One hosted entity."""

    __slots__ = ("born", "busy", "entity", "mailbox", "messages")

    def __init__(self, entity: Entity, born: float) -> None:
        self.entity = entity
        self.born = born
        self.busy = False
        self.mailbox: deque[Any] | None = None
        self.messages = 0


class Host:
    """The entities of the process `id`; `clock` gives monotonic seconds."""

    def __init__(self, id: str, links: Links, wheel: "Wheel", clock: Callable[[], float]) -> None:
        self.id = id
        self.links = links
        self.wheel = wheel
        self.clock = clock
        self.failures = 0
        self.retired: Callable[[str, str], None] = lambda kind, key: None
        """Told of every entity that is here no more."""
        self._kinds: dict[str, Kind] = {}
        self._cells: dict[str, dict[str, _Cell]] = {}
        self._answers: dict[int, tuple[str, str, asyncio.Future[Any]]] = {}
        self._token = 0
        self._held: list[tuple[list[Any], asyncio.Future[Any] | None]] | None = None
        links.on("entity", self._arrived)
        links.on("exists", lambda peer, whose: self._held is not None or self.has(*whose))

    def hold(self) -> None:
        """Keep what comes from other processes until `release`: who lives here is not known yet."""
        self._held = []

    def release(self) -> None:
        """All who live here are here."""
        held, self._held = self._held or [], None
        for payload, answer in held:
            try:
                result = self._deliver(payload)
            except NoSuchEntity as error:
                result = asyncio.get_running_loop().create_future()
                result.set_exception(error)
            if result is not None:
                result.add_done_callback(functools.partial(_pass_on, answer))

    def define(self, name: str, kind: Kind) -> None:
        """Entities of this kind may live here."""
        self._kinds[name] = kind
        self._cells[name] = {}

    def adopt(self, kind: str, key: str, entity: Entity) -> Ref:
        """Let `entity` live here; an older one under that key is replaced."""
        self._cells[kind][key] = _Cell(entity, self.clock())
        return Ref(kind, key, self.id)

    def retire(self, kind: str, key: str) -> None:
        """Forget an entity, if it is here: what still comes for it is for nobody."""
        if self._cells[kind].pop(key, None) is not None:
            if self._answers:
                self._unanswered(kind, key)
            self.retired(kind, key)

    def has(self, kind: str, key: str) -> bool:
        return key in self._cells.get(kind, ())

    def peek(self, kind: str, key: str) -> tuple[Any, int] | None:
        """An entity, and how many messages it has handled; None when it is not here."""
        cell = self._cells[kind].get(key)
        return None if cell is None else (cell.entity, cell.messages)

    def count(self, kind: str) -> int:
        return len(self._cells[kind])

    def entities(self, kind: str) -> Iterator[tuple[str, Any]]:
        """(key, entity) of all of a kind; they may come and go meanwhile."""
        for key, cell in list(self._cells[kind].items()):
            yield key, cell.entity

    def rows(self) -> list[list[Any]]:
        """[kind, key, host, age in seconds, messages handled] of every entity."""
        now = self.clock()
        return [
            [kind, key, self.id, round(now - cell.born, 1), cell.messages]
            for kind, cells in self._cells.items()
            for key, cell in cells.items()
        ]

    def tell(self, kind: str, key: str, message: Any) -> None:
        """Hand a message over; done on return, unless the entity is at work on one already."""
        cell = self._cells[kind].get(key)
        if cell is None:
            self._unknown(kind, key, message)
        elif cell.busy:
            if cell.mailbox is None:
                cell.mailbox = deque()
            cell.mailbox.append(message)
        else:
            self._run(kind, key, cell, message)

    def ask(self, kind: str, key: str, message: Any) -> asyncio.Future[Any]:
        """Hand a message over as an `Ask`; the future has the entity's Reply. Raises NoSuchEntity."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if key not in self._cells.get(kind, ()):
            future.set_exception(NoSuchEntity(f"{kind}/{key} is not on {self.id}"))
            return future
        self._token = token = self._token + 1
        self._answers[token] = (kind, key, future)
        future.add_done_callback(lambda _: self._answers.pop(token, None))
        self.tell(kind, key, Ask(token, message))
        return future

    def tell_ref(self, ref: Ref, message: Any) -> None:
        """To an entity anywhere."""
        if ref.host == self.id:
            self.tell(ref.kind, ref.key, message)
        else:
            self.links.tell(ref.host, "entity", [ref.kind, ref.key, message])

    def ask_ref(self, ref: Ref, message: Any, timeout: float = ASK_SECONDS) -> asyncio.Future[Any]:
        """From an entity anywhere. Raises LinkError and its kin; in this process no timeout is kept."""
        if ref.host == self.id:
            return self.ask(ref.kind, ref.key, message)
        return self.links.ask(ref.host, "entity", [ref.kind, ref.key, Ask(0, message)], timeout)

    def _arrived(self, peer: str, payload: list[Any]) -> asyncio.Future[Any] | None:
        del peer
        if self._held is None:
            return self._deliver(payload)
        answer = asyncio.get_running_loop().create_future() if isinstance(payload[2], Ask) else None
        self._held.append((payload, answer))
        return answer

    def _deliver(self, payload: list[Any]) -> asyncio.Future[Any] | None:
        kind, key, message = payload
        if kind not in self._kinds:
            raise NoSuchEntity(f"no {kind} lives on {self.id}")
        if isinstance(message, Ask):
            return self.ask(kind, key, message.message)
        self.tell(kind, key, message)
        return None

    def _run(self, kind: str, key: str, cell: _Cell, message: Any) -> None:
        """Work until the mailbox is empty; the entity may retire on the way."""
        cells, perform = self._cells[kind], self._kinds[kind].perform
        cell.busy = True
        try:
            while True:
                cell.messages += 1
                for effect in cell.entity.handle(message, self.clock()):
                    own = _OWN.get(effect.__class__)
                    if own is None:
                        perform(key, effect)
                    else:
                        own(self, kind, key, effect)
                if not cell.mailbox:
                    break
                if cells.get(key) is not cell:
                    self._leftover(kind, key, cell)
                    break
                message = cell.mailbox.popleft()
        except Exception as error:
            self._failed(kind, key, cell, message, error)
        finally:
            cell.busy = False

    def _leftover(self, kind: str, key: str, cell: _Cell) -> None:
        """What was still in the mailbox of an entity that is over, or of its predecessor."""
        while cell.mailbox:
            self.tell(kind, key, cell.mailbox.popleft())

    def _failed(self, kind: str, key: str, cell: _Cell, message: Any, error: Exception) -> None:
        self.failures += 1
        log.error("%s/%s on %s failed and is dropped", kind, key, self.id, exc_info=error)
        if self._cells[kind].get(key) is cell:
            self.retire(kind, key)
        failed = self._kinds[kind].failed
        try:
            if failed is not None:
                failed(key, cell.entity, message)
        except Exception:
            log.exception("%s/%s on %s: the report of its failure failed", kind, key, self.id)
        self._leftover(kind, key, cell)

    def _unknown(self, kind: str, key: str, message: Any) -> None:
        """Asks fail; anything else is for the kind to judge."""
        if isinstance(message, Ask):
            self._unanswered(kind, key)
            return
        unknown = self._kinds[kind].unknown
        if unknown is None:
            log.debug("%s/%s is not on %s", kind, key, self.id)
            return
        try:
            unknown(key, message)
        except Exception:
            log.exception("%s/%s on %s: message for an unknown entity", kind, key, self.id)

    def _unanswered(self, kind: str, key: str) -> None:
        for asked_kind, asked_key, future in list(self._answers.values()):
            if (asked_kind, asked_key) == (kind, key) and not future.done():
                future.set_exception(NoSuchEntity(f"{kind}/{key} is no longer on {self.id}"))

    def _reply(self, kind: str, key: str, effect: Reply) -> None:
        found = self._answers.pop(effect.token, None)
        if found is not None and not found[2].done():
            found[2].set_result(effect.value)

    def _retire(self, kind: str, key: str, effect: Retire) -> None:
        self.retire(kind, key)


def _pass_on(answer: asyncio.Future[Any] | None, result: asyncio.Future[Any]) -> None:
    """Whatever came of it is the answer."""
    error = result.exception()
    if answer is None or answer.done():
        return
    if error is None:
        answer.set_result(result.result())
    else:
        answer.set_exception(error)


_OWN: dict[type, Callable[[Host, str, str, Any], None]] = {Reply: Host._reply, Retire: Host._retire}
