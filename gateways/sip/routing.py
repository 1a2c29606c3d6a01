"""To which gateway does a message belong, when several share one port?

Everything of ours that a peer gives back carries its owner: the branch in a response, the tag in a request inside a
dialog, the nonce in credentials.  A message that another live gateway owns is handed over as it came; anything else is
taken by the gateway where it landed.
"""

from __future__ import annotations

import re

from gateways.sip.peers import Peers
from rayswitch.sip.digest import owner_of_nonce
from rayswitch.sip.identifiers import owner_of
from rayswitch.sip.message import Message, Request, Response
from rayswitch.sip.transactions import TransactionLayer

REFUSABLE = frozenset({"INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "OPTIONS"})
"""Methods that can begin something: they may be refused, or taken by another gateway."""
NONCE = re.compile(r'(?<![a-zA-Z])nonce\s*=\s*"([^"]*)"')


def owner(message: Message) -> str | None:
    """The short id of the host that a message names, None when it names none; BadMessage when it cannot be read."""
    if not isinstance(message, Request):
        return owner_of(message.via.branch or "")
    tag = message.to.tag
    if tag:
        return owner_of(tag)
    rows = message.get_all("proxy-authorization") or message.get_all("authorization")
    return next((whose for row in rows if (whose := nonce_owner(row))), None)


def nonce_owner(credentials: str) -> str | None:
    """The gateway that counts the uses of the nonce in these credentials."""
    found = NONCE.search(credentials)
    return owner_of_nonce(found[1]) if found else None


def taker(message: Request | Response, me: str, layer: TransactionLayer, peers: Peers) -> str:
    """The gateway whose business a message is, as `me` sees it: who is named in it, or `me`; what is new is never that
    of one that takes nothing new."""
    named = owner(message)
    whose = me if named is None else peers.owner(named)
    if not peers.drained(whose) or not is_new(message, layer):
        return whose
    return peers.stand_in() or whose if peers.drained(me) else me


def is_new(message: Request | Response, layer: TransactionLayer) -> bool:
    """Does it begin something?"""
    if not isinstance(message, Request) or message.method not in REFUSABLE or message.to.tag:
        return False
    return not layer.knows(message)
