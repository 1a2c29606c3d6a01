"""A name server on loopback for tests: answers from a table, over UDP, and counts what it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]
"""Records as text (`0 10 5060 sip.carrier.test.`) by name and type."""
SOA = "ns.test. root.test. 1 60 60 60 {seconds}"


class NameServer(asyncio.DatagramProtocol):
    """Authoritative for everything."""

    def __init__(self, zone: dict[tuple[str, str], Sequence[str]], ttl: int = 60, negative: int = 60) -> None:
        self.zone = zone
        self.ttl = ttl
        self.negative = negative
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.transport: Any = None

    async def start(self, port: int = 0) -> tuple[str, int]:
        """Its address."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", port))
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    def close(self) -> None:
        self.transport.close()

    def datagram_received(self, data: bytes, remote: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if not self.silent:
            self.transport.sendto(self.answer(query, name, kind).to_wire(), remote)

    def answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        records = self.zone.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text_list(f"{name}.", self.ttl, "IN", kind, list(records)))
        else:
            soa = SOA.format(seconds=self.negative)
            response.authority.append(dns.rrset.from_text("test.", self.negative, "IN", "SOA", soa))
            if not any(known == name for known, _ in self.zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
        return response
