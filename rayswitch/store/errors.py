"""What can go wrong with a store, as one family of exceptions whose text is meant for people."""

__all__ = ["BadWrite", "StoreAway", "StoreError", "StoreFull"]


class StoreError(Exception):
    """The database cannot be opened, read or written now (locked, full, not ours): trying again may help."""

    remedy = "Bring the database back"


class StoreAway(StoreError):
    """The database cannot be reached: it, or the way to it, is down, and may be up again later."""


class StoreFull(StoreError):
    """The disk of the database is full."""

    remedy = "Free space on the disk of the database"


class BadWrite(StoreError):
    """The database works, but it will never take this value: trying again does not help."""
