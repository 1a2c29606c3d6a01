"""The command `rayswitch`: its subcommands, and what each kind of failure means to a shell.

Exit codes: 0 done; 1 the switch is not running, a thing was not found, the store failed; 2 bad configuration
or usage. Commands import late what is slow: only `up` and `deploy` ever import Ray, and `up` in other processes.
"""

from pathlib import Path

import click

from actors.cli import bans, cluster, extensions, imports, links, live, nodes, plans, records, routes, tracing
from actors.cli.control import ControlError
from actors.cli.options import config_option, config_path, configuration
from actors.cli.show import complain, say
from actors.cli.table_file import TableError
from rayswitch.config import ConfigError
from rayswitch.store import BadExtension, StoreError

__all__ = ["main"]

FAILURES: dict[type[Exception], int] = {
    ConfigError: 2,
    BadExtension: 2,
    TableError: 2,
    extensions.NoSuchExtension: 1,
    bans.NotBanned: 1,
    ControlError: 1,
    StoreError: 1,
}


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        say(f"rayswitch {installed_version()}")
        context.exit()


def installed_version() -> str:
    """The version of the installed package; a bare checkout has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rayswitch")
    except PackageNotFoundError:
        return "(not installed)"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def rayswitch() -> None:
    """A distributed softswitch: SIP registrar, B2BUA and media relay on Ray."""


@rayswitch.command()
@config_option
def up(file: Path | None) -> None:
    """Start the switch in the foreground. Ctrl-C or SIGTERM stops it; calls get their BYE first."""
    config = configuration(file)
    from actors import deployment

    raise SystemExit(deployment.up(config, config_path(file)))


@rayswitch.command()
@config_option
def down(file: Path | None) -> None:
    """Stop the running switch and wait until nothing of it is left."""
    config = configuration(file)
    from actors import deployment

    raise SystemExit(deployment.down(config))


for command in (
    live.status,
    live.registrations,
    live.calls,
    live.lines,
    nodes.nodes,
    nodes.drain,
    nodes.undrain,
    live.actors,
    records.cdr,
    tracing.trace,
    links.links,
    plans.apply_plan,
    plans.export_plan,
    routes.route,
    imports.import_variables,
    cluster.deploy,
    cluster.undeploy,
):
    rayswitch.add_command(command)
rayswitch.add_command(extensions.extension_group, "extension")
rayswitch.add_command(bans.ban_group, "ban")


def main(arguments: list[str] | None = None) -> None:
    """Run one command (default: of this process's command line) and exit with its code."""
    try:
        rayswitch.main(arguments, prog_name="rayswitch")
    except tuple(FAILURES) as failure:
        complain(str(failure))
        raise SystemExit(next(code for kind, code in FAILURES.items() if isinstance(failure, kind))) from None
