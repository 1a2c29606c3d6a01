"""`rayswitch route`: where a call would go, and why, by the tables of the store."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import say, show_json
from rayswitch.calls.directory import Directory
from rayswitch.calls.routing.pipeline import decide
from rayswitch.calls.routing.route import ANONYMOUS, Dialled, Step
from rayswitch.calls.routing.tables import Tables
from rayswitch.store import Store

__all__ = ["route"]

SHOWN = ("kind", "name", "caller", "called", "members", "status", "reason", "q850", "limits", "bypass", "no_answer")
"""What programs are told of a route."""


@click.command()
@click.argument("caller")
@click.argument("called")
@click.option(
    "--by",
    metavar="NAME",
    default=None,
    help="Who asks, when it is not the caller: an extension that forwards the call, line/NAME or trunk/NAME.",
)
@config_option
@json_option
def route(caller: str, called: str, by: str | None, file: Path | None, json: bool) -> None:
    """Explain step by step where a call from CALLER to CALLED goes.

    CALLER is a number, or `anonymous`. Nothing is called, and the switch need not run. Where a list blocks only some
    calls, chance decides as it would for a call.
    """
    from actors.directory_feed import changes_of

    config = configuration(file)
    with Store.open(config.store) as store:
        changes = changes_of(store, config.domain)
    directory = Directory(config.domain)
    directory.apply(changes.version, changes.accounts)
    number = "" if caller == ANONYMOUS else caller
    steps: list[Step] = []
    found = decide(
        Tables().changed(changes.records),
        directory,
        Dialled(number, called, number if by is None else by),
        random.random,
        steps,
    )
    if json:
        shown = {name: value for name, value in asdict(found).items() if name in SHOWN}
        show_json({"steps": [step._asdict() for step in steps], "route": shown})
    else:
        say(f"{caller} dials {called}")
        for line in tree(steps):
            say(line)


def tree(steps: list[Step]) -> Iterator[str]:
    """The steps as branches, with what was seen in each of them below it."""
    for step in steps:
        last = step is steps[-1]
        yield f"{'└' if last else '├'}─ {step.name}: {step.outcome}"
        for detail in step.details:
            yield f"{' ' if last else '│'}  {'└' if detail is step.details[-1] else '├'}─ {detail}"
