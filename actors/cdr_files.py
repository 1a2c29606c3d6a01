"""Call records as a CSV file for each day on which calls began, beside the database and after it.

What is new in the database is appended every few seconds. The file `position.json` says up to which record that was
and how long each file is that is being written; what a crash left behind that is cut off and written again, so that
every record is there once. Processes commit side by side, so a record with a lower number may show up after one with a
higher: only those that were there at the look before are taken.
"""

from __future__ import annotations

import io
import json
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from actors.cdr_csv import write
from rayswitch.store import Store, cdrs_between, newest_cdr

__all__ = ["CdrFiles"]

PORTION = 5000
"""Most records of one look."""
POSITION = "position.json"


class CdrFiles:
    """Files in `folder` from the database at `url`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.seen = 0
        """The newest record at the last look."""

    def write(self) -> int:
        """Append what is due; how many records that were. Blocks; raises StoreError, OSError."""
        with Store.open(self.url) as store:
            last, self.seen = self.seen, newest_cdr(store)
            position = self.position()
            if last <= position["id"]:
                return 0
            rows = list(cdrs_between(store, position["id"], last, PORTION))
        self.repair(position["sizes"])
        days: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            days[datetime.fromtimestamp(row["start"]).astimezone().date().isoformat()].append(row)
        files = {f"{day}.csv": found for day, found in days.items()}
        self.advance({"id": position["id"], "sizes": {name: self.size(name) for name in files}})
        sizes = {name: self.append(name, found) for name, found in files.items()}
        self.advance({"id": rows[-1]["id"] if rows else last, "sizes": sizes})
        return len(rows)

    def position(self) -> dict[str, Any]:
        """How far we have come; without the file we begin anew."""
        file = self.folder / POSITION
        try:
            found = json.loads(file.read_text())
            return {"id": int(found["id"]), "sizes": dict(found["sizes"])}
        except FileNotFoundError:
            return {"id": 0, "sizes": {}}
        except (ValueError, TypeError, KeyError) as error:
            remedy = "without it and the .csv files all of them are written anew"
            raise OSError(f"{file} makes no sense; {remedy}") from error

    def size(self, name: str) -> int:
        """Of a file, 0 when it is not there."""
        file = self.folder / name
        return file.stat().st_size if file.exists() else 0

    def repair(self, sizes: dict[str, int]) -> None:
        """Cut off what was written after the position was."""
        for name, size in sizes.items():
            if self.size(name) > size:
                os.truncate(self.folder / name, size)

    def append(self, name: str, rows: list[dict[str, Any]]) -> int:
        """Write to a file, which gets its head if it is new; its size then."""
        text = io.StringIO(newline="")
        write(text, rows, head=not self.size(name))
        with (self.folder / name).open("ab") as output:
            output.write(text.getvalue().encode())
            output.flush()
            os.fsync(output.fileno())
            return output.tell()

    def advance(self, position: dict[str, Any]) -> None:
        """So far all of it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{POSITION}.new"
        draft.write_text(json.dumps(position))
        draft.replace(self.folder / POSITION)
