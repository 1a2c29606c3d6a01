"""Counts calls against limits, wherever the calls are: `OccupancyDesk` asks the home of a name, and is one itself.

Each process keeps a ledger of what its own calls are counted for. Whenever a link to a home comes up it tells that
home all that it has there; so a home that was restarted knows it again, and one that outlived us forgets what died with
our predecessor. A call that is taken up after a restart says itself what it holds.

A home that does not answer lets the call through: a switch that cannot count is better than one that cannot call. What
it did not hear of stands in the ledger, and so it learns of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from actors.link import LinkError, Links
from actors.placement import Placement
from actors.tasks import Tasks
from rayswitch.calls.occupancy import Occupancy, Use

log = logging.getLogger(__name__)

ASK_SECONDS = 1.0
LATE = 0.05
"""Seconds. That a call is over travels from its host to the home of the name, while a phone that has ended it may dial
anew by another gateway: the second can come first."""
TOPIC = "occupancy"
Done = Callable[[list[list[Any]], list[Any] | None], None]
"""Takes what a call is counted for, as [name, outgoing], and the one for which it is not, if there is one."""


class OccupancyDesk:
    """For the calls of host `me`; names have their homes where `placement` says."""

    def __init__(self, me: str, links: Links, placement: Placement) -> None:
        self.me = me
        self.links = links
        self.placement = placement
        self.counted: Occupancy | None = None
        """Set when this host is a home."""
        self.ledger: dict[str, list[tuple[str, bool]]] = {}
        """By call id: the names that it is counted for, and whether it goes out from there."""
        self.tasks = Tasks()
        links.on_up(lambda peer, epoch, is_new: self.announce(peer))

    def serve(self) -> None:
        """This host is a home: count what the others tell, too."""
        self.counted = Occupancy()
        self.links.on(TOPIC, self.asked)

    def seize(self, id: str, rows: list[list[Any]], done: Done) -> None:
        """Count the call `id` for all `rows` (see `Admit`) or for none; `free` gives them back."""
        if self.counted is not None and all(self.placement.home(row[0]) == self.me for row in rows):
            answers = [self.seized(id, row) for row in rows]
            if all(answers):
                self.settle(id, rows, answers, done)
                return
        self.tasks.spawn(self.ask(id, rows, done))

    async def ask(self, id: str, rows: list[list[Any]], done: Done) -> None:
        """The homes, over their links. What is under way stands in the ledger: it may have been counted."""
        held = self.ledger.setdefault(id, [])
        held += [(row[0], row[1]) for row in rows]
        answers = [await self.asked_for(id, row) for row in rows]
        if self.ledger.get(id) is held:
            for row in rows:
                held.remove((row[0], row[1]))
            self.settle(id, rows, answers, done)
        else:  # the call is over
            self.give_back(id, [(row[0], row[1]) for row in rows])

    async def asked_for(self, id: str, row: list[Any]) -> bool:
        """May the call be one more of this name? A no is asked for twice (see `LATE`)."""
        if await self.ask_home(id, row):
            return True
        await asyncio.sleep(LATE)
        return await self.ask_home(id, row)

    async def ask_home(self, id: str, row: list[Any]) -> bool:
        """Once."""
        home = self.placement.home(row[0])
        if home == self.me and self.counted is not None:
            return self.seized(id, row)
        name, outgoing, most, most_outgoing = row
        try:
            question = ["seize", name, id, outgoing, most, most_outgoing]
            return bool(await self.links.ask(home, TOPIC, question, ASK_SECONDS))
        except LinkError as error:
            log.warning("%s does not count the calls of %s, which go on: %s", home, name, error)
            return True

    def seized(self, id: str, row: list[Any]) -> bool:
        """May it, when that is for us to say?"""
        assert self.counted is not None
        name, outgoing, most, most_outgoing = row
        return self.counted.seize(name, (id, outgoing), self.me, most, most_outgoing)

    def settle(self, id: str, rows: list[list[Any]], answers: list[bool], done: Done) -> None:
        """All of them are ours, or what we have got goes back."""
        got = [row[:2] for row, allowed in zip(rows, answers, strict=True) if allowed]
        self.ledger.setdefault(id, []).extend((name, outgoing) for name, outgoing in got)
        if len(got) == len(rows):
            done(got, None)
            return
        self.free(id, [(name, outgoing) for name, outgoing in got])
        done([], rows[answers.index(False)][:2])

    async def count(self, name: str) -> int:
        """Calls of a name, wherever they are; 0 when nobody knows."""
        home = self.placement.home(name)
        if home == self.me and self.counted is not None:
            return self.counted.count(name)[0]
        try:
            return int(await self.links.ask(home, TOPIC, ["count", name], ASK_SECONDS))
        except LinkError:
            return 0

    def hold(self, id: str, rows: Iterable[tuple[str, bool]]) -> None:
        """A call that was taken up again is counted for these."""
        for name, outgoing in rows:
            self.ledger.setdefault(id, []).append((name, outgoing))
            self.tell(["hold", name, id, outgoing])

    def free(self, id: str, rows: Iterable[tuple[str, bool]] | None = None) -> None:
        """The call is counted for these no more, or for nothing."""
        held = self.ledger.get(id, [])
        gone = held if rows is None else list(rows)
        left = [row for row in held if row not in gone]
        if left:
            held[:] = left
        else:
            self.ledger.pop(id, None)
        self.give_back(id, gone)

    def give_back(self, id: str, rows: Iterable[tuple[str, bool]]) -> None:
        """Their homes hear that the call is not counted for these."""
        for name, outgoing in rows:
            self.tell(["free", name, id, outgoing])

    def tell(self, order: list[Any]) -> None:
        """To the home of the name; one that is away hears all of it when it is back."""
        home = self.placement.home(order[1])
        if home == self.me and self.counted is not None:
            ORDERS[order[0]](self.counted, self.me, *order[1:])
        elif self.links.alive(home):
            self.links.tell(home, TOPIC, order)

    def asked(self, peer: str, order: list[Any]) -> Any:
        """Another host has a call of somebody who has his home here."""
        assert self.counted is not None
        return ORDERS[order[0]](self.counted, peer, *order[1:])

    def announce(self, peer: str) -> None:
        """Tell a home all that we hold there."""
        if peer in self.placement.hosts and peer != self.me:
            self.links.tell(peer, TOPIC, ["holding", self.held_at(peer)])

    def held_at(self, home: str) -> list[list[Any]]:
        """[name, call id, outgoing] of everything whose home that is."""
        rows = ((name, id, outgoing) for id, held in self.ledger.items() for name, outgoing in held)
        return [list(row) for row in rows if self.placement.home(row[0]) == home]

    def moved(self, gone: Iterable[str] = ()) -> None:
        """Homes have changed: tell each of them what is its own now; hosts that are given up have no calls."""
        for host in gone:
            if self.counted is not None:
                self.counted.holding(host, ())
        if self.counted is not None:
            holding(self.counted, self.me, self.held_at(self.me))
        for peer in self.placement.hosts:
            if self.links.alive(peer):
                self.announce(peer)

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        self.tasks.cancel()


def seize(counted: Occupancy, host: str, name: str, id: str, out: bool, most: int | None, most_out: int | None) -> bool:
    return counted.seize(name, (id, out), host, most, most_out)


def hold(counted: Occupancy, host: str, name: str, id: str, outgoing: bool) -> None:
    counted.hold(name, (id, outgoing), host)


def free(counted: Occupancy, host: str, name: str, id: str, outgoing: bool) -> None:
    counted.free(name, (id, outgoing))


def count(counted: Occupancy, host: str, name: str) -> int:
    return counted.count(name)[0]


def holding(counted: Occupancy, host: str, rows: list[list[Any]]) -> None:
    uses: list[tuple[str, Use]] = [(name, (id, outgoing)) for name, id, outgoing in rows]
    counted.holding(host, uses)


ORDERS: dict[str, Callable[..., Any]] = {
    "seize": seize,
    "hold": hold,
    "free": free,
    "holding": holding,
    "count": count,
}
