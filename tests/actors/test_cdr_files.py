"""Call records in files: each once, whatever happens in between."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from actors.cdr_files import CdrFiles
from rayswitch.store import Store, add_cdr

NOON = datetime.fromisoformat("2026-03-01T12:00").timestamp()
NEXT = datetime.fromisoformat("2026-03-02T12:00").timestamp()


class Desk:
    """A database and the files beside it."""

    def __init__(self, where: Path) -> None:
        self.url = f"sqlite:///{where}/switch.db"
        self.folder = where / "cdr"
        self.files = CdrFiles(self.url, self.folder)
        self.store = Store.open(self.url)

    def add(self, *calls: str, start: float = NOON) -> None:
        self.store.apply([add_cdr({"call_id": call, "start": start, "leg": "call"}) for call in calls])

    def look(self) -> int:
        """Two looks: what is new, and what was there at the first."""
        self.files.write()
        return self.files.write()

    def calls(self, day: str = "2026-03-01") -> list[str]:
        with (self.folder / f"{day}.csv").open(newline="") as lines:
            return [row["call_id"] for row in csv.DictReader(lines)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_each_record_is_in_the_file_of_its_day(desk: Desk) -> None:
    assert desk.look() == 0 and not desk.folder.exists()
    desk.add("one", "two")
    desk.add("three", start=NEXT)
    assert desk.look() == 3
    assert desk.calls() == ["one", "two"] and desk.calls("2026-03-02") == ["three"]
    assert desk.look() == 0
    desk.add("late")
    assert desk.look() == 1
    assert desk.calls() == ["one", "two", "late"] and desk.calls("2026-03-02") == ["three"]


def test_a_record_is_taken_at_the_look_after_the_one_that_saw_it(desk: Desk) -> None:
    """Another process may still commit one with a lower number."""
    desk.add("one")
    assert desk.files.write() == 0
    desk.add("two")
    assert desk.files.write() == 1
    assert desk.calls() == ["one"]


def test_a_new_process_goes_on_where_the_old_one_was(desk: Desk) -> None:
    desk.add("one")
    desk.look()
    desk.files = CdrFiles(desk.url, desk.folder)
    desk.add("two")
    assert desk.look() == 1
    assert desk.calls() == ["one", "two"]


@pytest.mark.parametrize("dies_after", ["append", "size"])
def test_a_crash_in_the_middle_doubles_nothing(desk: Desk, dies_after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add("one")
    desk.look()
    desk.add("two")
    desk.add("three", start=NEXT)

    def once(*parts: Any) -> Any:
        original(*parts)
        raise KeyboardInterrupt

    original = getattr(desk.files, dies_after)
    monkeypatch.setattr(desk.files, dies_after, once)
    with pytest.raises(KeyboardInterrupt):
        desk.look()
    desk.files = CdrFiles(desk.url, desk.folder)
    desk.look()
    assert desk.calls() == ["one", "two"] and desk.calls("2026-03-02") == ["three"]


def test_a_position_that_makes_no_sense_is_told_and_nothing_is_doubled(desk: Desk) -> None:
    desk.add("one")
    desk.look()
    for text in ("", "[]", json.dumps({"id": 1})):
        (desk.folder / "position.json").write_text(text)
        desk.add("more")
        with pytest.raises(OSError, match=r"position\.json makes no sense"):
            desk.look()
    assert desk.calls() == ["one"]
