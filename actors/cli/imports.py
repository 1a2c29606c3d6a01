"""`rayswitch import`: what the file of another switch says of lines."""

from pathlib import Path

import click

from actors.cli import control
from actors.cli.options import config_option, configuration
from actors.cli.plans import line_of, summary, text_of
from actors.cli.show import complain, say
from rayswitch.records.imported import lines_with, read_variables
from rayswitch.records.keeping import apply, content_of
from rayswitch.records.reading import Plan
from rayswitch.records.writing import written
from rayswitch.store import Store

__all__ = ["import_variables"]

LINES = "lines"


@click.command("import")
@click.argument("variables", metavar="mss_var_param.ini", type=click.Path(path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Show what would change, and change nothing.")
@config_option
def import_variables(variables: Path, dry: bool, file: Path | None) -> None:
    """Take over what the mss_var_param.ini of a miniSIPServer says of lines.

    There its variables were those of the whole system; here they become those of every line that there is. Variables
    that are not known are named and left out.
    """
    config = configuration(file)
    imported = read_variables(text_of(variables), str(variables))
    with Store.open(config.store) as store:
        lines = lines_with(imported, content_of(store, config.domain)[LINES])
        stated = Plan(written({LINES: lines}), str(variables))
        changes = apply(store, config.domain, stated, dry)
    for number, name in imported.left_out:
        say(f"{variables}:{number}: {name} is not known here, and left out")
    for change in changes:
        say(line_of(change))
    say(summary(changes, dry) if lines else "there are no lines yet: apply those first, then import this file again")
    if changes and not dry:
        trouble = control.notify(config, "reload")
        if trouble:
            complain(f"the change is stored, but the running switch does not have it yet: {trouble}")
