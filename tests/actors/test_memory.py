"""What memory is left, by /proc and by the control group."""

from pathlib import Path

import pytest

from actors import memory


@pytest.mark.parametrize(
    ("limit", "used", "left"),
    [
        ("max", "5", 3_000_000 * 1024),
        ("2000000000", "500000000", 1_500_000_000),
        ("100", "200", 0),
        ("x", "1", 3_072_000_000),
    ],
)
def test_the_smaller_of_machine_and_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, used: str, left: int
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable:    3000000 kB\n")
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.free_bytes() == left


def test_how_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 10 * memory.SHARE * memory.PROCESS_BYTES)
    assert memory.fitting(64) == 10
    assert memory.fitting(64, shares=2) == 5
    assert memory.fitting(3) == 3
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    assert memory.fitting(64) == 1


def test_this_machine_has_some() -> None:
    assert memory.free_bytes() > 1_000_000
