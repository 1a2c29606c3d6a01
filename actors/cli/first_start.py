"""The first start of a switch makes three extensions, so that two phones can talk at once.

There are no default passwords: they are random, shown this once, and kept as hashes only.
"""

from actors.cli.passwords import extension, random_password
from rayswitch.config import Config
from rayswitch.store import Extensions, Store

__all__ = ["FIRST_NUMBERS", "announcement", "create"]

FIRST_NUMBERS = ("100", "101", "102")


def create(config: Config) -> list[tuple[str, str]]:
    """(number, password) of what was made; [] when the domain ever had extensions. Raises StoreError."""
    with Store.open(config.store) as store:
        extensions = Extensions(store, config.domain)
        if extensions.version():
            return []
        made = [(number, random_password()) for number in FIRST_NUMBERS]
        extensions.put([extension(number, config.domain, "", password) for number, password in made])
    return made


def announcement(config: Config, made: list[tuple[str, str]]) -> str:
    """The text that shows the passwords to whoever started the switch; "" when nothing was made."""
    if not made:
        return ""
    lines = [f"first start: these extensions of {config.domain} were made; their passwords are not shown again"]
    lines += [f"  {number}  password {password}" for number, password in made]
    return "\n".join([*lines, "a new password: rayswitch extension passwd NUMBER"])
