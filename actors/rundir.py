"""Where the sockets of a switch are: a folder that its configuration alone determines.

So a command finds the switch that runs with the same data folder, and two switches never meet.
"""

import os
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

from rayswitch.config import Config

__all__ = ["run_dir"]

# sun_path holds 108 bytes with its final NUL (unix(7)); "/" + host id + ".sock" takes up to 16.
_LONGEST = 107 - 16


def run_dir(config: Config) -> Path:
    """``<data>/run``, or a folder under the temporary one when a socket there had too long a path."""
    inside = Path(config.data) / "run"
    if len(os.fsencode(inside)) <= _LONGEST:
        return inside
    name = sha256(os.fsencode(Path(config.data))).hexdigest()[:12]
    return Path(gettempdir()) / f"rayswitch-{os.getuid()}-{name}"
