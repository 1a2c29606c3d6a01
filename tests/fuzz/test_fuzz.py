"""A short run of the fuzz target; a longer one is started by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


def test_five_seconds_of_fuzzing_find_nothing(tmp_path: Path) -> None:
    """Starts from the torture messages, each once for each target."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for folder in ("rfc4475", "rfc5118"):
        for path in (DATA / folder).iterdir():
            for target in (0, 2, 3):
                (corpus / f"{path.name}.{target}").write_bytes(bytes([target]) + path.read_bytes())
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests/fuzz/fuzz_message.py"), "-max_total_time=5", "-max_len=4096",
         "-timeout=5", "-rss_limit_mb=512", f"-artifact_prefix={tmp_path}/", "-verbosity=1", str(corpus)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
