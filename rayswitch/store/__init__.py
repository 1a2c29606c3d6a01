"""The store: what must outlive every process.

`Store.open(url)` opens, makes or migrates a database.  `writes.py` has the changes that running processes
make, as values; `extensions.py` and `cdr.py` what people administer and read; `schema.py` the tables;
`dialect.py` the seam between them and the databases: `sqlite.py`, embedded, and `postgresql.py`.
"""

from rayswitch.store.cdr import CdrFilter, cdrs, cdrs_between, newest_cdr
from rayswitch.store.errors import BadWrite, StoreAway, StoreError
from rayswitch.store.extensions import BadExtension, Extension, Extensions
from rayswitch.store.records import Record, Records
from rayswitch.store.store import Store
from rayswitch.store.writes import (
    Write,
    add_cdr,
    drop_binding,
    drop_call,
    drop_expired_bindings,
    put_binding,
    put_call,
)

__all__ = [
    "BadExtension",
    "BadWrite",
    "CdrFilter",
    "Extension",
    "Extensions",
    "Record",
    "Records",
    "Store",
    "StoreAway",
    "StoreError",
    "Write",
    "add_cdr",
    "cdrs",
    "cdrs_between",
    "drop_binding",
    "drop_call",
    "drop_expired_bindings",
    "newest_cdr",
    "put_binding",
    "put_call",
]
