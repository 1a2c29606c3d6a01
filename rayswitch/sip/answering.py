"""The client's side of digest authentication (RFC 3261 §22.2, RFC 7616): challenges are kept and answered again.

A nonce is used until its server wants another one, with a count that rises (§22.4), so that most requests are
authenticated at once.  `nextnonce` (RFC 7616 §3.5) replaces it without a refusal.  A challenge that comes although an
answer to a fresh one was given means that the secret is wrong; asking again would only get us banned.
"""

from __future__ import annotations

from collections.abc import Callable

from rayswitch.sip.digest import answer
from rayswitch.sip.grammar import BadMessage, quote, split, unquote
from rayswitch.sip.message import Response

HEADERS = {401: ("www-authenticate", "authorization"), 407: ("proxy-authenticate", "proxy-authorization")}
MOST_ANSWERS = 3
"""Challenges of one request that are answered: that of a proxy, that of the registrar, one that was stale."""
CNONCE = 8


class Answering:
    """The challenges that were met with one user and secret; `token(n)` gives random octets."""

    def __init__(self, user: str, secret: str, token: Callable[[int], bytes]) -> None:
        self.user = user
        self.secret = secret
        self.token = token
        self.offers: dict[int, list[str]] = {}
        """Challenges by the status that they came with."""
        self.uses: dict[int, int] = {}
        """How often the nonce of each has been used."""

    def __repr__(self) -> str:
        return f"<Answering {self.user!r}>"

    def learn(self, status: int, challenges: list[str]) -> bool:
        """Take new challenges; False when none of them can be answered."""
        self.offers[status] = challenges
        self.uses[status] = 0
        try:
            if self.row(status, "REGISTER", "sip:localhost", 1) is not None:
                return True
        except BadMessage:
            pass
        del self.offers[status]
        return False

    def rows(self, method: str, uri: str) -> list[tuple[str, str]]:
        """The credentials for a request, one row for each server that asked so far."""
        rows = []
        for status in self.offers:
            self.uses[status] += 1
            row = self.row(status, method, uri, self.uses[status])
            if row is not None:
                rows.append((HEADERS[status][1], row))
        return rows

    def row(self, status: int, method: str, uri: str, count: int) -> str | None:
        return answer(self.offers[status], self.user, self.secret, method, uri, self.token(CNONCE).hex(), count)

    def accepted(self, response: Response) -> None:
        """A request went through: perhaps the next one shall use another nonce."""
        following = parameter(response.get("authentication-info") or "", "nextnonce")
        offers = self.offers.get(401)
        if following and offers and len(offers) == 1:
            self.offers[401] = [with_nonce(offers[0], following)]
            self.uses[401] = 0


def challenges(response: Response) -> list[str]:
    """The challenges of a 401 or 407: a header row each, or several in one row."""
    return response.get_all(HEADERS[response.status][0])


def is_stale(challenges: list[str]) -> bool:
    """Was only the nonce too old?"""
    return any((parameter(text.partition(" ")[2], "stale") or "").lower() == "true" for text in challenges)


def parameter(text: str, name: str) -> str | None:
    """A parameter of `name=value, name="value"`."""
    for piece in split(text, ","):
        key, _, value = piece.partition("=")
        if key.strip().lower() == name:
            return unquote(value.strip())
    return None


def with_nonce(challenge: str, nonce: str) -> str:
    """The same challenge with another nonce."""
    scheme, _, text = challenge.partition(" ")
    kept = [piece for piece in split(text, ",") if piece.partition("=")[0].strip().lower() != "nonce"]
    return f"{scheme} {', '.join([*kept, f'nonce={quote(nonce)}'])}"
