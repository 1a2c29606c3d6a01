"""The dial plan from end to end: steps, their order, what each of them decides."""

from __future__ import annotations

from typing import Any

import pytest

from rayswitch.calls.directory import Account, Directory
from rayswitch.calls.routing.pipeline import decide
from rayswitch.calls.routing.route import Dialled, Route, Step
from rayswitch.calls.routing.tables import Tables
from rayswitch.records.extension import ExtensionOptions
from rayswitch.records.lines import Line, Trunk
from rayswitch.records.numbering import Block, CalledNumber, CallerNumber, Dialling, Group, Refinement
from rayswitch.records.transition import TRANSITION

DOMAIN = "pbx.example.com"
OUTSIDE = Group("outside", ("line/one", "trunk/two"))


def t(text: str) -> tuple[Any, ...]:
    return (TRANSITION.read(text),)


def plan(*records: Any) -> Tables:
    return Tables().changed((type(r), tuple(getattr(r, name) for name in r.KEY), r) for r in records)


def people(**options: ExtensionOptions) -> Directory:
    """Extensions 100 to 109, and what is said of some of them as e101=…."""
    directory = Directory(DOMAIN)
    for number in (str(n) for n in range(100, 110)):
        directory.accounts[number] = Account("", b"", b"", options.get(f"e{number}", ExtensionOptions()))
    return directory


def ask(tables: Tables, caller: str, called: str, directory: Directory | None = None, rights: str = "") -> Route:
    return decide(tables, directory or people(), Dialled(caller, called, rights or caller), lambda: 0.5)


def refused(route: Route) -> tuple[int, str]:
    assert route.kind == "reject"
    return route.status, route.reason


def test_calls_that_come_in_by_a_line_are_counted_where_it_has_a_limit() -> None:
    tables = plan(Line(name="one", max_incoming=2), Line(name="two"), Trunk(name="three", max_incoming=0))
    limits = {name: ask(tables, "4711", "101", rights=name).limits for name in ("line/one", "line/two", "trunk/three")}
    assert limits == {
        "line/one": [["line/one/in", True, None, 2]],
        "line/two": [],
        "trunk/three": [["trunk/three/in", True, None, 0]],
    }
    without = tables.changed([(Line, ("one",), None)])
    assert ask(without, "4711", "101", rights="line/one").limits == []


# -- the called number ------------------------------------------------------------------------------------------


def test_without_any_record_an_extension_is_called_and_nothing_else_is_there() -> None:
    route = ask(Tables(), "100", "101")
    assert (route.kind, route.name, route.caller, route.called) == ("extension", f"101@{DOMAIN}", "100", "101")
    assert refused(ask(Tables(), "100", "555")) == (404, "No such number")
    assert refused(ask(Tables(), "100", "913800")) == (404, "No such number")
    assert refused(ask(Tables(), "100", "101@evil.example")) == (404, "Unknown domain")
    assert refused(ask(Tables(), "100", "")) == (484, "Address Incomplete")


def test_the_longest_prefix_decides() -> None:
    tables = plan(
        CalledNumber("0", "trunk group", "far"),
        CalledNumber("01", "reject", status=404, note="Not in service"),
        CalledNumber("015", "extension", "105"),
        Group("far", ("trunk/a",)),
    )
    assert ask(tables, "100", "02").members == ["trunk/a"]
    assert refused(ask(tables, "100", "014")) == (404, "Not in service")
    assert ask(tables, "100", "0155").name == f"105@{DOMAIN}"


def test_the_outgoing_prefix_leads_outside_and_is_taken_off() -> None:
    route = ask(plan(OUTSIDE), "101", "913800")
    assert (route.kind, route.name, route.called) == ("group", "outside", "13800")
    assert route.members == ["line/one", "trunk/two"]
    assert refused(ask(plan(OUTSIDE), "101", "9")) == (484, "Address Incomplete")


def test_the_outgoing_prefix_may_be_changed_and_removed() -> None:
    changed = plan(OUTSIDE, Group("far", ("line/x",)), Dialling("00", "far"))
    assert (ask(changed, "101", "0013800").name, ask(changed, "101", "0013800").called) == ("far", "13800")
    assert refused(ask(changed, "101", "913800")) == (404, "No such number")
    assert refused(ask(plan(OUTSIDE, Dialling("")), "101", "913800")) == (404, "No such number")


def test_the_outgoing_prefix_is_for_extensions_alone() -> None:
    assert refused(ask(plan(OUTSIDE), "0044", "913800", rights="trunk/two")) == (404, "No such number")


