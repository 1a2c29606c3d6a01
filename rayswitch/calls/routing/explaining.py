"""The steps of a decision in words, for `rayswitch route`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rayswitch.calls.routing.route import GROUP, REJECT, Route, Step
from rayswitch.records.numbering import ANY, Block, CalledNumber, CallerNumber, Refinement
from rayswitch.records.transition import Transition

if TYPE_CHECKING:
    from rayswitch.calls.routing.pipeline import Inquiry


def block(inquiry: Inquiry, record: Block | None, refused: bool) -> Step:
    """Every record that fits, the decisive one first."""
    if record is None:
        return Step("call blocking", "no record fits: let through", [])
    fate = RATES.get(
        record.rate, f"{record.rate} of 100 calls are refused, this one is {'' if refused else 'not '}one of them"
    )
    fitting = inquiry.tables.blocks.fitting(inquiry.caller, inquiry.called)
    return Step("call blocking", f"{blocking(record)} decides: {fate}", [blocking(other) for other in fitting])


RATES = {0: "let through", 100: "refused"}


def blocking(record: Block) -> str:
    """A record in a line."""
    note = f" ({record.note})" if record.note else ""
    return f"caller {record.caller or ANY}, called {record.called or ANY}, rate {record.rate}{note}"


def analyse_caller(inquiry: Inquiry, record: CallerNumber | None) -> Step:
    return Step("analyse the caller number", changed(inquiry.caller, record, "no prefix fits"), [])


def analyse_called(inquiry: Inquiry, record: CalledNumber) -> Step:
    """Why this record, what it demands, and what the caller has."""
    number = inquiry.dialled.called
    where = f"{record.route} {record.target}".rstrip()
    details = [f"call level {record.level} is demanded, the caller has {held(inquiry)}"] if record.level else []
    if record.note:
        details.append(record.note)
    how = source(inquiry, record, number)
    return Step("analyse the called number", f"{how}: {where}{applied(record.transition, inquiry.called)}", details)


def source(inquiry: Inquiry, record: CalledNumber, number: str) -> str:
    """Where a record of the called number comes from."""
    if record.prefix:
        return f"outgoing prefix {record.prefix}" if record is inquiry.tables.outgoing else f"prefix {record.prefix}"
    if inquiry.tables.called.get("") is record:
        return f"prefix {ANY}"
    return "an extension" if inquiry.directory.get(number) else "no prefix fits, the default route"


def held(inquiry: Inquiry) -> str:
    """The levels of the caller."""
    return ", ".join(str(level) for level in sorted(inquiry.options.levels)) or "none"


def refine(inquiry: Inquiry, which: str, record: Refinement | None) -> Step:
    number: str = getattr(inquiry, which)
    return Step(f"refine the {which} number", changed(number, record, "no prefix fits"), [])


def changed(number: str, record: CallerNumber | Refinement | None, otherwise: str) -> str:
    """A record and what has become of a number."""
    if record is None:
        return f"{otherwise}: {number} stays"
    return f"prefix {record.prefix or ANY}{applied(record.transition, number) or f': {number} stays'}"


def applied(transitions: tuple[Transition, ...], number: str) -> str:
    """`, delete 0 1 → 13800`."""
    return "".join(f", {transition}" for transition in transitions) + (f" → {number}" if transitions else "")


def route(inquiry: Inquiry, found: Route) -> Step:
    """Where it ends."""
    if found.kind == REJECT:
        return Step("route", f"refused: {found.status} {found.reason}", [])
    shown = f"{found.kind} {found.name}, {found.caller} calls {found.called}"
    details = [limit(*row) for row in found.limits]
    if found.kind == GROUP:
        shown += f", members in {CHOICES[inquiry.tables.groups[found.name].choose]}"
        details = [*found.members, *details]
    if found.bypass:
        details.append("media go past the switch, if the other side agrees")
    if found.no_answer:
        details.append(f"rings for {found.no_answer:g} s at most")
    return Step("route", shown, details)


CHOICES = {"order": "order", "round robin": "turn", "least loaded": "the order of their load"}


def limit(aor: str, outgoing: bool, most: int | None, most_outgoing: int | None) -> str:
    """One thing that is counted."""
    parts = [f"{most} calls" if most is not None else ""]
    parts.append(f"{most_outgoing} outgoing calls" if outgoing and most_outgoing is not None else "")
    return f"{aor} may have {' and '.join(part for part in parts if part)}"
