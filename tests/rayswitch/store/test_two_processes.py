"""What one process commits stays, whatever another does with the same store meanwhile."""

import subprocess
import sys
from pathlib import Path

from rayswitch.store import Store
from rayswitch.store.writes import drop_binding, put_binding

# As `rayswitch extension import` does: open, look, close.
VISIT = "import sys; from rayswitch.store import Store; Store.open(sys.argv[1]).close()"


def test_a_second_connection_does_not_cost_the_first_its_locks(tmp_path: Path) -> None:
    """The journal's connection stays; another of this process comes and goes; then a process comes and goes.

    Without the locks, that process would delete the write-ahead log, and what the journal writes were lost.
    """
    url = f"sqlite:///{tmp_path / 'rayswitch.db'}"
    with Store.open(url) as journal:
        journal.apply([put_binding("1@example.com", b"", 2e9)])
        Store.open(url).close()
        subprocess.run([sys.executable, "-c", VISIT, url], check=True)
        journal.apply([put_binding("2@example.com", b"", 2e9), drop_binding("1@example.com")])
        read = (
            "import sys; from rayswitch.store import Store; print([b[0] for b in Store.open(sys.argv[1]).bindings()])"
        )
        seen = subprocess.run([sys.executable, "-c", read, url], check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == "['2@example.com']"
