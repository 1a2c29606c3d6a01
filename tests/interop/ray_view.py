"""What Ray itself knows of a running switch, asked as any program would that connects to its Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from actors.rundir import Record, run_dir
from rayswitch.config import load
from tests.interop.switch import Switch

SCRIPT = """
import json, logging, ray, ray._private.state, sys
ray.init(address=sys.argv[1], namespace="rayswitch", log_to_driver=False, logging_level=logging.ERROR)
rows = ray._private.state.actors().values()
print(json.dumps([{"name": row["Name"], "state": row["State"], "pid": row["Pid"]} for row in rows]))
"""


def actors(switch: Switch) -> list[dict[str, Any]]:
    """Name, state and process id of the actors in Ray's table: what `ray list actors` reads, too."""
    record = Record.load(run_dir(load(switch.config)))
    assert record is not None
    (gcs,) = (pid for pid, line in switch.left_over().items() if "gcs_server" in line)
    command = Path(f"/proc/{gcs}/cmdline").read_bytes().decode().split("\0")
    port = next(part.partition("=")[2] for part in command if part.startswith("--gcs_server_port="))
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(Path(record.temp) / "token")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"127.0.0.2:{port}"],
        env=os.environ | token,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows
