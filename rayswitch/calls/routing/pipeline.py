"""The steps of the dial plan, in the order of FEATURES §3; each may end the search with a refusal.

A step is a function of the `Inquiry`, which holds both numbers as far as they have come. What `explaining.py` says of
a step is only put into words when somebody asked for an explanation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rayswitch.calls.directory import PLAIN, Directory
from rayswitch.calls.routing import explaining
from rayswitch.calls.routing.blocking import Dice, blocked
from rayswitch.calls.routing.route import ANONYMOUS, EXTENSION, GROUP, REJECT, SERVICE, Dialled, Route, Step
from rayswitch.calls.routing.tables import Tables
from rayswitch.records.extension import ExtensionOptions
from rayswitch.records.numbering import CalledNumber
from rayswitch.records.transition import change
from rayswitch.sip.reasons import REASONS

TO_EXTENSION = CalledNumber()
"""The default route."""

CLOSED = "Extension is closed"
BYPASS = "bypass"
INCOMING = "/in"
"""After the name of a line or trunk: under this its calls that come in are counted, apart from those that go out."""


class Inquiry:
    """One question on its way through the tables."""

    __slots__ = (
        "called", "caller", "dialled", "dice", "directory", "local", "options", "record", "steps", "tables",
    )  # fmt: skip

    def __init__(
        self, tables: Tables, directory: Directory, dialled: Dialled, dice: Dice, steps: list[Step] | None
    ) -> None:
        self.tables = tables
        self.directory = directory
        self.dialled = dialled
        self.dice = dice
        self.steps = steps
        self.caller = dialled.caller or ANONYMOUS
        self.called = dialled.called
        account = directory.get(dialled.rights)
        self.local = account is not None
        """Is it an extension of ours who asks?"""
        self.options = account.options if account else PLAIN
        self.record = TO_EXTENSION

    def tell(self, words: Callable[..., Step], *about: Any) -> None:
        """Note a step, if anybody wants to know."""
        if self.steps is not None:
            self.steps.append(words(self, *about))


def decide(
    tables: Tables, directory: Directory, dialled: Dialled, dice: Dice, steps: list[Step] | None = None
) -> Route:
    """The route of a call; `steps`, when given, gets what led to it."""
    inquiry = Inquiry(tables, directory, dialled, dice, steps)
    route = verdict(inquiry)
    inquiry.tell(explaining.route, route)
    return route


def verdict(inquiry: Inquiry) -> Route:
    """All steps, then the route; or the first refusal."""
    for step in STEPS:
        refusal = step(inquiry)
        if refusal is not None:
            return refusal
    return ROUTES[inquiry.record.route](inquiry)


def reject(status: int, reason: str, q850: int = 0) -> Route:
    """A refusal."""
    return Route(REJECT, status=status, reason=reason, q850=q850)


# -- steps -------------------------------------------------------------------------------------------------------------


def screen(inquiry: Inquiry) -> Route | None:
    """Only numbers of ours: what has a host in it is an address in somebody else's domain."""
    return reject(404, "Unknown domain", 1) if "@" in inquiry.called else None


def block(inquiry: Inquiry) -> Route | None:
    """Call blocking, over both numbers as they came in."""
    record = inquiry.tables.blocks.decisive(inquiry.caller, inquiry.called)
    refused = blocked(record, inquiry.dice)
    inquiry.tell(explaining.block, record, refused)
    return reject(403, "Call blocked", 21) if refused else None


def analyse_caller(inquiry: Inquiry) -> Route | None:
    """The caller number as it is seen inside."""
    record = inquiry.tables.callers.find(inquiry.caller)
    if record is not None:
        inquiry.caller = change(inquiry.caller, record.transition)
    inquiry.tell(explaining.analyse_caller, record)
    return None


def analyse_called(inquiry: Inquiry) -> Route | None:
    """The record that says where the call goes, and whether its caller may."""
    record = inquiry.tables.called.find(inquiry.called)
    if record is None or not record.prefix:
        record = default(inquiry, record or TO_EXTENSION)
    inquiry.record = record
    inquiry.called = change(inquiry.called, record.transition)
    inquiry.tell(explaining.analyse_called, record)
    if record.level and record.level not in inquiry.options.levels:
        return reject(403, f"Call level {record.level} needed", 21)
    return None if inquiry.called else reject(484, "Address Incomplete", 28)


