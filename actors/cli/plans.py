"""`rayswitch apply` and `export`: extensions, dial plan and lists as one file.

The store has them, whether the switch is up or not; a running one is told and has the change in force before the
command ends.
"""

import os
from collections import Counter
from pathlib import Path

import click

from actors.cli import control
from actors.cli.human import count
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import complain, say, show_json
from rayswitch.config import ConfigError
from rayswitch.records import Change
from rayswitch.records.content import plain
from rayswitch.records.keeping import apply, content_of
from rayswitch.records.reading import Plan
from rayswitch.records.writing import written
from rayswitch.store import Store

__all__ = ["apply_plan", "export_plan"]

SECRETS = ("ha1", "secret", "incoming_secret")


@click.command("apply")
@click.argument("plan", metavar="FILE.yaml", type=click.Path(path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Show what would change, and change nothing.")
@config_option
@json_option
def apply_plan(plan: Path, dry: bool, file: Path | None, json: bool) -> None:
    """Bring extensions, lines, dial plan and lists to what FILE.yaml states.

    A section of the file is the whole content of its kind: what is not in it is removed. Kinds that the file does not
    mention stay as they are. Everything is done, or nothing when something is wrong with the file.
    """
    config = configuration(file)
    stated = Plan(text_of(plan), str(plan))
    with Store.open(config.store) as store:
        changes = apply(store, config.domain, stated, dry)
    if json:
        show_json({"changed": not dry and bool(changes), "changes": [row_of(change) for change in changes]})
    else:
        for change in changes:
            say(line_of(change))
        say(summary(changes, dry))
    if changes and not dry:
        trouble = control.notify(config, "reload")
        if trouble:
            complain(f"the change is stored, but the running switch does not have it yet: {trouble}")


@click.command("export")
@click.option(
    "-o", "--output", "target", metavar="FILE.yaml", type=click.Path(path_type=Path), help="Not to the screen."
)
@config_option
def export_plan(target: Path | None, file: Path | None) -> None:
    """Write extensions, lines, dial plan and lists as a file for `apply`, with the hashes of passwords.

    Passwords of lines and trunks are in it as they are.
    """
    config = configuration(file)
    with Store.open(config.store) as store:
        text = written(content_of(store, config.domain))
    if target is None:
        click.echo(text, nl=False)
        return
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as output:
        output.write(text)
    say(f"written: {target}, for its owner alone: who has the hashes of passwords can register")


def text_of(path: Path) -> str:
    """The text of a file; raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("cannot be read: it is not UTF-8", str(path)) from None


def line_of(change: Change) -> str:
    """A change as people read it, without secrets."""
    name = " ".join((change.kind, *(part or "*" for part in change.key)))
    if change.new is None:
        return f"- {name}"
    old, new = {} if change.old is None else plain(change.old), plain(change.new)
    if change.old is None:
        return f"+ {name}{told(new, change.new.KEY)}"
    differing = [field for field in {**old, **new} if old.get(field) != new.get(field)]
    return f"~ {name}: " + ", ".join(difference_in(field, old, new) for field in differing)


def told(values: dict[str, object], keys: tuple[str, ...]) -> str:
    """What a new record says besides its key."""
    rest = ", ".join(f"{name} {value}" for name, value in values.items() if name not in (*keys, *SECRETS))
    return f": {rest}" if rest else ""


def difference_in(field: str, old: dict[str, object], new: dict[str, object]) -> str:
    """What becomes of one field."""
    if field in SECRETS:
        return "another password"
    return f"{field} {old.get(field, 'default')} → {new.get(field, 'default')}"


def row_of(change: Change) -> dict[str, object]:
    """A change for programs, without secrets."""
    sides = {"old": change.old, "new": change.new}
    shown = {
        side: None if record is None else {name: value for name, value in plain(record).items() if name not in SECRETS}
        for side, record in sides.items()
    }
    return {"kind": change.kind, "key": list(change.key), **shown}


def summary(changes: list[Change], dry: bool) -> str:
    """How many of what."""
    if not changes:
        return "nothing to change"
    kinds = Counter("removed" if c.new is None else "added" if c.old is None else "changed" for c in changes)
    parts = ", ".join(f"{number} {what}" for what, number in kinds.items())
    return f"{count(len(changes), 'record')} would change: {parts}" if dry else f"done: {parts}"
