"""What one process commits stays, whatever others do with the same store meanwhile."""

import subprocess
import sys
from pathlib import Path

from rayswitch.store import Extensions, Store
from rayswitch.store.schema import MIGRATIONS
from rayswitch.store.writes import drop_binding, put_binding

# As `rayswitch extension import` does: open, look, close.
VISIT = "import sys; from rayswitch.store import Store; Store.open(sys.argv[1]).close()"


def test_a_second_connection_does_not_cost_the_first_its_locks(tmp_path: Path) -> None:
    """The journal's connection stays; another of this process comes and goes; then a process comes and goes.

    Without the locks, that process would delete the write-ahead log, and what the journal writes were lost.
    """
    url = f"sqlite:///{tmp_path / 'rayswitch.db'}"
    with Store.open(url) as journal:
        journal.apply([put_binding("1@example.com", b"", 2e9, "s0", 0.0)])
        Store.open(url).close()
        subprocess.run([sys.executable, "-c", VISIT, url], check=True)
        journal.apply([put_binding("2@example.com", b"", 2e9, "s0", 0.0), drop_binding("1@example.com", "s0", 0.0)])
        read = (
            "import sys; from rayswitch.store import Store; print([b[0] for b in Store.open(sys.argv[1]).bindings()])"
        )
        seen = subprocess.run([sys.executable, "-c", read, url], check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == "['2@example.com']"


# Waits for its order, so that the start of the interpreter does not pull the processes apart.
IMPORT = """
import sys
from rayswitch.store import Extension, Extensions, Store
print("here", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    extensions = Extensions(store, "example.com")
    for number in range(20):
        name = f"{sys.argv[2]}{number:02}"
        print(name, extensions.put([Extension(name, "example.com", "", "", "", {})]))
"""


def test_many_that_open_a_new_store_at_once_make_its_tables_once(url: str) -> None:
    """And whoever changes extensions at the same time gets versions of his own, each higher than those before."""
    everyone = [
        subprocess.Popen(
            [sys.executable, "-c", IMPORT, url, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(1, 7)
    ]
    for process in everyone:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
    for process in everyone:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0] for process in everyone]
    assert [process.returncode for process in everyone] == [0] * len(everyone)
    versions = {
        name: int(version) for name, version in (line.split() for text in printed for line in text.splitlines())
    }
    assert sorted(versions.values()) == list(range(1, 121))
    with Store.open(url) as store:
        assert list(store.rows("SELECT number FROM migration")) == [(n,) for n in range(1, len(MIGRATIONS) + 1)]
        assert {row.number: row.version for row in Extensions(store, "example.com").all()} == versions
