"""Options that many commands share, and the configuration they lead to."""

from pathlib import Path

import click

from rayswitch.config import Config, load

__all__ = ["config_option", "config_path", "configuration", "json_option"]

DEFAULT_FILE = Path("switch.yaml")

config_option = click.option(
    "-c",
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The configuration; ./switch.yaml when there is one.",
)
json_option = click.option("--json", "json", is_flag=True, help="Print JSON.")


def config_path(chosen: Path | None) -> Path | None:
    """The file in force: the chosen one, ./switch.yaml when it exists, else None for all defaults."""
    return chosen or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def configuration(chosen: Path | None) -> Config:
    """The configuration in force. Raises ConfigError."""
    return load(config_path(chosen))
