"""An INVITE that takes the place of another half call (RFC 3891): the last step of an attended transfer.

    INVITE, Replaces → its offer goes to the one who stays, as a re-INVITE → his 2xx → 200 to the new one, BYE to the
                                                                                       one who was there
                                                           → his refusal: the new one gets it, all is as before

Whoever can name a Call-ID and both of its tags knows the call: they are random, and only its two sides have them.
A call that nobody has answered yet has no half call that could be taken (§3: 481). When it is another call of ours
that wants it so, because its transfer was ordered too early, this call is given up and the other one rings anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.carried import user_part
from rayswitch.calls.effects import Respond
from rayswitch.calls.events import Replacing
from rayswitch.calls.features import entering, exchange, limits, release, session_timer
from rayswitch.calls.features.entering import DECLINED, Entering
from rayswitch.calls.inside import is_inside
from rayswitch.calls.leg import Leg
from rayswitch.calls.next_hop import family
from rayswitch.calls.replaces import Replaces
from rayswitch.sip.dialog import Dialog
from rayswitch.sip.message import BadMessage, respond

if TYPE_CHECKING:
    from rayswitch.calls.call import Call

AGAIN = 0.2
TRIES = 25
"""Seconds between two looks at a call that is busy with an offer, and how often: who transfers has just put it on
hold."""
GLARE, COLLISION = (2.1, 4.0), 10
"""Seconds after which the one who stays is asked again when he has an offer of his own, and how many looks that
counts for."""


class Replacement(exchange.Exchange):
    """The exchange that ends with `asker` in the `place` of another."""

    __slots__ = ("entry",)

    place: Leg

    def __init__(self, entry: Entering, peer: Leg, late: bool) -> None:
        super().__init__(entry.new, entry.event, peer, late)
        self.place = entry.leg
        self.entry = entry

    def agreed(self, call: Call) -> None:
        """The one who stays has said yes."""
        new, leg = self.asker, self.place
        assert new is not None and call.record is not None and call.media is not None
        call.record.legs[new.index - 1][2] = 200
        if not self.entry.gone:
            release.bye_to(call, leg, None)
        if leg is call.a:
            call.a = new
        else:
            call.b = new
        call.media.families[new.side] = family(new.flow)
        limits.leave(call, leg.side)
        call.record.marks.append(f"{new.number or 'anonymous'} in the place of {leg.number}")

    def introduces(self, call: Call) -> exchange.Rows:
        """Another call of ours hears who it is: all that its phone knows may be an address of ours."""
        assert self.asker is not None
        return introduction(call, self.peer.number) if is_inside(self.asker.flow) else ()

    def left(self, leg: Leg) -> bool:
        """He does what he would have been told to do."""
        self.entry.gone = self.entry.gone or leg is self.place
        return leg is self.place

    def refuse(self, call: Call, status: int, headers: exchange.Rows = ()) -> None:
        """It fails, unless the one who stays only has an offer of his own under way (RFC 3261 §14.1); without the one
        whose place it was there is no call."""
        assert self.asker is not None and call.record is not None
        if status == 491 and self.entry.tries >= COLLISION and call.phase == "answered":
            call.exchange = None
            entering.wait(call, self.entry, call.pause(*GLARE), COLLISION)
            return
        row = call.record.legs[self.asker.index - 1]
        row[2] = row[2] or status
        super().refuse(call, status, headers)
        if self.entry.gone:
            release.end(call, self.place.side, 200, "BYE", spare=self.place)


def asked(call: Call, event: Replacing) -> None:
    """Whose place is it, and can it be taken?"""
    try:
        wanted = Replaces.of(event.request)
        leg = dialog_of(call, wanted) if wanted else None
    except BadMessage as error:
        refuse(call, event, error.status, error.reason)
        return
    if wanted is None or leg is None:
        refuse(call, event, 481)
    elif call.phase == "answered":
        refuse(call, event, 486) if wanted.early_only else enter(call, event, leg)
    elif call.phase == "ending":
        refuse(call, event, DECLINED)
    elif is_inside(event.flow):
        release.give_up(call, None)
        refuse(call, event, 481, headers=introduction(call, call.record.dialled if call.record else ""))
    else:
        refuse(call, event, 481)


def dialog_of(call: Call, wanted: Replaces) -> Leg | None:
    """The half call that is meant."""
    for leg in (call.a, call.b):
        dialog = leg.dialog if leg is not None else None
        if dialog is not None and (dialog.call_id, dialog.local_tag, dialog.remote_tag) == wanted[:3]:
            return leg
    return None


def introduction(call: Call, number: str) -> exchange.Rows:
    """Who is reached by this call (RFC 3325 §9.1)."""
    return (("p-asserted-identity", f"<sip:{user_part(number)}@{call.settings.domain}>"),) if number else ()


def refuse(call: Call, event: Replacing, status: int, reason: str | None = None, headers: exchange.Rows = ()) -> None:
    """Nothing has changed."""
    response = respond(event.request, status, reason, to_tag=call.ids.loose_tag(), headers=headers)
    call.out.append(Respond(event.server, response))


def enter(call: Call, event: Replacing, leg: Leg) -> None:
    """A half call of its own for the new one, in the record, too."""
    assert call.record is not None
    brief = session_timer.too_brief(call, event.request)
    if brief:
        refuse(call, event, 422, headers=brief)
        return
    request = event.request = event.request.copy()
    new = Leg(len(call.record.legs) + 1, event.flow)
    tag = call.ids.tag(call.id, new.index)
    try:
        new.dialog = Dialog.uas(request, tag)
    except BadMessage as error:
        refuse(call, event, error.status, error.reason)
        return
    request.set("to", f"{request.get('to')};tag={tag}")  # every answer to it is in this dialog
    new.side, new.number, new.rights = leg.side, event.caller, event.rights
    new.hear(request)
    call.record.legs.append([new.index, new.dialog.target, 0])
    begin(call, Entering(event, leg, new, TRIES))


def begin(call: Call, entry: Entering) -> None:
    """Its offer to the one who stays, as soon as nothing else is under way."""
    leg = entry.leg
    peer = call.peer_of(leg)
    if call.phase != "answered" or peer is None or call.leg(leg.index) is not leg:
        entering.turn_away(call, entry, DECLINED)
    elif not is_busy(call, leg, peer):
        exchange.begin(call, entry.event, lambda late: Replacement(entry, peer, late))
    elif entry.tries:
        entering.wait(call, entry, AGAIN)
    else:
        entering.turn_away(call, entry, 491)


def begin_again(call: Call, entry: Entering) -> None:
    """Is there time for it now, and does it still want the place?"""
    if entry in call.entering:
        call.entering.remove(entry)
        begin(call, entry)


def is_busy(call: Call, leg: Leg, peer: Leg) -> bool:
    """Is an offer, an ACK, a transfer or a port awaited?"""
    waits = call.exchange or call.attempt or leg.unacknowledged or peer.unacknowledged
    return bool(waits) or not call.ports_free


EVENTS = {Replacing: asked}
TIMERS = {"replace": begin_again}
