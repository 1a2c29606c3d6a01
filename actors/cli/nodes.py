"""`rayswitch nodes`, `drain` and `undrain`: the machines of a switch, and how one is taken out of service."""

import time
from pathlib import Path
from typing import Any

import click

from actors.cli import control
from actors.cli.live import NODE_SHOWN
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, say, show_json, show_table
from rayswitch.config import Config

__all__ = ["drain", "nodes", "undrain"]

LOOK_SECONDS, TELL_SECONDS = 0.5, 10.0

COLUMNS = (
    Column("node", "node", lambda node: str(node)[:NODE_SHOWN]),
    Column("address", "address"),
    Column("state", "state"),
    Column("hosts", "hosts", lambda hosts: " ".join(hosts)),
    Column("calls", "calls", figure=True),
    Column("media", "sessions", figure=True),
    Column("registrations", "registrations", figure=True),
)


@click.command()
@config_option
@json_option
def nodes(file: Path | None, json: bool) -> None:
    """Show the nodes: what runs on each, how it is, and what is there."""
    rows = control.ask(configuration(file), "nodes")
    if json:
        show_json(rows)
    else:
        show_table(COLUMNS, rows, "no nodes")


@click.command()
@click.argument("node")
@click.option("--deadline", type=float, metavar="SECONDS", help="Move calls that are still there then; 0: at once.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the node is empty.")
@config_option
@json_option
def drain(node: str, deadline: float | None, no_wait: bool, file: Path | None, json: bool) -> None:
    """Take a node (its address, its id, or one host such as s1) out of service without losing a call.

    It takes nothing new from now on; its calls end by themselves, or move to other nodes at the deadline. When this
    command ends, the machine can be switched off.
    """
    config = configuration(file)
    hosts: list[str] = control.ask(config, "drain", {"node": node, "seconds": deadline})["hosts"]
    if not json:
        say(f"{' '.join(hosts)}: nothing new from now on")
    left = {} if no_wait else _wait(config, hosts, json)
    if json:
        show_json({"hosts": hosts, "left": left})
    elif not no_wait:
        say("empty")


def _wait(config: Config, hosts: list[str], quiet: bool) -> dict[str, int]:
    """Until they are empty, with a word now and then."""
    told = time.monotonic()
    while True:
        left = _left(config, hosts)
        if not any(left.values()):
            return left
        if time.monotonic() - told > TELL_SECONDS and not quiet:
            told = time.monotonic()
            say(", ".join(f"{count} {what}" for what, count in left.items() if count) + " left")
        time.sleep(LOOK_SECONDS)


def _left(config: Config, hosts: list[str]) -> dict[str, int]:
    """What is still there; a host that is gone has nothing."""
    figures: dict[str, Any] = control.ask(config, "status")["figures"]
    found = [figures.get(host, {}) for host in hosts]
    return {name: sum(figure.get(name, 0) for figure in found) for name in ("calls", "sessions")}


@click.command()
@click.argument("node")
@config_option
def undrain(node: str, file: Path | None) -> None:
    """Put a node back into service."""
    hosts: list[str] = control.ask(configuration(file), "undrain", {"node": node})["hosts"]
    say(f"{' '.join(hosts)}: in service")
