"""Commands that ask the running switch: `status`, `registrations`, `calls`, `actors`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from actors.cli import control
from actors.cli.human import duration, moment, size
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, columns_for, say, show_fields, show_json, show_table

__all__ = ["actors", "calls", "lines", "registrations", "status"]


def _list(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _pairs(value: Any) -> str:
    """``a 1, b 2`` for a dict."""
    if not isinstance(value, Mapping):
        return _list(value)
    return ", ".join(f"{key} {_pairs(inner)}" for key, inner in value.items())


def _yes(value: Any) -> str:
    return "yes" if value else "no"


NODE_SHOWN = 8
"""Of the 56 hex digits of a node's id."""

REGISTRATIONS = (
    Column("address of record", "aor"),
    Column("contact", "uri"),
    Column("transport", "transport"),
    Column("from", "remote", _list),
    Column("behind NAT", "natted", _yes),
    Column("expires in", "expires", duration, figure=True),
    Column("home", "home"),
)
LINES = (
    Column("line", "line"),
    Column("state", "state"),
    Column("server", "server"),
    Column("home", "home"),
    Column("why", "detail"),
)
CALLS = (
    Column("call", "id"),
    Column("from", "caller"),
    Column("dialled", "dialled"),
    Column("reached", "reached"),
    Column("state", "state"),
    Column("since", "start", moment),
    Column("answered", "answer", moment),
    Column("talking", "duration", duration, figure=True),
    Column("codec", "codec"),
    Column("home", "host"),
    Column("media", "media"),
)
PROCESSES_OF_ACTORS = (
    Column("host", "id"),
    Column("role", "role"),
    Column("pid", "pid", figure=True),
    Column("up", "uptime", duration, figure=True),
    Column("memory", "memory", size, figure=True),
    Column("restarts", "restarts", figure=True),
    Column("entities", "entities", _pairs),
)
ENTITIES = (
    Column("kind", "kind"),
    Column("key", "key"),
    Column("host", "host"),
    Column("node", "node", lambda node: node[:NODE_SHOWN]),
    Column("age", "age", duration, figure=True),
    Column("messages", "messages", figure=True),
)
PROCESSES = (
    Column("pid", "id", figure=True),
    Column("role", "role"),
    Column("memory", "memory", size, figure=True),
)


def _rows(
    command: str,
    known: tuple[Column, ...],
    nothing: str,
    file: Path | None,
    json: bool,
    arguments: dict[str, Any] | None = None,
) -> None:
    rows = control.ask(configuration(file), command, arguments)
    if json:
        show_json(rows)
    else:
        show_table(columns_for(known, rows), rows, nothing)


@click.command()
@config_option
@json_option
def registrations(file: Path | None, json: bool) -> None:
    """Show which phones are registered, and where."""
    _rows("registrations", REGISTRATIONS, "nothing is registered", file, json)


@click.command()
@config_option
@json_option
def calls(file: Path | None, json: bool) -> None:
    """Show the calls that are up."""
    _rows("calls", CALLS, "no calls", file, json)


@click.command()
@config_option
@json_option
def lines(file: Path | None, json: bool) -> None:
    """Show lines and trunks: whether they are up, and why not."""
    _rows("lines", LINES, "no lines, no trunks", file, json)


@click.command()
@click.option("--processes", is_flag=True, help="The processes that they live in, and all others of the switch.")
@config_option
@json_option
def actors(processes: bool, file: Path | None, json: bool) -> None:
    """Show every call and registration: where it lives, how old it is, how many messages it has had."""
    known = PROCESSES_OF_ACTORS if processes else ENTITIES
    _rows("actors", known, "no actors", file, json, None if processes else {"entities": True})


@click.command()
@config_option
@json_option
def status(file: Path | None, json: bool) -> None:
    """Show whether the switch is ready, its listeners, figures and processes."""
    config = configuration(file)
    try:
        answer: dict[str, Any] = control.ask(config, "status")
    except control.NotRunning:
        if json:  # whoever polls for `ready` gets it
            show_json({"ready": False})
        raise
    if json:
        show_json(answer)
        return
    processes = answer.pop("processes", [])
    figures = answer.pop("figures", {})
    alarms = answer.pop("alarms", [])
    if "links" in answer:
        answer["links"] = _links(answer["links"])
    show_fields((name, _value(name, value)) for name, value in answer.items())
    for actor, counted in figures.items():
        show_fields([(actor, _pairs(counted))])
    total = sum(process.get("memory") or 0 for process in processes)
    for alarm in alarms:
        say(f"ALARM {alarm['host']} since {moment(alarm['since'])}: {alarm['what']}. {alarm['remedy']}.")
    say(f"processes: {len(processes)}, memory {size(total)}")
    show_table(columns_for(PROCESSES, processes), processes, "")


def _links(by_host: Mapping[str, Any]) -> str:
    """How many stand; each is seen from both of its ends."""
    return str(sum(status["total"]["up"] for status in by_host.values()) // 2)


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _yes(value)
    return duration(value) if name == "uptime" else _pairs(value)