def test_an_extension_comes_before_the_outgoing_prefix_and_before_any_but_not_before_a_record() -> None:
    directory = people()
    directory.accounts["911"] = Account("", b"", b"")
    anything = CalledNumber("", "trunk group", "outside")
    assert ask(plan(OUTSIDE), "100", "911", directory).name == f"911@{DOMAIN}"
    assert ask(plan(OUTSIDE, anything), "100", "101").name == f"101@{DOMAIN}"
    assert ask(plan(OUTSIDE, anything), "100", "4711").called == "4711"
    assert ask(plan(OUTSIDE, CalledNumber("91", "trunk group", "outside")), "100", "911", directory).kind == "group"


def test_a_service_and_a_group_that_does_not_exist() -> None:
    tables = plan(CalledNumber("*98", "service", "mailbox"), CalledNumber("7", "line group", "gone"))
    route = ask(tables, "100", "*98")
    assert (route.kind, route.name, route.called) == ("service", "mailbox", "*98")
    assert refused(ask(tables, "100", "755")) == (503, "No line or trunk in group gone")


# -- transitions and refinement ---------------------------------------------------------------------------------------


def test_numbers_are_changed_in_the_order_of_the_steps() -> None:
    tables = plan(
        CallerNumber("1", t("insert 0 8")),
        CalledNumber("0", "line group", "outside", transition=t("replace 0 1 0086")),
        Refinement("caller", "outside", "81", t("replace 0 1 0755")),
        Refinement("called", "outside", "0086", t("replace 0 2 +")),
        Refinement("called", "other", "", t("delete 0 9")),
        OUTSIDE,
    )
    route = ask(tables, "100", "0755123")
    assert (route.caller, route.called) == ("0755100", "+86755123")


def test_blocking_sees_the_numbers_as_they_came_in() -> None:
    tables = plan(CallerNumber("1", t("insert 0 8")), Block("100", "101"))
    assert refused(ask(tables, "100", "101")) == (403, "Call blocked")
    assert ask(tables, "102", "101").caller == "8102"
    assert ask(tables, "102", "101").limits == []


def test_callers_without_a_number_are_anonymous() -> None:
    tables = plan(Block("anonymous", ""))
    assert refused(ask(tables, "", "101", rights="trunk/two")) == (403, "Call blocked")
    assert refused(ask(tables, "anonymous", "101", rights="trunk/two")) == (403, "Call blocked")
    assert ask(tables, "4711", "101", rights="trunk/two").kind == "extension"


def test_a_rate_throws_the_dice() -> None:
    tables = plan(Block("", "", 30))
    low, high = (
        decide(tables, people(), Dialled("100", "101", "100"), lambda chance=chance: chance) for chance in (0.29, 0.3)
    )
    assert (low.kind, high.kind) == ("reject", "extension")


# -- what extensions say ------------------------------------------------------------------------------------------


def test_a_level_is_demanded() -> None:
    tables = plan(OUTSIDE, CalledNumber("00", "line group", "outside", level=3))
    directory = people(e101=ExtensionOptions(levels=(1, 3)))
    assert ask(tables, "101", "0044", directory).kind == "group"
    assert refused(ask(tables, "102", "0044", directory)) == (403, "Call level 3 needed")
    assert refused(ask(tables, "0049", "0044", rights="trunk/two")) == (403, "Call level 3 needed")
    assert ask(tables, "102", "0044", directory, rights="101").kind == "group", "101 forwards the call"


@pytest.mark.parametrize(
    ("options", "out", "within"),
    [
        (ExtensionOptions(max_calls=0), (403, "Extension is closed"), (403, "Extension is closed")),
        (ExtensionOptions(max_outgoing_calls=0), (403, "No outgoing calls"), None),
    ],
)
def test_a_limit_of_0_closes(options: ExtensionOptions, out: Any, within: Any) -> None:
    directory = people(e101=options)
    assert refused(ask(Tables(), "101", "100", directory)) == out
    inward = ask(Tables(), "100", "101", directory)
    assert inward.kind == "extension" if within is None else refused(inward) == within


def test_limits_are_named_only_where_there_are_some() -> None:
    directory = people(e101=ExtensionOptions(max_calls=2, max_outgoing_calls=1), e102=ExtensionOptions(max_calls=3))
    assert ask(Tables(), "100", "103", directory).limits == []
    assert ask(Tables(), "101", "102", directory).limits == [
        [f"101@{DOMAIN}", True, 2, 1],
        [f"102@{DOMAIN}", False, 3, None],
    ]
    assert ask(plan(OUTSIDE), "101", "913800", directory).limits == [[f"101@{DOMAIN}", True, 2, 1]]
    assert ask(Tables(), "101", "102", directory, rights="trunk/two").limits == [[f"102@{DOMAIN}", False, 3, None]]


def test_media_go_past_only_when_both_sides_want_it() -> None:
    directory = people(e101=ExtensionOptions(media="bypass"), e102=ExtensionOptions(media="bypass"))
    assert ask(Tables(), "101", "102", directory).bypass
    assert not ask(Tables(), "101", "100", directory).bypass
    assert not ask(Tables(), "100", "101", directory).bypass
    assert ask(plan(OUTSIDE), "101", "955", directory).bypass


