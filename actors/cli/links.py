"""`rayswitch links`: the links between the processes, and the replacement of what they are proved with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from actors.cli import control
from actors.cli.human import duration, size
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, say, show_json, show_table

__all__ = ["links"]

ROTATE_SECONDS = 30.0

COLUMNS = (
    Column("host", "host"),
    Column("peer", "peer"),
    Column("over", "over"),
    Column("frames out", "frames_out", figure=True),
    Column("frames in", "frames_in", figure=True),
    Column("out", "bytes_out", size, figure=True),
    Column("in", "bytes_in", size, figure=True),
    Column("made", "connects", figure=True),
    Column("queued", "queued", figure=True),
    Column("dropped", "dropped", figure=True),
)


def _rows(links: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each end of each link."""
    return [
        figures | {"host": host, "peer": peer, "over": figures["over"] or "down"}
        for host, status in sorted(links.items())
        for peer, figures in sorted(status.get("peers", {}).items())
    ]


@click.group(invoke_without_command=True)
@click.option("--host", metavar="ID", help="Only the ends of the links at this process, such as s1.")
@config_option
@json_option
@click.pass_context
def links(context: click.Context, host: str | None, file: Path | None, json: bool) -> None:
    """Show the links between the processes, each as both of its ends count it."""
    if context.invoked_subcommand is not None:
        return
    answer: dict[str, Any] = control.ask(configuration(file), "links", {"host": host})
    if json:
        show_json(answer)
        return
    show_table(COLUMNS, _rows(answer["links"]), "no links")
    if answer["authority"] is None:
        say("one node: Unix sockets, no certificates")
    else:
        life = duration(answer["certificate_life"])
        former = f", {answer['former']} former ones still believed: rotate again" if answer["former"] else ""
        say(f"certificates for {life} signed by {answer['authority']}{former}")


@links.command()
@config_option
@json_option
def rotate(file: Path | None, json: bool) -> None:
    """Put a new authority in the place of the one that signs the certificates of links, at once.

    For when its key, or the key of a process, may have leaked. Calls go on; links to other nodes are made
    anew without losing a message.
    """
    answer: dict[str, Any] = control.ask(configuration(file), "links", {"rotate": True}, ROTATE_SECONDS)
    if json:
        show_json(answer)
        return
    say(f"{answer['authority']} signs from now on; {len(answer['hosts'])} processes have its certificates")
    for host in answer["missing"]:
        say(f"{host} did not answer: it asks for a new certificate when it is back")
    for pair in answer["cut"]:
        say(f"{pair}: nobody took the place of this link, so it was cut")