def default(inquiry: Inquiry, otherwise: CalledNumber) -> CalledNumber:
    """Of a number that no prefix is about: an extension, else something outside, else `otherwise`."""
    number = inquiry.called
    if inquiry.directory.get(number) is not None:
        return TO_EXTENSION
    outgoing = inquiry.tables.outgoing
    if outgoing is not None and inquiry.local and number.startswith(outgoing.prefix):
        return outgoing
    return otherwise


def admit(inquiry: Inquiry) -> Route | None:
    """An extension that is closed calls nobody."""
    options = inquiry.options
    if options.max_calls != 0 and options.max_outgoing_calls != 0:
        return None
    return reject(403, CLOSED if options.max_calls == 0 else "No outgoing calls", 21)


STEPS: tuple[Callable[[Inquiry], Route | None], ...] = (screen, block, analyse_caller, analyse_called, admit)


# -- routes ------------------------------------------------------------------------------------------------------------


def to_extension(inquiry: Inquiry) -> Route:
    """To an extension, unless there is none of that number, or it is closed."""
    number = inquiry.record.target or inquiry.called
    account = inquiry.directory.get(number)
    if account is None:
        return reject(404, "No such number", 1)
    options = account.options
    if options.max_calls == 0:
        return reject(403, CLOSED, 21)
    route = Route(EXTENSION, inquiry.directory.aor(number), inquiry.caller, number, limits=limits_of_caller(inquiry))
    if options is not PLAIN:
        fit(route, options, inquiry)
    return route


def fit(route: Route, options: ExtensionOptions, inquiry: Inquiry) -> None:
    """What the called extension wants."""
    if options.max_calls is not None:
        route.limits.append([route.name, False, options.max_calls, None])
    route.bypass = options.media == BYPASS and inquiry.options.media == BYPASS
    route.no_answer = options.no_answer
    route.address = list(options.address or ())


def to_group(inquiry: Inquiry) -> Route:
    """To a member of an outgoing group, with both numbers as its carriers want them."""
    name = inquiry.record.target
    group = inquiry.tables.groups.get(name)
    if group is None or not group.members:
        return reject(503, f"No line or trunk in group {name}", 34)
    refine(inquiry, name)
    members, limits = list(group.members), limits_of_caller(inquiry)
    bypass = inquiry.options.media == BYPASS
    return Route(GROUP, name, inquiry.caller, inquiry.called, members, limits=limits, bypass=bypass)


def refine(inquiry: Inquiry, group: str) -> None:
    """Both numbers for this group: the caller first."""
    tables = inquiry.tables.refinements
    for which in ("caller", "called"):
        number = getattr(inquiry, which)
        table = tables.get((which, group))
        record = table.find(number) if table is not None else None
        if record is not None:
            setattr(inquiry, which, change(number, record.transition))
        inquiry.tell(explaining.refine, which, record)


def to_service(inquiry: Inquiry) -> Route:
    """To a service, which goes on from here."""
    return Route(SERVICE, inquiry.record.target, inquiry.caller, inquiry.called, limits=limits_of_caller(inquiry))


def to_nobody(inquiry: Inquiry) -> Route:
    """A record that rejects."""
    status = inquiry.record.status
    return reject(status, inquiry.record.note or REASONS.get(status, "Rejected"))


def limits_of_caller(inquiry: Inquiry) -> list[list[Any]]:
    """What has to be counted on the caller's side."""
    options, incoming = inquiry.options, inquiry.tables.incoming.get(inquiry.dialled.rights)
    if incoming is not None:
        return [[f"{inquiry.dialled.rights}{INCOMING}", True, None, incoming]]
    if options.max_calls is None and options.max_outgoing_calls is None:
        return []
    return [[inquiry.directory.aor(inquiry.dialled.rights), True, options.max_calls, options.max_outgoing_calls]]


ROUTES: dict[str, Callable[[Inquiry], Route]] = {
    "extension": to_extension,
    "line group": to_group,
    "trunk group": to_group,
    "service": to_service,
    "reject": to_nobody,
}
