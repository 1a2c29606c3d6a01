"""Where the database is: the URL under `store`, read, completed and shown.

``sqlite:///FILE`` or ``postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE&…``.  The options of PostgreSQL are those of
OPTIONS, named as libpq names them; `password_file` is ours: a file whose one line is the password.  Without it
``~/.pgpass`` is looked at, as by every program of PostgreSQL, and with ``host=/run/postgresql`` no password is needed
at all (peer authentication).

A password in the URL is refused: the URL travels in configurations, process arguments and logs, and `masked` takes out
of it what somebody wrote there all the same.
"""

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

__all__ = ["OPTIONS", "POSTGRESQL", "SQLITE", "located", "masked", "read_store"]

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql://"
OPTIONS = ("password_file", "host", "sslmode", "sslrootcert", "sslcert", "sslkey")
FILES = ("password_file", "sslrootcert", "sslcert", "sslkey")
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):.*@|(?<=[?&]password=)[^&]*", re.DOTALL)


def masked(text: str) -> str:
    """The text with every password in a URL replaced."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[1] is not None else "***", text)


def read_store(text: str) -> str:
    """The URL as it stands, if it can be one; raises ValueError."""
    if "\0" in text:
        raise ValueError
    if text.startswith(POSTGRESQL):
        _check_postgresql(text)
    elif not text.startswith(SQLITE) or text == SQLITE:
        raise ValueError
    return text


def _check_postgresql(text: str) -> None:
    parts = urlsplit(text)
    if parts.password is not None:
        raise ValueError("a password does not belong here: name a file with ?password_file=FILE")
    if parts.path in ("", "/"):
        raise ValueError("it names no database")
    _check_port(parts)
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    for name, value in options.items():
        if name not in OPTIONS or not value:
            raise ValueError(f"option {name!r} is not one of {', '.join(OPTIONS)}, or has no value")
    if options.get("sslmode", "prefer") not in MODES:
        raise ValueError(f"sslmode is one of {', '.join(MODES)}")
    if not parts.hostname and "host" not in options:
        raise ValueError("it names no host")


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("its port is not a number from 0 to 65535") from None


def located(url: str, folder: Path) -> str:
    """The URL with absolute paths; relative ones begin in `folder`."""
    if url.startswith(SQLITE):
        return f"{SQLITE}{folder / Path(url.removeprefix(SQLITE)).expanduser()}"
    address, mark, query = url.partition("?")
    options = [
        (name, str(folder / Path(value).expanduser()) if name in FILES else value) for name, value in parse_qsl(query)
    ]
    return address + mark + urlencode(options, safe="/")
