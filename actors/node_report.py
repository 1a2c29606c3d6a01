"""What a node of a cluster is asked before a switch is put on it: which code it has.

This module goes to the node as a whole (by value), so that it can be asked of any version of ours, or of none. It
therefore imports nothing of ours.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, files, version

__all__ = ["code_version"]

CODE = (".py", ".sql")


def code_version() -> str:
    """The version of the installed package with a digest of its files: ``0.1.0 (3f2a9c1b)``; "none" without one."""
    try:
        number = version("rayswitch")
    except PackageNotFoundError:
        return "none"
    rows = sorted(f"{file} {file.hash}" for file in files("rayswitch") or () if str(file).endswith(CODE))
    return f"{number} ({hashlib.blake2b(repr(rows).encode(), digest_size=4).hexdigest()})"
