"""Where the processes of a switch log: one file each in the data directory, rotated.

What Ray's own processes write is in Ray's temporary directory and goes with it.
"""

import logging
import logging.handlers
from pathlib import Path

from rayswitch.config import Config

__all__ = ["write_log"]

LOG_BYTES, LOG_FILES = 10_000_000, 3


def write_log(config: Config, name: str, quiet: bool = False) -> None:
    """Log to ``log/<name>.log`` in the data directory; `quiet`: only what is wrong, and no file without that."""
    path = Path(config.data) / "log" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, delay=quiet)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if quiet else logging.INFO)
