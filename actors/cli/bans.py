"""`rayswitch ban`: whose SIP packets are dropped.  Kept in the store, whether the switch is up or not."""

import ipaddress
import re
import time
from pathlib import Path

import click

from actors.cli import control
from actors.cli.human import count, duration, moment
from actors.cli.options import config_option, configuration, json_option
from actors.cli.show import Column, complain, say, show_json, show_table
from rayswitch.config import Config
from rayswitch.store import Store, writes

__all__ = ["NotBanned", "ban_group"]

_SPAN = re.compile(r"(\d+)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

COLUMNS = (
    Column("address", "address"),
    Column("banned", "made", moment),
    Column("until", "until", moment),
    Column("left", "left", duration, figure=True),
    Column("reason", "reason"),
)


class NotBanned(Exception):
    """An address that is not banned."""


def _address(_context: click.Context, _argument: click.Parameter, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise click.BadParameter(f"expected an IP address, got {text!r}; for networks: protection.reject") from None


def _addresses(context: click.Context, argument: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    return [_address(context, argument, text) for text in texts]


def _span(_context: click.Context, _option: click.Parameter, text: str) -> float:
    found = _SPAN.fullmatch(text)
    if not found or not int(found[1]):
        raise click.BadParameter(f"expected a time such as 30m, 4h or 7d, got {text!r}")
    return float(int(found[1]) * _SECONDS[found[2]])


@click.group()
def ban_group() -> None:
    """Show, make and lift bans: addresses whose SIP packets are dropped."""


@ban_group.command("list")
@config_option
@json_option
def show(file: Path | None, json: bool) -> None:
    """Show who is banned, the newest last."""
    now = time.time()
    with Store.open(configuration(file).store) as store:
        rows = [
            {"address": address, "until": until, "reason": reason, "made": made, "left": until - now}
            for address, until, reason, made in store.bans(now)
        ]
    if json:
        show_json(rows)
    else:
        show_table(COLUMNS, rows, "nobody is banned")


@ban_group.command("add")
@click.argument("address", callback=_address)
@click.option("--for", "span", metavar="TIME", default="4h", show_default=True, callback=_span, help="30m, 4h, 7d.")
@click.option("--reason", metavar="TEXT", default="by the operator", show_default=True, help="For who reads the list.")
@config_option
def add(address: str, span: float, reason: str, file: Path | None) -> None:
    """Ban ADDRESS."""
    config = configuration(file)
    now = time.time()
    with Store.open(config.store) as store:
        store.apply([writes.put_ban(address, now + span, reason, now)])
    _tell(config)
    say(f"{address} is banned for {duration(span)}")


@ban_group.command("lift")
@click.argument("addresses", nargs=-1, callback=_addresses)
@click.option("--all", "everybody", is_flag=True, help="Everybody.")
@config_option
def lift(addresses: list[str], everybody: bool, file: Path | None) -> None:
    """Listen to ADDRESSES again."""
    if not addresses and not everybody:
        raise click.UsageError("name an address, or --all")
    config = configuration(file)
    with Store.open(config.store) as store:
        known = [row[0] for row in store.bans(time.time())]
        missing = [address for address in addresses if address not in known]
        if missing:
            raise NotBanned(f"{missing[0]} is not banned")
        wanted = known if everybody else addresses
        store.apply([writes.drop_ban(address) for address in wanted])
    _tell(config)
    say(f"lifted {count(len(wanted), 'ban')}")


def _tell(config: Config) -> None:
    trouble = control.notify(config, "bans")
    if trouble:
        complain(f"the change is stored, but the running switch does not have it yet: {trouble}")
