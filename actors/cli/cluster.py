"""`rayswitch deploy` and `rayswitch undeploy`: the switch on a Ray cluster."""

from pathlib import Path

import click

from actors.cli.options import config_option, configuration

__all__ = ["deploy", "undeploy"]

address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    required=True,
    help="The head of the Ray cluster, as `ray start` prints it.",
)


@click.command()
@address_option
@config_option
def deploy(address: str, file: Path | None) -> None:
    """Put the switch on a Ray cluster and end when it is ready. Safe to repeat."""
    config = configuration(file)
    from actors import cluster_deployment

    raise SystemExit(cluster_deployment.deploy(config, address))


@click.command()
@address_option
@config_option
def undeploy(address: str, file: Path | None) -> None:
    """End the switch on a Ray cluster: calls get their BYE first. Ray itself stays."""
    config = configuration(file)
    from actors import cluster_deployment

    raise SystemExit(cluster_deployment.undeploy(config, address))