def test_the_ringing_time_is_that_of_the_called_one() -> None:
    directory = people(e101=ExtensionOptions(no_answer=15.0))
    assert ask(Tables(), "100", "101", directory).no_answer == 15.0
    assert ask(Tables(), "101", "100", directory).no_answer == 0


# -- tables ------------------------------------------------------------------------------------------


def test_a_change_makes_a_new_snapshot() -> None:
    before = plan(OUTSIDE, CalledNumber("1", "reject"), Block("", "101"), Dialling("00"), CallerNumber("1"))
    rows = [(type(r), key) for r, key in ((OUTSIDE, ("outside",)), (CalledNumber(), ("1",)), (Block(), ("", "101")))]
    after = before.changed([*((kind, key, None) for kind, key in rows), (str, ("x",), None), (Dialling, (), None)])
    assert after.groups == {} and not after.called and len(after.blocks) == 0 and after.dialling == Dialling()
    assert refused(ask(before, "100", "101")) == (403, "Call blocked")
    assert ask(after, "100", "101").kind == "extension"
    refined = after.changed([(Refinement, ("called", "g", "1"), Refinement("called", "g", "1"))])
    emptied = refined.changed([(Refinement, ("called", "g", "1"), None)])
    assert len(refined.refinements[("called", "g")]) == 1 and not emptied.refinements[("called", "g")]


# -- steps in words ------------------------------------------------------------------------------------------


def explained(tables: Tables, caller: str, called: str, directory: Directory | None = None) -> list[Step]:
    steps: list[Step] = []
    decide(tables, directory or people(), Dialled(caller, called, caller), lambda: 0.5, steps)
    return steps


def test_every_step_is_told() -> None:
    tables = plan(
        Block("", "9", 100),
        Block("1", "913", 0, "mobiles are free"),
        Block("101", "913", 30),
        CallerNumber("1", t("insert 0 8")),
        CalledNumber("91", "line group", "outside", 2, t("delete 0 1")),
        Refinement("caller", "outside", "", t("insert 0 0755")),
        OUTSIDE,
    )
    directory = people(e101=ExtensionOptions(levels=(2, 5), max_calls=3))
    assert explained(tables, "101", "913800", directory) == [
        Step(
            "call blocking",
            "caller 101, called 913, rate 30 decides: 30 of 100 calls are refused, this one is not one of them",
            [
                "caller 101, called 913, rate 30",
                "caller 1, called 913, rate 0 (mobiles are free)",
                "caller *, called 9, rate 100",
            ],
        ),
        Step("analyse the caller number", "prefix 1, insert 0 8 → 8101", []),
        Step(
            "analyse the called number",
            "prefix 91: line group outside, delete 0 1 → 13800",
            ["call level 2 is demanded, the caller has 2, 5"],
        ),
        Step("refine the caller number", "prefix *, insert 0 0755 → 07558101", []),
        Step("refine the called number", "no prefix fits: 13800 stays", []),
        Step(
            "route",
            "group outside, 07558101 calls 13800, members in order",
            ["line/one", "trunk/two", f"101@{DOMAIN} may have 3 calls"],
        ),
    ]


def test_the_source_of_a_decision_is_told() -> None:
    def outcome(tables: Tables, called: str) -> str:
        return next(step.outcome for step in explained(tables, "100", called) if "called" in step.name)

    anything = CalledNumber("", "reject")
    assert outcome(Tables(), "101") == "an extension: extension"
    assert outcome(Tables(), "555") == "no prefix fits, the default route: extension"
    assert outcome(plan(anything), "555") == "prefix *: reject"
    assert outcome(plan(anything), "101") == "an extension: extension"
    assert outcome(plan(OUTSIDE), "955") == "outgoing prefix 9: line group outside, delete 0 1 → 55"


def test_the_end_is_told() -> None:
    directory = people(
        e101=ExtensionOptions(media="bypass", no_answer=15.0, max_calls=2, max_outgoing_calls=1),
        e102=ExtensionOptions(media="bypass"),
    )
    assert explained(Tables(), "102", "101", directory)[-1].details == [
        f"101@{DOMAIN} may have 2 calls",
        "media go past the switch, if the other side agrees",
        "rings for 15 s at most",
    ]
    assert (
        f"101@{DOMAIN} may have 2 calls and 1 outgoing calls"
        in explained(Tables(), "101", "102", directory)[-1].details
    )
    assert explained(Tables(), "100", "555")[-1] == Step("route", "refused: 404 No such number", [])
    assert explained(plan(Block()), "100", "101")[0].outcome == "caller *, called *, rate 100 decides: refused"
