"""A line at work: its registration machine on the sockets of a gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actors.outside.peer import Ground, Peer
from rayswitch.calls.leg import contact
from rayswitch.lines import effects as fx
from rayswitch.lines.account import Account
from rayswitch.lines.events import Answered, Due, Reach, Stop, Unanswered
from rayswitch.lines.registering import Registering
from rayswitch.records.lines import Line, Trunk
from rayswitch.sip.message import Response
from rayswitch.sip.uri import Uri

__all__ = ["LineAtWork"]

log = logging.getLogger(__name__)


class LineAtWork(Peer):
    """The line of a record."""

    def __init__(self, member: str, record: Line, ground: Ground) -> None:
        super().__init__(member, record, record.proxy or record.registrar, ground)
        self.machine = Registering(account_of(record), ground.gateway.layer.ids)
        self.number = record.number or record.user

    def goes_on_with(self, record: Line | Trunk) -> bool:
        """Only a line that registers anew has to be begun anew."""
        if not isinstance(record, Line) or account_of(record) != self.machine.account:
            return False
        self.record = record
        return True

    def follow(self, former: Peer) -> None:
        """What that one has registered is replaced by the first REGISTER of this one: removed in a transaction of its
        own it might go after that, and take the same contact with it."""
        if isinstance(former, LineAtWork) and former.machine.account.binds_as(self.machine.account):
            self.machine.former = [*former.machine.former, *former.machine.contacts]
            former.followed = True

    def resolved(self) -> None:
        """Registered is the address that the registrar sees us at."""
        flow = self.way()
        if flow is not None:
            self.tell(Reach([contact(self.number, flow)[1:-1]]))
        else:
            self.trouble_is("its registrar has no address that a listener of ours reaches")

    def tell(self, event: Any) -> None:
        """One event of the machine."""
        for effect in self.machine.handle(event, self.ground.gateway.clock()):
            PERFORM[type(effect)](self, effect)

    def answered(self, number: int, response: Response) -> None:
        self.tell(Answered(number, response))

    def unanswered(self, number: int, why: str) -> None:
        self.tell(Unanswered(number, why))

    def trouble(self) -> str:
        return "" if self.machine.registered else f"is not registered: {self.machine.detail}"

    def route(self) -> list[str]:
        """The way that the registrar wants (RFC 3608), else the proxy."""
        return self.machine.service_route or list(self.machine.account.route)

    def trouble_is(self, what: str) -> None:
        """For the operator."""
        remedy = "Calls by this line are refused meanwhile, or go to the next of its group. See rayswitch lines"
        self.ground.alarms.up(self.member, f"{self.member}: {what}", remedy)

    # -- effects -------------------------------------------------------------------------------------------------------

    def register(self, effect: fx.Register) -> None:
        self.send(effect.number, effect.request)

    def wake(self, effect: fx.Wake) -> None:
        self.ground.wheel.start(effect.delay, self.due, effect.serial)

    def due(self, serial: int) -> None:
        if not self.closed:
            self.tell(Due(serial))

    def changed(self, effect: fx.Changed) -> None:
        if effect.registered:
            self.ground.alarms.down(self.member, f"{self.member} is registered")
        elif not self.closed:
            self.trouble_is(effect.detail)

    def warn(self, effect: fx.Warn) -> None:
        log.warning("%s: %s", self.member, effect.text)

    def done(self, effect: fx.Done) -> None:
        """Nothing is registered any more."""
        super().close()

    def close(self) -> None:
        """Un-register; what is answered to that is for nobody."""
        self.ground.alarms.down(self.member, f"{self.member} is no more")
        super().close()
        if not self.followed:
            self.tell(Stop())


def account_of(record: Line) -> Account:
    """What the record says of the registration."""
    registrar = record.registrar or record.proxy
    return Account(
        f"sip:{record.number or record.user}@{record.domain or Uri.parse(registrar).host}",
        registrar,
        record.user,
        record.secret,
        record.expires,
        record.register_same_dialog,
        (f"<{record.proxy};lr>",) if record.proxy else (),
    )


PERFORM: dict[type, Callable[[LineAtWork, Any], None]] = {
    fx.Register: LineAtWork.register,
    fx.Wake: LineAtWork.wake,
    fx.Changed: LineAtWork.changed,
    fx.Warn: LineAtWork.warn,
    fx.Done: LineAtWork.done,
}
