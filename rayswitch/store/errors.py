"""What can go wrong with a store, as one family of exceptions whose text is meant for people."""

__all__ = ["BadWrite", "StoreError"]


class StoreError(Exception):
    """The database cannot be opened, read or written now (locked, full, not ours): trying again may help."""


class BadWrite(StoreError):
    """The database works, but it will never take this value: trying again does not help."""
