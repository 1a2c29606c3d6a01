"""The name server's client: asks the questions of `rayswitch/lines/resolving.py`, keeps answers for their TTL.

dnspython does the asking; it is loaded when the first name is looked up, so that a switch whose carriers are all
addresses does without.  Names of /etc/hosts come first, as with any other program.  Several who ask the same at once
ask once.  What is not there is remembered for as long as its zone says (RFC 2308), a name server that does not answer
for some seconds; what was known before is used on for a day then, for a carrier that can be reached is better than a
rule that was kept.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rayswitch.lines.resolving import FAMILIES, Answers, Naptr, Question, Server, Srv, numeric, servers_of
from rayswitch.sip.flow import Address
from rayswitch.sip.uri import Uri

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

log = logging.getLogger(__name__)

LIFETIME = 5.0
"""Seconds that one question may take, over all name servers."""
SHORTEST, LONGEST = 1.0, 86400.0
"""Seconds that an answer is kept, whatever its TTL says."""
NOWHERE = 30.0
"""Seconds that "there is no such thing" is kept when the zone does not say."""
AWAY = 5.0
"""Seconds until a name server that does not answer is asked again."""
MOST_NAMES = 10_000
HOSTS = Path("/etc/hosts")


@dataclass(slots=True)
class Kept:
    """Records, and until when (by our clock) they are good."""

    records: Answers
    until: float


class Names:
    """Looks names up; `servers` are the name servers, those of /etc/resolv.conf when there are none."""

    def __init__(self, servers: Sequence[Address], clock: Callable[[], float]) -> None:
        self.servers = servers
        self.clock = clock
        self.kept: dict[Question, Kept] = {}
        self.asking: dict[Question, asyncio.Future[Kept]] = {}
        self.failing: set[Question] = set()
        """What no name server answered when it was asked last, and nothing is known of."""
        self.resolver: Resolver | None = None
        self.asked = 0

    async def servers_of(
        self, uri: Uri, transports: Sequence[str], families: Sequence[int], seed: str
    ) -> tuple[list[Server], float]:
        """The servers behind a URI (RFC 3263), and for how many seconds that is good; `seed` draws the lots, so that
        the same asker gets the same order again."""
        lot = random.Random(seed)
        steps = servers_of(uri, transports, families, lot.random)
        until = self.clock() + LONGEST
        answer: Answers | None = None
        try:
            while True:
                question = next(steps) if answer is None else steps.send(answer)
                kept = await self.answer(question)
                answer, until = kept.records, min(until, kept.until)
        except StopIteration as end:
            return end.value, max(SHORTEST, until - self.clock())

    async def answer(self, question: Question) -> Kept:
        """From memory, or asked."""
        question = Question(question.name.lower().rstrip("."), question.type)
        kept = self.kept.get(question)
        if kept is not None and kept.until > self.clock():
            return kept
        waiting = self.asking.get(question)
        if waiting is None:
            waiting = self.asking[question] = asyncio.ensure_future(self.ask(question))
            waiting.add_done_callback(lambda done: self.asking.pop(question, None))
        return await asyncio.shield(waiting)

    async def ask(self, question: Question) -> Kept:
        """Over the network; never an exception."""
        local = in_hosts(question)
        if local:
            return Kept(local, self.clock() + AWAY)
        self.asked += 1
        try:
            records, seconds = await self.query(question)
        except Exception as error:
            log.warning("%s of %s cannot be looked up: %s", question.type, question.name, error)
            old = self.kept.get(question)
            if old is not None and self.clock() < old.until + LONGEST:
                return Kept(old.records, self.clock() + AWAY)
            self.failing.add(question)
            return Kept([], self.clock() + AWAY)
        self.failing.discard(question)
        if len(self.kept) >= MOST_NAMES:
            self.kept.clear()
            self.failing.clear()
        kept = self.kept[question] = Kept(records, self.clock() + min(max(seconds, SHORTEST), LONGEST))
        return kept

    async def query(self, question: Question) -> tuple[Answers, float]:
        """The records, and their TTL; raises what dnspython raises when nobody answers."""
        import dns.name
        import dns.resolver

        if self.resolver is None:
            self.resolver = await asyncio.to_thread(make_resolver, self.servers)
        name = dns.name.from_text(question.name)
        try:
            answer = await self.resolver.resolve(name, question.type, raise_on_no_answer=False, lifetime=LIFETIME)
        except dns.resolver.NXDOMAIN as error:
            return [], negative(list(error.kwargs["responses"].values()))
        if answer.rrset is None:
            return [], negative([answer.response])
        read = READERS[question.type]
        return [read(record) for record in answer.rrset], float(min(answer.chaining_result.minimum_ttl, LONGEST))


def make_resolver(servers: Sequence[Address]) -> Resolver:
    """dnspython's client, which reads /etc/resolv.conf unless it is told whom to ask."""
    import dns.asyncresolver
    from dns.nameserver import Do53Nameserver

    resolver = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        resolver.nameservers = [Do53Nameserver(host, port) for host, port in servers]
    return resolver


def negative(responses: Sequence[Any]) -> float:
    """Seconds for which the zone says that there is nothing (RFC 2308 §5)."""
    import dns.rdatatype

    for response in responses:
        for rrset in response.authority:
            if rrset.rdtype == dns.rdatatype.SOA:
                return float(min(rrset.ttl, rrset[0].minimum))
    return NOWHERE


def text(name: Any) -> str:
    """A name without the dot at its end; the root is empty."""
    return str(name.to_text(omit_final_dot=True)) if len(name) > 1 else ""


READERS: dict[str, Callable[[Any], Any]] = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "SRV": lambda record: Srv(record.priority, record.weight, record.port, text(record.target)),
    "NAPTR": lambda record: Naptr(
        record.order,
        record.preference,
        record.flags.decode(),
        record.service.decode("latin-1"),
        text(record.replacement),
    ),
}


def in_hosts(question: Question) -> list[str]:
    """What /etc/hosts says."""
    family = FAMILIES.get(question.type)
    if family is None:
        return []
    try:
        changed = HOSTS.stat().st_mtime_ns
    except OSError:
        return []
    addresses = hosts(HOSTS, changed).get(question.name, [])
    return [address for address in addresses if (6 if ":" in address else 4) == family]


@lru_cache(maxsize=2)
def hosts(path: Path, changed: int) -> dict[str, list[str]]:
    """Addresses by name, read again when the file has changed."""
    del changed
    found: dict[str, list[str]] = {}
    for line in path.read_text(errors="replace").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if numeric(address):
            for name in names:
                found.setdefault(name.lower(), []).append(address)
    return found
