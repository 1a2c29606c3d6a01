"""A disk that is really full: a small file system in a mount namespace of its own, with the database and the journal.

The database cannot grow; the journal has its reserve; then memory; and when there is room again, all is in the
database.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FULL = r"""
import asyncio, sys
from functools import partial
from pathlib import Path
from actors.journal import Journal
from rayswitch.store import Store, put_binding

WHERE = Path(sys.argv[1])
URL = f"sqlite:///{WHERE}/switch.db"
SEGMENT = 1 << 20

def fill():
    with (WHERE / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass

def binding(number):
    return put_binding(f"{number}@x", "x" * 1000, 9e9, "s0", 1.0)

async def until(condition, what):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not within 10 s: {what}")

async def main():
    journal = Journal(URL, WHERE / "journal", segment=SEGMENT)
    whats = lambda: " | ".join(row["what"] for row in journal.alarms.rows())
    kept = set()
    journal.append(binding("first"))
    assert await journal.flush()
    fill()
    number = 0
    async def more(count):
        nonlocal number
        for number in range(number, number + count):
            journal.durable(binding(number), partial(kept.add, number))
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        number += 1
    await more(500)
    await until(lambda: len(kept) == 500, "500 records kept")
    assert journal.aside and journal.backlog, "the database has taken it: the disk is not full"
    assert "the disk is full" in whats(), whats()
    assert "Free space on the disk of the database" in journal.alarms.rows()[0]["remedy"]
    await more(1500)
    await until(lambda: "they wait in memory" in whats(), "the alarm of the disk")
    in_memory = journal.waiting
    assert 500 <= len(kept) < 2000 and in_memory == 2000 - len(kept)
    (WHERE / "ballast").unlink()
    await until(lambda: len(kept) == 2000, "all records kept")
    assert await journal.flush(10)
    with Store.open(URL) as store:
        assert len(list(store.bindings())) == 2001
    assert whats() == "", whats()
    await journal.close()
    print(f"{in_memory} in memory")

asyncio.run(main())
"""


def test_a_full_disk_blocks_nobody_and_loses_nothing(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" -c "$3" "$1"'
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    assert shutil.which("unshare"), "the program unshare is missing: apt-get install util-linux"
    done = subprocess.run(
        [*namespace, "sh", "-c", mount, "sh", str(tmp_path), sys.executable, FULL],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("in memory\n")
