"""`rayswitch extension …`: the users of the domain. They are kept in the store, whether the switch is up or
not.

A running switch is told after each change, and has it in force before the command ends.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from actors.cli import control
from actors.cli.human import count
from actors.cli.options import config_option, configuration, json_option
from actors.cli.passwords import extension, given_or_random
from actors.cli.show import Column, complain, say, show_json, show_table
from actors.cli.table_file import Entry, read_table
from rayswitch.config import Config
from rayswitch.store import Extension, Extensions, Store

__all__ = ["NoSuchExtension", "extension_group"]

COLUMNS = (Column("number", "number"), Column("name", "name"))

password_option = click.option(
    "--password", metavar="TEXT", help="The password; - reads it from standard input. Made up when absent."
)


class NoSuchExtension(Exception):
    """A number that is not there, or is there already."""


@click.group()
def extension_group() -> None:
    """Add, list, change and remove extensions (local users)."""


@extension_group.command("add")
@click.argument("number")
@password_option
@click.option("--name", metavar="TEXT", default="", help="The name that other phones display.")
@config_option
@json_option
def add(number: str, password: str | None, name: str, file: Path | None, json: bool) -> None:
    """Add extension NUMBER."""
    config = configuration(file)
    secret = given_or_random(password)
    row = extension(number, config.domain, name, secret)
    with _extensions(config) as extensions:
        if extensions.find(number):
            raise NoSuchExtension(f"extension {number} exists already; for a new password: extension passwd")
        extensions.put([row])
    _tell(config)
    _show_password(row, secret, password is None, json)


@extension_group.command("passwd")
@click.argument("number")
@password_option
@config_option
@json_option
def passwd(number: str, password: str | None, file: Path | None, json: bool) -> None:
    """Give extension NUMBER a new password."""
    config = configuration(file)
    secret = given_or_random(password)
    with _extensions(config) as extensions:
        old = extensions.find(number)
        if old is None:
            raise NoSuchExtension(f"extension {number} does not exist")
        row = extension(number, config.domain, old.name, secret)._replace(options=old.options)
        extensions.put([row])
    _tell(config)
    _show_password(row, secret, password is None, json)


@extension_group.command("remove")
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
@config_option
@json_option
def remove(numbers: tuple[str, ...], file: Path | None, json: bool) -> None:
    """Remove extensions: all those named, or none when one of them does not exist."""
    config = configuration(file)
    with _extensions(config) as extensions:
        missing = [number for number in numbers if not extensions.find(number)]
        if missing:
            raise NoSuchExtension(f"extension {', '.join(missing)} does not exist")
        extensions.remove(numbers)
    _tell(config)
    if json:
        show_json({"removed": numbers})
    else:
        say(f"removed {', '.join(numbers)}")


@extension_group.command("list")
@config_option
@json_option
def show(file: Path | None, json: bool) -> None:
    """Show all extensions. Passwords are kept as hashes and cannot be shown."""
    with _extensions(configuration(file)) as extensions:
        rows = [{"number": row.number, "name": row.name, "domain": row.domain} for row in extensions.all()]
    if json:
        show_json(rows)
    else:
        show_table(COLUMNS, rows, "no extensions")


@extension_group.command("import")
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path))
@config_option
@json_option
def import_file(table: Path, file: Path | None, json: bool) -> None:
    """Add or replace all extensions of a CSV file with a header row and columns number, password, name.

    The whole file is taken, or nothing of it when a row is bad.
    """
    config = configuration(file)
    rows = [
        extension(entry.number, config.domain, entry.name, entry.password) for entry in _progress(read_table(table))
    ]
    with _extensions(config) as extensions:
        options = {row.number: row.options for row in extensions.all()}
        extensions.put([row._replace(options=options.get(row.number, {})) for row in rows])
    _tell(config)
    replaced = sum(row.number in options for row in rows)
    if json:
        show_json({"added": len(rows) - replaced, "replaced": replaced})
    else:
        say(f"added {count(len(rows) - replaced, 'extension')}, replaced {replaced:,}")


def _progress(entries: list[Entry]) -> Iterable[Entry]:
    """The entries, with a bar on a terminal while they are taken."""
    if not sys.stderr.isatty():
        return entries
    from rich.console import Console
    from rich.progress import track

    return track(entries, description="importing", console=Console(stderr=True), transient=True)


@contextmanager
def _extensions(config: Config) -> Iterator[Extensions]:
    with Store.open(config.store) as store:
        yield Extensions(store, config.domain)


def _tell(config: Config) -> None:
    trouble = control.notify(config, "reload")
    if trouble:
        complain(f"the change is stored, but the running switch does not have it yet: {trouble}")


def _show_password(row: Extension, password: str, made_up: bool, json: bool) -> None:
    """A password that was given is known to whoever gave it, and is not repeated."""
    if json:
        show_json(
            {"number": row.number, "name": row.name, "domain": row.domain} | ({"password": password} if made_up else {})
        )
    elif made_up:
        say(f"extension {row.number}: password {password} (not shown again)")
    else:
        say(f"extension {row.number}: done")
