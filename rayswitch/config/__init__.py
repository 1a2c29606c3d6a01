"""Configuration: one typed tree, loaded once, passed down.

`load(path)` gives a `Config` or raises `ConfigError`, whose text names the file, the line, the key and what
was expected there.  `settings.py` is the list of all keys, `kinds.py` says how values are read, `document.py`
knows lines, `reading.py` brings them together, `checks.py` compares values with each other.
"""

from rayswitch.config.document import ConfigError
from rayswitch.config.kinds import Listener, PortRange
from rayswitch.config.reading import load, parse
from rayswitch.config.settings import Actors, Call, Config, Limits, Links, Media, Placement, Registration, Sip, Tls

__all__ = [
    "Actors",
    "Call",
    "Config",
    "ConfigError",
    "Limits",
    "Links",
    "Listener",
    "Media",
    "Placement",
    "PortRange",
    "Registration",
    "Sip",
    "Tls",
    "load",
    "parse",
]
