"""The command line."""

from actors.cli.program import main

__all__ = ["main"]
